"""Training data: CTs found by name, sources at their shares, and what cannot be used said."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndi
from PIL import Image

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.training import datasets as training_data
from CTSuperResolutionLib.diffusion.training import degraded_ct
from CTSuperResolutionLib.diffusion.training.datasets import TrainingImages, choose_cts
from CTSuperResolutionLib.diffusion.training.examples import Example
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume


def write_ct(path: Path, size: int = 36) -> Path:
    lumps = ndi.gaussian_filter(np.random.default_rng(0).standard_normal((size,) * 3), 2)
    array = (200 * lumps / lumps.std()).astype(np.float32)
    write_volume(Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)), path)
    return path


@pytest.fixture
def radiographs(tmp_path):
    """Two folders, of eight and of four pictures."""
    rng = np.random.default_rng(0)
    for name, count in (("many", 8), ("few", 4)):
        (tmp_path / name).mkdir()
        for k in range(count):
            Image.fromarray(rng.integers(0, 255, (70, 70), dtype=np.uint8)).save(tmp_path / name / f"{k}.png")
    return [tmp_path / "many", tmp_path / "few"]


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch):
    monkeypatch.setattr(training_data, "DEAD_LEAVES_SHAPE", (32, 32, 32))
    monkeypatch.setattr(degraded_ct, "SMALLEST", 24)  # of what factors leave of these


class Counting(Progress):
    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    (folder / "deeper.nrrd.d").mkdir(parents=True)
    for name in ("b.nrrd", "a.NII.GZ", "c.mha", "notes.txt", "c.raw"):
        (folder / name).touch()
    (tmp_path / "alone.nii").touch()
    return folder


def test_cts_are_found_in_folders_and_by_name(scans, tmp_path):
    found = choose_cts([tmp_path / "alone.nii", scans], [])
    assert found == [tmp_path / "alone.nii", scans / "a.NII.GZ", scans / "b.nrrd", scans / "c.mha"]
    assert choose_cts([tmp_path / "alone.nii", scans], ["b", "alone"]) == [scans / "a.NII.GZ", scans / "c.mha"]
    assert choose_cts([], []) == []


@pytest.mark.parametrize(
    ("place", "left_out", "message"),
    [
        ("nowhere", [], r"^There is no folder or file .*nowhere; name a folder of CTs\.$"),
        ("scans/deeper.nrrd.d", [], r"^There is no CT in .*deeper\.nrrd\.d; put NRRD, .*\.$"),
        ("scans", ["b", "B", "d"], r"^There is no CT 'B' to leave out; there are a, b, c\.$"),
    ],
)
def test_what_is_not_there_is_said(scans, tmp_path, place, left_out, message):
    with pytest.raises(JobError, match=message):
        choose_cts([tmp_path / place], left_out)


def test_every_source_is_drawn_at_its_share(radiographs, tmp_path, monkeypatch):
    """Relative to each other, folders alike among themselves; whoever draws is noted."""
    drawn = Counter()
    picture = np.zeros((8, 8), np.float32)
    for kind in ("DegradedCt", "Radiographs"):

        def draw(self, rng, crop, kind=kind):
            drawn[kind, id(self)] += 1
            return Example(picture, picture, 1.0, ImageAcquisition(4, 4))

        monkeypatch.setattr(getattr(training_data, kind), "draw", draw)
    cts = [write_ct(tmp_path / f"{name}.nrrd") for name in "abc"]
    shares = {"radiograph_share": 1.0, "ct_share": 1.5, "dead_leaves_share": 2.0, "validation_fraction": 0.5}
    images, progress = TrainingImages(radiographs, cts, dead_leaves=4, **shares), Counting()
    training, held_out, card = images.load(0, progress)
    assert progress.done == len(images) == 2 + 3 + 4
    for source, expected in (
        (training, [("DegradedCt", 4 / 9), ("DegradedCt", 3 / 9)] + [("Radiographs", 1 / 9)] * 2),
        (held_out, [("DegradedCt", 2 / 3)] + [("Radiographs", 1 / 6)] * 2),
    ):
        drawn.clear()
        rng = np.random.default_rng(0)
        for _ in range(4000):
            source.draw(rng, 8)
        found = sorted(((kind, count / 4000) for (kind, _), count in drawn.items()), key=lambda x: (x[0], -x[1]))
        assert [kind for kind, _ in found] == [kind for kind, _ in expected]
        assert [share for _, share in found] == pytest.approx([share for _, share in expected], abs=0.03)
    assert card == {
        "ct": ["a", "b", "c"],
        "radiographs": {"many": 4, "few": 2},
        "dead_leaves": 4,
        "shares": {"radiographs": 1.0, "ct": 1.5, "dead_leaves": 2.0},
        "projections": 0.25,
    }


@pytest.mark.slow
def test_examples_are_what_training_takes_and_a_seed_is_one_training(radiographs, tmp_path):
    images = TrainingImages(radiographs, [write_ct(tmp_path / "a.nrrd")], dead_leaves=4, validation_fraction=0.5)
    batches = []
    for seed in (0, 0, 1):
        sources = images.load(seed, Progress())[:2]
        rng = np.random.default_rng(0)
        batches.append([source.draw(rng, 32) for source in sources for _ in range(10)])
    for start, truth, spread, *_ in batches[0]:
        assert start.shape == truth.shape == (32, 32) and start.dtype == truth.dtype == np.float32
        assert np.isfinite(start).all() and np.isfinite(truth).all() and spread > 0
    same, other = (
        [np.array_equal(one.truth, another.truth) for one, another in zip(batches[0], batches[k], strict=True)]
        for k in (1, 2)
    )
    assert all(same) and not all(other)


@pytest.mark.parametrize(("leaves", "spared"), [(4, 1), (9, 2), (20, 4)])
def test_held_out_leaves_are_others_than_those_trained_on(monkeypatch, leaves, spared):
    """Volumes are numbered as they are made; all volumes of one are on one side."""
    numbers = iter(range(100))
    given = []

    def degrade(hu, spacing, rng):
        return [next(numbers)] * 3

    monkeypatch.setattr(training_data, "dead_leaves", lambda shape, rng: None)
    monkeypatch.setattr(training_data, "degrade_ct", degrade)
    monkeypatch.setattr(training_data, "DegradedCt", lambda volumes, projections: given.append((volumes, projections)))
    TrainingImages(dead_leaves=leaves, projections=0.2).load(0, Progress())
    (training, _), (held_out, _) = given
    assert not set(training) & set(held_out) and set(training) | set(held_out) == set(range(leaves))
    assert len(set(held_out)) == spared
    assert [projections for _, projections in given] == [0.2, 0.2]


def test_folders_of_one_name_are_counted_together(radiographs):
    other = radiographs[1] / "deeper" / "many"
    other.mkdir(parents=True)
    for k in range(4):
        Image.fromarray(np.full((70, 70), 50 * k, np.uint8)).save(other / f"{k}.png")
    images = TrainingImages([radiographs[0], other], dead_leaves=0, validation_fraction=0.25)
    assert images.load(0, Progress())[2]["radiographs"] == {"many": 6 + 3}


@pytest.mark.parametrize(
    "given",
    [
        {"dead_leaves": 0},
        {"dead_leaves": 3},
        {"dead_leaves": 0, "cts": ["a"]},
        {"dead_leaves": 8, "dead_leaves_share": 0.0},
        {"dead_leaves": 8, "dead_leaves_share": 0.0, "cts": ["a"]},
        {"dead_leaves": 0, "radiographs": ["many"], "radiograph_share": 0.0},
    ],
)
def test_too_little_to_train_on_or_to_validate_on(given, radiographs, tmp_path):
    places = {name: [tmp_path / place for place in given[name]] for name in ("cts", "radiographs") if name in given}
    with pytest.raises(JobError, match=r"^There is too little to train on .*dead-leaves of 4 or more.*\.$"):
        TrainingImages(**given | places).load(0, Progress())


@pytest.mark.parametrize("fits", [{"dead_leaves": 4}, {"dead_leaves": 0, "radiographs": True}])
def test_a_share_of_zero_leaves_the_rest_to_the_others(radiographs, fits, tmp_path):
    if "radiographs" in fits:
        fits = fits | {"radiographs": radiographs, "dead_leaves_share": 0.0, "validation_fraction": 0.5}
    images = TrainingImages(cts=[write_ct(tmp_path / "a.nrrd")], ct_share=0.0, **fits)
    rng = np.random.default_rng(0)
    for source in images.load(0, Progress())[:2]:
        assert np.isfinite(source.draw(rng, 32).truth).all()


def test_a_ct_that_cannot_be_used_is_named(tmp_path):
    small = write_ct(tmp_path / "small.nrrd", size=20)
    with pytest.raises(JobError, match=r"^The CT .*small\.nrrd is too small to train on; leave it out\.$"):
        TrainingImages(cts=[small], dead_leaves=4).load(0, Progress())
    (tmp_path / "broken.nrrd").write_bytes(b"NRRD0004\nno more")
    with pytest.raises(JobError, match=r"broken\.nrrd"):
        TrainingImages(cts=[tmp_path / "broken.nrrd"], dead_leaves=4).load(0, Progress())


def test_a_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(JobError, match="too few have 64 x 64"):
        TrainingImages([tmp_path], dead_leaves=0).load(0, Progress())
