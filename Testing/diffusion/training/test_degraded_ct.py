"""CTs degraded for training: what comes out, whether starts are what a sampler starts from, and crops."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.operator import assumed_blur, make_degradation
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.diffusion.training import degraded_ct
from CTSuperResolutionLib.diffusion.training.degraded_ct import DegradedCt, DegradedVolume, degrade_ct

LOW, HIGH = -1024.0, 3071.0


class Quiet(np.random.Generator):
    """No noise, and the blur that is assumed; angles at random."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def normal(self, *_: float) -> float:
        return 0.0

    def random(self, *_: object) -> float:
        return 0.99


def smooth(shape: tuple[int, int, int]) -> np.ndarray:
    """Soft lumps of a few voxels in water, HU."""
    rng = np.random.default_rng(0)
    lumps = ndi.gaussian_filter(rng.standard_normal(shape), 1.6)
    return (200 * lumps / lumps.std()).astype(np.float32)


def unit(hu: np.ndarray) -> np.ndarray:
    return (hu - LOW) / (HIGH - LOW)


@pytest.mark.parametrize(
    ("shape", "spacing", "expected"),
    [
        # 40 voxels of 1 mm: 26 of 1.5 mm are too few, 50 of 0.8 mm are 48 in fours and threes.
        ((40, 40, 40), 1.0, [(4, 40), (8, 40), (2, 40), ((4, 1, 1), 40), (4, 48), (3, 48)]),
        ((35, 35, 35), 1.0, [(4, 32), (8, 32), (2, 34), ((4, 1, 1), 32), (4, 44), (3, 42)]),
        ((31, 60, 60), 1.0, [(4, 36), (3, 39)]),  # 31 are too few, 39 of 0.8 mm are not
        ((24, 24, 24), 1.0, []),
    ],
)
def test_one_volume_for_every_degradation_that_leaves_enough(shape, spacing, expected):
    volumes = degrade_ct(np.zeros(shape, np.float32), (spacing,) * 3, np.random.default_rng(0))
    named = [(f if isinstance(f, tuple) else (f,) * 3, n) for f, n in expected]
    assert [(v.factors, v.truth.shape[0]) for v in volumes] == named
    for volume in volumes:
        assert volume.start.shape == volume.truth.shape and not any(np.mod(volume.truth.shape, volume.factors))


@pytest.fixture(scope="module")
def isotropic() -> DegradedVolume:
    (volume,) = degrade_ct(smooth((40, 40, 48)), (1, 1, 1), Quiet(), degradations=[(1.0, (4, 4, 4), 2.0)])
    return volume


@pytest.fixture(scope="module")
def anisotropic() -> DegradedVolume:
    (volume,) = degrade_ct(smooth((40, 36, 36)), (1, 1, 1), Quiet(), degradations=[(1.0, (4, 1, 1), 1.0)])
    return volume


def test_the_truth_is_the_ct_in_half_precision(isotropic):
    np.testing.assert_allclose(isotropic.truth, unit(smooth((40, 40, 48))), atol=3e-4)
    assert isotropic.truth.dtype == isotropic.start.dtype == np.float16
    assert isotropic.start.min() >= 0 and isotropic.start.max() <= 1


@pytest.mark.parametrize("which", ["isotropic", "anisotropic"])
def test_the_start_agrees_with_the_scan_and_is_nearer_to_the_truth_than_cubic(which, request):
    volume = request.getfixturevalue(which)
    truth, start = torch.from_numpy(volume.truth).double(), torch.from_numpy(volume.start).double()
    blur = assumed_blur(1.0, volume.factors)
    degradation = make_degradation(truth.shape, volume.factors, blur=blur)
    scan = degradation.A(truth)
    cubic = upsample(scan, volume.factors)

    def rms(difference: torch.Tensor) -> float:
        return float(difference.square().mean().sqrt())

    assert rms(degradation.A(start) - scan) < 0.4 * rms(degradation.A(cubic) - scan)
    assert rms(start - truth) < 0.95 * rms(cubic - truth)
    assert volume.slice_spread == pytest.approx(rms(start - truth) ** 2, rel=0.01)


def test_projections_hold_all_of_every_slice_in_every_view(isotropic):
    """Detector rows are slices; a parallel view's row sums to the slice's sum, on one scale for all."""
    factor = isotropic.true_views.sum(2) / isotropic.truth.astype(float).sum((1, 2))
    assert factor.shape == (degraded_ct.VIEWS, 40)
    np.testing.assert_allclose(factor, factor.mean(), rtol=0.02)
    of_start = isotropic.start_views.sum(2) / isotropic.start.astype(float).sum((1, 2))
    np.testing.assert_allclose(of_start, factor.mean(), rtol=0.02)
    assert isotropic.start_views.max() == pytest.approx(1)
    difference = isotropic.start_views.astype(float) - isotropic.true_views
    assert isotropic.view_spread == pytest.approx(np.mean(difference**2), rel=1e-3)


def test_only_volumes_whose_slices_have_square_pixels_have_projections(anisotropic):
    assert anisotropic.true_views.shape == anisotropic.start_views.shape
    assert anisotropic.true_views.shape[:2] == (degraded_ct.VIEWS, 40)
    (oblong,) = degrade_ct(smooth((32, 32, 32)), (1, 1, 1), Quiet(), degradations=[(1.0, (2, 2, 4), 1.0)])
    assert oblong.true_views is None and oblong.start_views is None
    example = DegradedCt([oblong], projections=1.0).draw(np.random.default_rng(0), 32)
    assert example.spread == 4 * oblong.slice_spread


