"""How noisy a scan is found to be, of which colour, and what that does to its sharpening."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise, scan_noise

SPACING = (3.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """Organs of different, even density in air, (z, y, x), HU, with edges as a scanner blurs them."""
    z, y, x = np.ogrid[-1:1:16j, -1:1:96j, -1:1:96j]
    hu = np.where(np.hypot(y, x) + 0 * z < 0.9, 50.0, -1000.0)
    hu[np.hypot(y - 0.2, x + 0.3) + 0 * z < 0.35] = 90.0
    hu[np.hypot(y + 0.3, x - 0.4) + 0 * z < 0.25] = -850.0
    hu[np.hypot(y - 0.5, x - 0.4) + 0 * z < 0.12] = 700.0
    return ndi.gaussian_filter(hu, (0, 0.8, 0.8))


def noisy(hu: np.ndarray, sigma: float, smoothed: tuple[float, float, float] = (0, 0, 0), seed: int = 0) -> np.ndarray:
    """Gaussian noise added, of a deviation, smoothed by Gaussians of σ voxels; what falls below air is clipped."""
    noise = ndi.gaussian_filter(np.random.default_rng(seed).normal(0, 1, hu.shape), smoothed, mode="wrap")
    return np.maximum(hu + noise * (sigma / noise.std()), -1024).astype(np.float32)


@pytest.mark.parametrize("smoothed", [(0, 0, 0), (0, 0.7, 0.7), (0.6, 0.7, 0.7), (0, 1.2, 1.2)])
@pytest.mark.parametrize("sigma", [5.0, 15.0, 30.0])
def test_noise_of_any_colour_is_found(body, sigma, smoothed):
    """Correlation of neighbours in white noise under a Gaussian is exp(-1 / (4 σ²))."""
    found = scan_noise(noisy(body, sigma, smoothed), SPACING)
    assert found.sd == pytest.approx(sigma, rel=0.2)
    expected = [np.exp(-1 / (4 * s**2)) if s else 0.0 for s in smoothed]
    assert found.correlation == pytest.approx(expected, abs=0.12)


def test_noise_of_air_is_found():
    scan = np.random.default_rng(0).normal(-990, 12, (8, 64, 64)).astype(np.float32)
    assert scan_noise(scan, SPACING).sd == pytest.approx(12, rel=0.2)


def test_where_materials_mix_is_no_soft_tissue():
    """Lung with a few vessels, around which a window's mean passes for soft tissue's."""
    hu = np.full((8, 96, 96), -850.0)
    hu[:, 40:44, 40:44] = 900.0
    assert scan_noise(noisy(hu, 10.0), SPACING).sd == pytest.approx(10.0, rel=0.2)


def test_values_that_are_no_hu_are_one_material():
    """The same scan in other units: what passes for soft tissue there is the body's rim."""
    z, y, x = np.ogrid[-1:1:8j, -1:1:96j, -1:1:96j]
    scan = noisy(np.where(np.hypot(y, x) + 0 * z < 0.7, 2500.0, -900.0), 8.0)
    assert scan_noise(scan, SPACING, is_hu=False).sd == pytest.approx(8.0, rel=0.2)


def test_a_few_extreme_voxels_change_nothing(body):
    scan = noisy(body, 12.0)
    spoilt = scan.copy()
    spoilt.ravel()[np.random.default_rng(1).choice(scan.size, 20, replace=False)] = 3071
    assert scan_noise(spoilt, SPACING).sd == pytest.approx(scan_noise(scan, SPACING).sd, rel=0.05)


def test_what_was_not_measured_says_nothing_of_the_noise(body):
    """A block of constant padding with noise of its own beside it, as a mask leaves it."""
    scan = noisy(body, 12.0)
    valid = np.ones(scan.shape, dtype=bool)
    valid[:, 30:70, 30:70] = False
    masked = scan.copy()
    masked[~valid] = np.random.default_rng(2).normal(40, 1, np.count_nonzero(~valid))
    assert scan_noise(masked, SPACING, valid).sd == pytest.approx(12.0, rel=0.2)
    assert scan_noise(masked, SPACING).sd < 3


def test_slices_may_follow_each_other_along_any_axis(body):
    scan = noisy(body, 12.0, (0, 0.7, 0.7))
    found = scan_noise(scan, SPACING)
    turned = scan_noise(np.ascontiguousarray(scan.transpose(2, 0, 1)), (1.0, 3.0, 1.0))
    assert turned.sd == pytest.approx(found.sd)
    assert turned.correlation == pytest.approx((found.correlation[2], found.correlation[0], found.correlation[1]))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("sigma", [5.0, 15.0, 30.0])
def test_of_voxels_too_large_for_windows_the_white_noise_is_found(sigma, seed):
    """In a smooth body in air."""
    hu = 40 + ndi.gaussian_filter(np.random.default_rng(0).normal(0, 3000, (24, 40, 40)), 4)
    _, y, x = np.ogrid[:1, -1:1:40j, -1:1:40j]
    hu = np.where(np.hypot(y, x) < 0.8, hu, -1000.0)
    found = scan_noise(noisy(hu, sigma, seed=seed), (4.0, 4.0, 4.0))
    assert found.sd == found.white == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize(
    "scan",
    [
        np.full((8, 32, 32), 40.0),
        np.pad(np.full((8, 9, 10), 40.0), 5, constant_values=-1024),
        np.pad(np.full((8, 9, 10), 40.0), 5, constant_values=0),
        np.full((8, 9, 10), -2000.0),
        np.random.default_rng(0).normal(40, 8, (2, 4, 4)),
    ],
    ids=["constant", "padded", "padded with water", "padding", "tiny"],
)
def test_no_noise_where_there_is_none_to_see(scan):
    found = scan_noise(scan.astype(np.float32), (1.0, 1.0, 1.0))
    assert (found.sd, found.white, found.content) == (0, 0, 0)
    assert found.damping(0.1) == 0.1


def test_content_is_what_is_there_beyond_the_noise():
    """Of the second differences, which white noise of any σ passes whole: their variances add up."""
    rng = np.random.default_rng(0)
    scan = rng.normal(0, 10, (40, 40, 40))
    scan[20:] += rng.normal(0, 80, (20, 40, 40))
    found = scan_noise(scan.astype(np.float32), (1.0, 1.0, 1.0))
    assert np.hypot(found.white, found.content) == pytest.approx(np.sqrt(10**2 + 80**2 / 2), rel=0.1)


def test_damping_is_wieners_ratio_between_the_least_and_a_bound():
    dampings = [ScanNoise(white=noise, content=30.0).damping(0.1) for noise in np.linspace(0, 60, 25)]
    assert dampings == sorted(dampings)
    assert dampings[0] == 0.1 and dampings[-1] == 0.4
    assert ScanNoise(white=15.0, content=30.0).damping(0.1) == pytest.approx(0.2)
    assert ScanNoise(white=15.0, content=0.0).damping(0.1) == 0.4
    assert ScanNoise(white=60.0, content=30.0).damping(0.7) == 0.7
