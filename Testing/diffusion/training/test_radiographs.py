"""Crops of radiographs: the held-out split, their range, and starts that agree with what was measured."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from PIL import Image

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.diffusion.training import radiographs
from CTSuperResolutionLib.diffusion.training.radiographs import SPREAD, Radiographs
from CTSuperResolutionLib.errors import JobError


def picture(seed: int, shape: tuple[int, int] = (150, 170)) -> np.ndarray:
    """Soft lumps, grey values 0 to 255."""
    lumps = ndi.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 6)
    return np.uint8(255 * (lumps - lumps.min()) / np.ptp(lumps))


def save(folder, name: str, array: np.ndarray) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    Image.fromarray(array).save(folder / name)


@pytest.fixture
def folder(tmp_path):
    for k in range(3):
        save(tmp_path / "x-rays", f"{k}.png", picture(k))
    return tmp_path / "x-rays"


def crops(folder, count: int, crop: int, seed: int = 0, **options):
    source, rng = Radiographs(folder, smallest=64, **options), np.random.default_rng(seed)
    return [source.draw(rng, crop) for _ in range(count)]


@pytest.mark.parametrize(("fraction", "held_out"), [(0.25, {0, 4, 8}), (0.5, {0, 2, 4, 6, 8})])
def test_every_nth_file_by_name_is_held_out_and_only_then(tmp_path, fraction, held_out):
    """Told by size: the pictures of one side of the split are too small to be used."""
    for name, small in (("training", held_out), ("validation", set(range(10)) - held_out)):
        for k in reversed(range(10)):
            save(tmp_path / name / "ab"[k >= 5], f"{k}.png", picture(k, (40, 40) if k in small else (70, 80)))
    options = {"smallest": 64, "validation_fraction": fraction}
    assert len(Radiographs(tmp_path / "training", **options)) == 10 - len(held_out)
    assert len(Radiographs(tmp_path / "validation", **options, validation=True)) == len(held_out)
    for name, validation in (("training", True), ("validation", False)):
        with pytest.raises(JobError, match=rf"Of the images in .*{name}, .* too few have 64 x 64 pixels.*\.$"):
            Radiographs(tmp_path / name, **options, validation=validation)


@pytest.mark.slow
@pytest.mark.parametrize("crop", [32, 40, 136])
def test_crops_are_in_range_and_repeatable(folder, crop):
    found = crops(folder, 60, crop)
    for start, truth, spread, told, neighbours in found:
        assert start.shape == truth.shape == (crop, crop) and start.dtype == truth.dtype == np.float32
        assert min(start.min(), truth.min()) >= -1 and max(start.max(), truth.max()) <= 1
        assert spread == SPREAD and told.row_factor == told.column_factor in radiographs.FACTORS and neighbours is None
    for one, again in zip(found, crops(folder, 60, crop), strict=True):
        assert np.array_equal(one.start, again.start) and np.array_equal(one.truth, again.truth)
    assert not np.array_equal(found[0].truth, crops(folder, 1, crop, seed=1)[0].truth)


@pytest.mark.parametrize("factor", [2, 4])
def test_the_start_agrees_with_what_a_detector_measures_of_the_truth(folder, monkeypatch, factor):
    """To rounding in two thirds of the crops; in the others up to its noise, at most 0.01 of [−1, 1]'s half."""
    monkeypatch.setattr(radiographs, "FACTORS", (factor,))
    degradation = make_degradation((120, 120), (factor, factor), blur=min(1.0, factor / 4))
    inside = (slice(7, -7),) * 2  # coarse pixels that see nothing beyond the crop
    off, lost = [], []
    for start, truth, _, told, _ in crops(folder, 60, 120):
        assert told[:2] == (factor, factor)
        if truth.min() > -1:  # beyond a collimator noise is clipped
            error = torch.from_numpy(start).double() - torch.from_numpy(truth).double()
            off.append(float(degradation.A(error)[inside].square().mean().sqrt()))
            lost.append(float(error.square().mean().sqrt()))
    off = np.array(off)
    assert len(off) > 40
    assert np.mean(off < 1e-5) == pytest.approx(2 / 3, abs=0.2)
    assert off.max() < 0.0105
    assert np.median(off) < 0.1 * np.median(lost)


def test_brighter_stays_brighter(tmp_path):
    """The display curves rise: a ramp is one afterwards, but where a collimator darkens it."""
    save(tmp_path, "0.png", picture(0))
    save(tmp_path, "1.png", np.broadcast_to(np.arange(20, 220, dtype=np.uint8), (200, 200)).copy())
    rising = [(np.diff(truth.mean(0)) > -1e-3).all() for _, truth, *_ in crops(tmp_path, 100, 48)]
    assert np.mean(rising) > 0.85
    assert np.std([np.ptp(truth) for _, truth, *_ in crops(tmp_path, 100, 48)]) > 0.02  # contrasts of many kinds


def test_a_picture_of_sixteen_bits_is_one_of_eight(tmp_path):
    fine = picture(1).astype(np.uint16) * 200 + 3000
    for name, array in (("eight", picture(1)), ("sixteen", fine)):
        save(tmp_path / name, "0.png", picture(0))
        save(tmp_path / name, "1.png", array)
    for one, other in zip(crops(tmp_path / "eight", 20, 40), crops(tmp_path / "sixteen", 20, 40), strict=True):
        np.testing.assert_allclose(one.truth, other.truth, atol=0.03)


def test_a_small_picture_is_enlarged(tmp_path):
    """Of 64 pixels for a crop of 120 and its margins: what was a pixel is two, so neighbours differ by less."""
    for k in range(2):
        save(tmp_path, f"{k}.png", np.random.default_rng(k).integers(0, 255, (64, 64), dtype=np.uint8))
    for _, truth, *_ in crops(tmp_path, 10, 120):
        spectrum = np.abs(np.fft.fft2(truth - truth.mean())) ** 2
        high = np.abs(np.fft.fftfreq(120)) > 0.3
        assert spectrum[high][:, high].sum() < 0.02 * spectrum.sum()


DAMAGED = {
    "text.png": b"not a picture",
    "header.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\x05IHDR\x00\x00\x00\x00\x00\xde\xad\xbe\xef",
    "huge.bmp": b"BM" + (54).to_bytes(12, "little") + (40).to_bytes(4, "little") + (200_000).to_bytes(4, "little") * 2
    + b"\x01\x00\x18\x00" + bytes(24),
}  # fmt: skip


@pytest.mark.parametrize("name", [*DAMAGED, "cut.jpg", "cut.tif"])
def test_damaged_pictures_are_passed_over_and_nothing_else_is_an_error(folder, tmp_path, name):
    alone = tmp_path / "alone"
    alone.mkdir()
    if name in DAMAGED:
        content = DAMAGED[name]
    else:
        save(tmp_path / "whole", name, picture(0))
        content = (tmp_path / "whole" / name).read_bytes()[:700]
    for place in (folder, alone):
        (place / name).write_bytes(content)
    (alone / "also.png").write_bytes(b"")
    assert len(Radiographs(folder, smallest=64)) == 2
    with pytest.raises(JobError, match=r"^Of the images in .* too few have 64 x 64 .*\.$"):
        Radiographs(alone, smallest=64)