def test_voxels_are_brought_to_the_spacing():
    """A ramp along each axis stays one, in mm."""
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip((40, 72, 24), (1, 0.5, 1.6), strict=True)), indexing="ij")
    hu = (10 * z - 5 * y + 8 * x).astype(np.float32)
    (volume,) = degrade_ct(hu, (1, 0.5, 1.6), Quiet(), degradations=[(1.0, (2, 2, 2), 1.0)])
    assert volume.truth.shape == (40, 36, 38)
    inside = volume.truth.astype(float)[4:-4, 4:-4, 4:-4] * (HIGH - LOW)
    slopes = [float(np.mean(np.diff(inside, axis=axis))) for axis in range(3)]
    assert slopes == pytest.approx([10, -5, 8], rel=0.05)


def test_of_a_large_ct_the_middle_is_used(monkeypatch):
    monkeypatch.setattr(degraded_ct, "LARGEST", (32, 36, 32))
    hu = smooth((40, 48, 33))
    (volume,) = degrade_ct(hu, (1, 1, 1), Quiet(), degradations=[(1.0, (2, 2, 2), 1.0)])
    np.testing.assert_allclose(volume.truth, unit(hu[4:36, 6:42, :32]), atol=3e-4)


def test_blur_and_noise_differ_from_scan_to_scan():
    """Every third or so of many scans of water beside air is noisy; the others differ by their blur alone."""
    hu = np.zeros((32, 32, 32), np.float32)
    hu[:, :, 16:] = 1000
    rng = np.random.default_rng(0)
    volumes = [degrade_ct(hu, (1, 1, 1), rng, degradations=[(1.0, (4, 1, 1), 1.0)])[0] for _ in range(60)]
    noise = np.array([np.std(v.start[:, :, 2:8].astype(float)) * (HIGH - LOW) for v in volumes])
    noisy = noise > 0.5
    assert np.mean(noisy) == pytest.approx(1 / 3, abs=0.2)
    assert noise[noisy].max() < 30 and noise[~noisy].max() < 0.1


def volume_of(truth: np.ndarray, factors: tuple[int, int, int], weight: float, views: np.ndarray | None):
    """A volume whose start is half of its truth, exactly."""
    halves = None if views is None else views / 2
    return DegradedVolume(
        factors, weight, truth.astype(np.float16), (truth / 2).astype(np.float16), views, halves, 0.1, 0.2
    )


def test_start_and_truth_are_the_same_crop_on_the_scanners_grid():
    """Every axis is coded in turn: the corner of a crop is one of a coarse pixel, whatever the axis of the slice."""
    rng = np.random.default_rng(0)
    for axis, factor in enumerate((2, 4, 8)):
        code = np.moveaxis(np.broadcast_to(np.arange(48) / 64, (48, 48, 48)), 2, axis)
        ct = DegradedCt([volume_of(code, (2, 4, 8), 1.0, None)])
        firsts = set()
        for _ in range(100):
            start, truth, spread, factors = ct.draw(rng, 24)
            np.testing.assert_array_equal(start + 1, (truth + 1) / 2)
            assert factors in ((4, 8), (2, 8), (2, 4))
            assert spread == 0.4  # of [−1, 1], so four times that of [0, 1]
            if np.ptp(truth):
                assert factor in factors
                firsts.add(round(float(truth[0, 0] + 1) * 32))
        assert firsts == set(range(0, 25, factor))


def test_a_projection_has_the_factors_of_the_detector():
    code = np.random.default_rng(0).random((32, 32, 32))
    ct = DegradedCt([volume_of(code, (4, 1, 1), 1.0, code[:5].astype(np.float32))], projections=1.0)
    assert ct.draw(np.random.default_rng(0), 16).factors == (4, 1)


def test_projections_and_volumes_come_at_their_shares():
    rng = np.random.default_rng(0)

    def noise(level: float, shape: tuple[int, ...]) -> np.ndarray:
        return level + 0.1 * rng.random(shape, dtype=np.float32)

    volumes = [
        volume_of(noise(0.0, (32, 32, 32)), (4, 4, 4), 3.0, noise(0.3, (5, 32, 40))),
        volume_of(noise(0.6, (32, 32, 32)), (4, 4, 4), 1.0, noise(0.9, (5, 32, 40))),
    ]
    ct = DegradedCt(volumes, projections=0.4)
    found = [(float((truth.min() + 1) / 2), spread) for _, truth, spread, _ in (ct.draw(rng, 16) for _ in range(2000))]
    kinds = [int(low / 0.3 + 1e-3) for low, _ in found]
    assert np.bincount(kinds) / 2000 == pytest.approx([0.45, 0.3, 0.15, 0.1], abs=0.04)
    assert all(spread == (0.8 if kind % 2 else 0.4) for kind, (_, spread) in zip(kinds, found, strict=True))


def test_a_crop_of_nothing_is_seldom_drawn():
    """Half of all slices along z, and of none along the others, are empty: one of six at first, 1/6⁵ after five."""
    truth = np.zeros((32, 32, 32))
    truth[16:] = np.random.default_rng(0).random((16, 32, 32))
    ct = DegradedCt([volume_of(truth, (4, 4, 4), 1.0, None)])
    rng = np.random.default_rng(1)
    assert sum(np.ptp(ct.draw(rng, 32).truth) < 0.01 for _ in range(300)) <= 1
    empty = DegradedCt([volume_of(np.zeros((32, 32, 32)), (4, 4, 4), 1.0, None)])
    assert empty.draw(rng, 32).truth.max() == -1
