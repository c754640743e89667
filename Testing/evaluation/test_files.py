"""Cases, stored outcomes, maps of priors, and the part that figures show."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.prior import save_prior
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.evaluation.cases import load_volume, save_case
from CTSuperResolutionLib.evaluation.figure import case_figure
from CTSuperResolutionLib.evaluation.priors import look_at_prior, read_priors_map
from CTSuperResolutionLib.evaluation.store import Store
from CTSuperResolutionLib.evaluation.table import SCORES
from CTSuperResolutionLib.evaluation.task import EvaluationOutcome, EvaluationTask, task_key
from CTSuperResolutionLib.evaluation.view import figure_plane, plane_shape
from CTSuperResolutionLib.job.method import Method

REPORT = {"scores": {**dict.fromkeys(SCORES, 0.5), "psnr_db": None}, "seconds": 2.0, "peak_mb": 9, "gpu_peak_mb": None}


@pytest.fixture
def case(volume, tmp_path):
    rng = np.random.default_rng(0)
    fine, coarse = volume(rng.normal(0, 99, (16, 16, 16))), volume(rng.normal(0, 99, (16, 8, 8)), (1.0, 2.0, 2.0))
    return save_case("knee", "1,2,2", fine, coarse, blur=1.0, folder=tmp_path), fine, coarse


def test_a_case_keeps_its_volumes(case):
    saved, fine, coarse = case
    assert saved.name == "knee-1x2x2" and saved.shape == (16, 16, 16)
    for name, volume in (("reference", fine), ("scan", coarse)):
        found = load_volume(saved.path, name)
        assert np.array_equal(found.array, volume.array)
        assert (found.spacing, found.origin, found.direction) == (volume.spacing, volume.origin, volume.direction)


def test_a_key_changes_with_all_that_matters(case, volume, tmp_path):
    saved, fine, coarse = case
    method = Method(scale="1,2,2")
    others = volume(fine.array + 1e-3)
    keys = [
        task_key(saved, "cubic", method, noise_hu=0, prior_sha256=None),
        task_key(saved, "trilinear", method, noise_hu=0, prior_sha256=None),
        task_key(saved, "cubic", replace(method, seed=1), noise_hu=0, prior_sha256=None),
        task_key(saved, "cubic", replace(method, settings={"views": 9}), noise_hu=0, prior_sha256=None),
        task_key(saved, "cubic", method, noise_hu=5, prior_sha256=None),
        task_key(saved, "cubic", method, noise_hu=0, prior_sha256="ab"),
        task_key(replace(saved, blur=2.0), "cubic", method, noise_hu=0, prior_sha256=None),
    ]
    again = save_case("knee", "1,2,2", others, coarse, blur=1.0, folder=tmp_path)
    keys.append(task_key(again, "cubic", method, noise_hu=0, prior_sha256=None))
    assert len(set(keys)) == len(keys)
    same = save_case("leg", "1,2,2", fine, coarse, blur=1.0, folder=tmp_path)
    assert task_key(same, "cubic", method, noise_hu=0, prior_sha256=None) == keys[0]


def test_outcomes_are_found_again(case, tmp_path):
    path, array = case[0].path, case[1].array
    store = Store(tmp_path / "cases")
    task = EvaluationTask("knee-4", "views-ddnm", Method(), 1.0, False, "one")
    outcome = EvaluationOutcome(REPORT, np.eye(3, dtype=np.int16))
    assert store.find(task, (3, 3)) is None
    store.put(task, outcome, path)
    found = store.find(task, (3, 3))
    assert found.report == outcome.report and np.array_equal(found.plane, outcome.plane)
    assert store.find(replace(task, key="two"), (3, 3)) is None
    assert store.find(replace(task, keep_volume=True), (3, 3)) is None  # the volume was not kept
    store.put(task, replace(outcome, volume=array), path)
    assert store.find(replace(task, keep_volume=True), (3, 3)) is not None
    names = {path.name for path in (tmp_path / "cases" / "knee-4").iterdir()}
    assert names == {"views-ddnm.json", "views-ddnm.npy", "views-ddnm.nrrd"}
    kept = sitk.ReadImage(str(tmp_path / "cases" / "knee-4" / "views-ddnm.nrrd"))
    assert np.abs(sitk.GetArrayFromImage(kept) - array).max() <= 0.5


def _without(report, name):
    return {key: value for key, value in report.items() if key != name}


@pytest.mark.parametrize(
    ("ending", "damage"),
    [
        ("npy", lambda content: b""),
        ("npy", lambda content: content[:-1]),
        ("npy", lambda content: content[:20]),
        ("npy", lambda content: b"PK\x03\x04 no archive"),
        ("json", lambda content: content[:12]),
        ("json", lambda content: b"[]"),
        ("json", lambda content: json.dumps(_without(json.loads(content), "peak_mb")).encode()),
        ("json", lambda content: json.dumps(json.loads(content) | {"scores": {"ssim": 0.5}}).encode()),
        ("json", lambda content: content.replace(b'"psnr_db": null', b'"psnr_db": Infinity')),
    ],
)
def test_a_damaged_outcome_counts_as_none(case, tmp_path, ending, damage):
    store = Store(tmp_path / "cases")
    task = EvaluationTask("knee-4", "cubic", Method(), 1.0, False, "one")
    store.put(task, EvaluationOutcome(REPORT, np.eye(3, dtype=np.int16)), case[0].path)
    assert store.find(task, (3, 3)) is not None and store.find(task, (3, 4)) is None
    path = tmp_path / "cases" / "knee-4" / f"cubic.{ending}"
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content and store.find(task, (3, 3)) is None


def test_a_store_that_cannot_be_written(tmp_path):
    (tmp_path / "cases").write_text("in the way")
    task = EvaluationTask("knee-4", "cubic", Method(), 1.0, False, "one")
    with pytest.raises(JobError, match="cannot be written"):
        Store(tmp_path / "cases").put(
            task, EvaluationOutcome({}, np.zeros((2, 2), dtype=np.int16)), tmp_path / "no.npz"
        )


def test_what_is_known_of_a_prior(tmp_path):
    for name, card in (("with", {"ct": ["knee", "leg"]}), ("without", {})):
        save_prior(ResidualDenoiser(channels=8, blocks=1), tmp_path / name, card=card)
    assert look_at_prior(tmp_path / "with").trained_on == {"knee", "leg"}
    assert look_at_prior(tmp_path / "without").trained_on == frozenset()
    assert len(look_at_prior(tmp_path / "with").sha256) == 64


def test_a_map_of_priors(tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"knee": "shipped", "leg": "priors/leg", "arm": "priors/arm"}))
    assert read_priors_map(path, ["leg", "knee"]) == {"leg": str(tmp_path / "priors" / "leg"), "knee": "shipped"}
    with pytest.raises(JobError, match="names none for the CT 'foot'"):
        read_priors_map(path, ["knee", "foot"])
    for text, says in (("{", "is not JSON"), ("[]", "not a JSON object"), ('{"knee": 3}', "not a JSON object")):
        path.write_text(text)
        with pytest.raises(JobError, match=says):
            read_priors_map(path, ["knee"])
    with pytest.raises(JobError, match="cannot be read"):
        read_priors_map(tmp_path / "none.json", ["knee"])


def test_figures_show_where_the_edges_are(volume):
    reference = np.zeros((200, 9, 180))
    reference[150, :, 30:60] = 1000  # a line in the middle slice, in one of its corners
    reference[20, 0, :] = 3000  # not in the middle slice
    marked = volume(np.where(reference == 1000, 7, 0))
    part = figure_plane(marked, volume(reference))
    assert part.shape == plane_shape(reference.shape) == (96, 96) and (part == 7).sum() == 30
    small = figure_plane(volume(np.ones((10, 9, 12))), volume(reference[145:155, :, 25:37]))
    assert small.shape == plane_shape((10, 9, 12)) == (10, 12)


def test_the_figure_shows_part_and_error(tmp_path):
    """An error shows as red or blue below its method; the reference and a perfect result have none."""
    reference = np.zeros((40, 40))
    results = {"perfect": reference, "high": reference + 250, "low": reference - 250}
    case_figure(reference, results, (1.0, 1.0, 1.0), tmp_path / "f.png", title="knee-4, $x_1$")
    pixels = np.asarray(Image.open(tmp_path / "f.png").convert("RGB")).astype(int)
    row = pixels[int(0.75 * len(pixels)), :, 0] - pixels[int(0.75 * len(pixels)), :, 2]
    columns = [row[25 + 200 * k + 90] for k in range(4)]
    assert columns[0] == 0 and abs(columns[1]) < 10 and columns[2] > 60 and columns[3] < -60
