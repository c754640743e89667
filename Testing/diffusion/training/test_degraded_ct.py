"""CTs degraded for training: what comes out, whether starts are what a sampler starts from, and crops."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.acquisition import LanczosSampling
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.training import degraded_ct
from CTSuperResolutionLib.diffusion.training.acquisitions import DrawnAcquisition
from CTSuperResolutionLib.diffusion.training.degraded_ct import DegradedCt, DegradedVolume, degrade_ct

LOW, HIGH = -1024.0, 3071.0


def smooth(shape: tuple[int, int, int]) -> np.ndarray:
    """Soft lumps of a few voxels in water, HU."""
    rng = np.random.default_rng(0)
    lumps = ndi.gaussian_filter(rng.standard_normal(shape), 1.6)
    return (200 * lumps / lumps.std()).astype(np.float32)


def unit(hu: np.ndarray) -> np.ndarray:
    return (hu - LOW) / (HIGH - LOW)


def papers(factors: tuple[int, int, int]) -> DrawnAcquisition:
    """Without noise, and as it is assumed to be."""
    kernels = (LanczosSampling(1.0),) * 3
    return DrawnAcquisition(factors, kernels, kernels, 0.0, (0.0, 0.0, 0.0))


@pytest.fixture
def degraded(monkeypatch):
    """The first of a CT's blocks for factors, of 1 mm voxels."""

    def degrade(hu, factors, spacing=(1.0, 1.0, 1.0)) -> DegradedVolume:
        monkeypatch.setattr(degraded_ct, "draw_acquisition", lambda rng, planar: papers(factors))
        monkeypatch.setattr(degraded_ct, "SPACINGS", (1.0,))
        monkeypatch.setattr(degraded_ct, "FINEST", 0.0)
        monkeypatch.setattr(degraded_ct, "SHARPENED_SHARE", 0.0)
        return degrade_ct(hu, spacing, np.random.default_rng(0))[0]

    return degrade


def test_blocks_are_of_bounded_size_and_number(monkeypatch):
    monkeypatch.setattr(degraded_ct, "BLOCK", (32, 40, 36))
    monkeypatch.setattr(degraded_ct, "MOST_BLOCKS", 7)
    monkeypatch.setattr(degraded_ct, "VIEWS", 2)
    volumes = degrade_ct(smooth((60, 60, 60)), (1.0, 1.0, 1.0), np.random.default_rng(0))
    assert 1 <= len(volumes) <= 7
    for volume in volumes:
        assert volume.start.shape == volume.truth.shape
        assert all(32 <= n <= most for n, most in zip(volume.truth.shape, (32, 40, 36), strict=True))
        factors = [round(volume.slices[axis].across_factor) for axis in range(3)]
        assert not any(np.mod(volume.truth.shape, factors))
    assert degrade_ct(smooth((24, 60, 60)), (1.0, 1.0, 1.0), np.random.default_rng(0)) == []


def test_the_truth_is_the_ct_in_half_precision(degraded):
    volume = degraded(smooth((40, 40, 48)), (4, 4, 4))
    np.testing.assert_allclose(volume.truth, unit(smooth((40, 40, 48))), atol=3e-4)
    assert volume.truth.dtype == volume.start.dtype == np.float16
    assert volume.start.min() >= 0 and volume.start.max() <= 1


@pytest.mark.parametrize("factors", [(4, 4, 4), (4, 1, 1)])
def test_the_start_agrees_with_the_scan_and_is_nearer_to_the_truth_than_cubic(degraded, factors):
    volume = degraded(smooth((40, 36, 36)), factors)
    truth, start = torch.from_numpy(volume.truth).double(), torch.from_numpy(volume.start).double()
    degradation = papers(factors).assumed_degradation(tuple(truth.shape))
    scan = degradation.A(truth)
    cubic = upsample(scan, factors)

    def rms(difference: torch.Tensor) -> float:
        return float(difference.square().mean().sqrt())

    assert rms(degradation.A(start) - scan) < 0.4 * rms(degradation.A(cubic) - scan)
    assert rms(start - truth) < 0.95 * rms(cubic - truth)
    assert volume.slice_spread == pytest.approx(rms(start - truth) ** 2, rel=0.01)


def test_slices_and_views_are_told_how_they_were_measured(degraded):
    volume = degraded(smooth((40, 36, 36)), (4, 1, 1))
    degradation = papers((4, 1, 1)).assumed_degradation((40, 36, 36))
    noise = volume.slices[0].noise
    assert volume.slices == tuple(ImageAcquisition.of_slices(degradation, axis, noise) for axis in range(3))
    assert volume.views[:3] == (4, 1, 1) and volume.views.row_width == volume.slices[1].row_width > 3
    assert 0 <= noise < 0.002  # none was added


def test_projections_hold_all_of_every_slice_in_every_view(degraded):
    """Detector rows are slices; a parallel view's row sums to the slice's sum, on one scale for all."""
    volume = degraded(smooth((40, 40, 48)), (4, 4, 4))
    factor = volume.true_views.sum(2) / volume.truth.astype(float).sum((1, 2))
    assert factor.shape == (degraded_ct.VIEWS, 40)
    np.testing.assert_allclose(factor, factor.mean(), rtol=0.02)
    of_start = volume.start_views.sum(2) / volume.start.astype(float).sum((1, 2))
    np.testing.assert_allclose(of_start, factor.mean(), rtol=0.02)
    assert volume.start_views.max() == pytest.approx(1)
    difference = volume.start_views.astype(float) - volume.true_views
    assert volume.view_spread == pytest.approx(np.mean(difference**2), rel=1e-3)


def test_slices_that_lie_far_apart_are_degraded_in_the_plane_and_stand_alone(degraded):
    hu = smooth((12, 48, 48)) * np.linspace(0.2, 1, 12, dtype=np.float32)[:, None, None]
    volume = degraded(hu, (1, 4, 4), spacing=(5.0, 0.7, 0.7))
    assert volume.views is None and len(volume.slices) == 1 and volume.slices[0][:3] == (4, 4, 1)
    assert volume.truth.shape == hu.shape  # as they are, but in any order
    found = {round(float(np.std(one.astype(np.float32))) * 1e3) for one in volume.truth}
    assert found == {round(float(np.std(unit(one))) * 1e3) for one in hu}
    example = DegradedCt([volume], projections=1.0).draw(np.random.default_rng(0), 32)
    assert example.neighbours is None and example.acquisition == volume.slices[0]


def test_voxels_are_brought_to_the_spacing(degraded):
    """A ramp along each axis stays one, in mm."""
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip((40, 72, 24), (1, 0.5, 1.6), strict=True)), indexing="ij")
    hu = (10 * z - 5 * y + 8 * x).astype(np.float32)
    volume = degraded(hu, (2, 2, 2), spacing=(1.0, 0.5, 1.6))
    inside = volume.truth.astype(float)[4:-4, 4:-4, 4:-4] * (HIGH - LOW)
    slopes = [float(np.mean(np.diff(inside, axis=axis))) for axis in range(3)]
    assert slopes == pytest.approx([10, -5, 8], rel=0.05)


def test_a_ct_is_brought_to_little_finer_voxels_than_its_own(monkeypatch):
    monkeypatch.setattr(degraded_ct, "SPACINGS", (0.5,))
    monkeypatch.setattr(degraded_ct, "draw_acquisition", lambda rng, planar: papers((2, 2, 2)))
    (volume, *_) = degrade_ct(np.zeros((30, 30, 30), np.float32), (1.6, 1.6, 1.6), np.random.default_rng(0))
    assert volume.truth.shape == (40, 40, 40)  # 1.2 mm


def volume_of(truth: np.ndarray, factors: tuple[int, int, int], views: np.ndarray | None) -> DegradedVolume:
    """A volume whose start is half of its truth, exactly."""
    z, y, x = factors
    told = (ImageAcquisition(y, x, z), ImageAcquisition(z, x, y), ImageAcquisition(z, y, x))
    halves = None if views is None else views / 2
    return DegradedVolume(
        truth=truth.astype(np.float16),
        start=(truth / 2).astype(np.float16),
        slices=told,
        views=None if views is None else ImageAcquisition(z, y),
        true_views=views,
        start_views=halves,
        slice_spread=0.1,
        view_spread=0.2,
    )


def test_start_and_truth_are_the_same_crop_on_the_scanners_grid():
    """Every axis is coded in turn: the corner of a crop is one of a coarse pixel, whatever the axis of the slice."""
    rng = np.random.default_rng(0)
    for axis, factor in enumerate((2, 4, 8)):
        code = np.moveaxis(np.broadcast_to(np.arange(48) / 64, (48, 48, 48)), 2, axis)
        ct = DegradedCt([volume_of(code, (2, 4, 8), None)])
        firsts = set()
        for _ in range(100):
            start, truth, spread, told, _ = ct.draw(rng, 24)
            np.testing.assert_array_equal(start + 1, (truth + 1) / 2)
            assert told[:2] in ((4, 8), (2, 8), (2, 4))
            assert spread == 0.4  # of [−1, 1], so four times that of [0, 1]
            if np.ptp(truth):
                assert factor in told[:2]
                firsts.add(round(float(truth[0, 0] + 1) * 32))
        assert firsts == set(range(0, 25, factor))


def test_neighbours_are_those_of_the_start_in_order_and_repeat_at_the_ends():
    """Along a coded axis the start goes up by one step a slice; slices along the others show the same beside them.

    What neighbours have is shown whole half of the time, and else by a share that is drawn evenly.
    """
    rng, step = np.random.default_rng(0), 1 / 64
    noise = volume_of(rng.random((32, 32, 32)), (2, 2, 2), None)  # so that no crop is all one value
    for axis in range(3):
        code = np.moveaxis(np.broadcast_to(np.arange(32) / 32, (32, 32, 32)), 2, axis)
        ct = DegradedCt([replace(noise, start=(code / 2).astype(np.float16))])
        seen, shares = set(), []
        for _ in range(600):
            start, _, _, _, beyond = ct.draw(rng, 32)
            assert beyond.shape == (4, 32, 32)
            if np.ptp(start):  # a slice along another axis
                assert not beyond.any()
                continue
            index = round(float(start[0, 0] + 1) / 2 / step)
            expected = [2 * step * (min(max(index + k, 0), 31) - index) for k in (-2, -1, 1, 2)]
            share = float(beyond[:, 3, 5] @ expected / np.dot(expected, expected))
            np.testing.assert_allclose(beyond[:, 3, 5], np.multiply(share, expected), atol=1e-3)
            seen.add(index)
            shares.append(share)
        assert seen == set(range(32))
        faded = [share for share in shares if share < 0.999]
        assert max(shares) < 1.001 and len(faded) / len(shares) == pytest.approx(0.5, abs=0.15)
        assert min(faded) < 0.1 and np.mean(faded) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("planar", [False, True])
def test_some_blocks_are_sharpened_along_rows_and_columns(monkeypatch, planar):
    """As by an unsharp mask of one strength: all that varies faster is stronger, and means are kept."""
    monkeypatch.setattr(degraded_ct, "draw_acquisition", lambda rng, planar: papers((1, 2, 2)))
    monkeypatch.setattr(degraded_ct, "SPACINGS", (1.0,))
    monkeypatch.setattr(degraded_ct, "FINEST", 0.0)
    monkeypatch.setattr(degraded_ct, "MOST_BLOCKS", 2)
    cube, spacing = smooth((40, 64, 64)), (3.0 if planar else 1.0, 1.0, 1.0)
    found = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(degraded_ct, "SHARPENED_SHARE", share)
        found[share] = [
            volume.truth.astype(np.float32) for volume in degrade_ct(cube, spacing, np.random.default_rng(3))
        ]
    assert len(found[1.0]) == len(found[0.0]) == 2
    plain, sharp = found[0.0][0], found[1.0][0]  # the first block is drawn before any sharpening
    assert sharp.mean() == pytest.approx(plain.mean(), abs=2e-4)
    differences = [float(np.std(np.diff(volume, axis=axis))) for axis in (1, 2) for volume in (plain, sharp)]
    assert differences[1] > 1.1 * differences[0] and differences[3] > 1.1 * differences[2]
    # What is added to a plane that has one value is nothing.
    monkeypatch.setattr(degraded_ct, "SHARPENED_SHARE", 1.0)
    flat = degrade_ct(np.full((40, 64, 64), 40.0, np.float32), spacing, np.random.default_rng(0))[0]
    assert np.ptp(flat.truth.astype(np.float32)) < 1e-6


def test_a_projection_has_the_factors_of_the_detector_and_no_neighbours():
    code = np.random.default_rng(0).random((32, 32, 32))
    ct = DegradedCt([volume_of(code, (4, 1, 1), code[:5].astype(np.float32))], projections=1.0)
    example = ct.draw(np.random.default_rng(0), 16)
    assert example.acquisition == ImageAcquisition(4, 1) and example.neighbours is None


def test_projections_and_volumes_come_at_their_shares():
    rng = np.random.default_rng(0)

    def noise(level: float, shape: tuple[int, ...]) -> np.ndarray:
        return level + 0.1 * rng.random(shape, dtype=np.float32)

    volumes = [
        volume_of(noise(0.0, (32, 32, 32)), (4, 4, 4), noise(0.3, (5, 32, 40))),
        volume_of(noise(0.6, (32, 32, 32)), (4, 4, 4), noise(0.9, (5, 32, 40))),
    ]
    ct = DegradedCt(volumes, projections=0.4)
    found = [(float((e.truth.min() + 1) / 2), e.spread) for e in (ct.draw(rng, 16) for _ in range(2000))]
    kinds = [int(low / 0.3 + 1e-3) for low, _ in found]
    assert np.bincount(kinds) / 2000 == pytest.approx([0.3, 0.2, 0.3, 0.2], abs=0.04)
    assert all(spread == (0.8 if kind % 2 else 0.4) for kind, (_, spread) in zip(kinds, found, strict=True))


def test_a_crop_of_nothing_is_seldom_drawn():
    """Half of all slices along z, and of none along the others, are empty: one of six at first, 1/6⁵ after five."""
    truth = np.zeros((32, 32, 32))
    truth[16:] = np.random.default_rng(0).random((16, 32, 32))
    ct = DegradedCt([volume_of(truth, (4, 4, 4), None)])
    rng = np.random.default_rng(1)
    assert sum(np.ptp(ct.draw(rng, 32).truth) < 0.01 for _ in range(300)) <= 1
    empty = DegradedCt([volume_of(np.zeros((32, 32, 32)), (4, 4, 4), None)])
    assert empty.draw(rng, 32).truth.max() == -1
