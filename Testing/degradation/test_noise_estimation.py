"""How noisy a scan is found to be, and what that does to its sharpening."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise, scan_noise


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """A smooth body in air, (z, y, x), HU."""
    hu = 40 + ndi.gaussian_filter(np.random.default_rng(0).normal(0, 3000, (24, 40, 40)), 4)
    z, y, x = np.ogrid[-1:1:24j, -1:1:40j, -1:1:40j]
    return np.where(np.hypot(y, x) + 0 * z < 0.8, hu, -1000).astype(np.float32)


def noisy(hu: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """White noise added, and what falls below air clipped as a scanner does."""
    return np.maximum(hu + np.random.default_rng(seed).normal(0, sigma, hu.shape), -1024).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("sigma", [5.0, 15.0, 30.0])
def test_white_noise_is_found(body, sigma, seed):
    assert scan_noise(noisy(body, sigma, seed)).noise == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("value", [-2000.0, -1024.0, 0.0])
def test_padding_changes_little(body, value):
    scan = noisy(body, 15.0)
    padded = np.pad(scan, ((0, 0), (4, 4), (4, 4)), constant_values=value)
    assert scan_noise(padded).noise == pytest.approx(scan_noise(scan).noise, rel=0.1)


@pytest.mark.parametrize(
    "scan",
    [
        np.full((8, 9, 10), 40.0),
        np.random.default_rng(0).normal(-1000, 8, (8, 9, 10)),
        np.random.default_rng(0).normal(40, 8, (2, 9, 10)),
        np.pad(np.full((8, 9, 10), 40.0), 5, constant_values=-1024),
        np.pad(np.full((8, 9, 10), 40.0), 5, constant_values=0),
        np.full((8, 9, 10), -2000.0),
    ],
    ids=["constant", "air", "thin", "padded", "padded with water", "padding"],
)
def test_no_noise_where_there_is_none_to_see(scan):
    found = scan_noise(scan.astype(np.float32))
    assert (found.noise, found.content) == (0, 0)
    assert found.damping(0.1) == 0.1


def test_content_is_what_is_there_beyond_the_noise():
    """Of the second differences, which white noise of any σ passes whole: their variances add up."""
    rng = np.random.default_rng(0)
    scan = rng.normal(0, 10, (40, 40, 40))
    scan[20:] += rng.normal(0, 80, (20, 40, 40))
    found = scan_noise(scan.astype(np.float32))
    assert np.hypot(found.noise, found.content) == pytest.approx(np.sqrt(10**2 + 80**2 / 2), rel=0.1)


def test_damping_is_wieners_ratio_between_the_least_and_a_bound():
    dampings = [ScanNoise(noise, 30.0).damping(0.1) for noise in np.linspace(0, 60, 25)]
    assert dampings == sorted(dampings)
    assert dampings[0] == 0.1 and dampings[-1] == 0.4
    assert ScanNoise(15.0, 30.0).damping(0.1) == pytest.approx(0.2)
    assert ScanNoise(15.0, 0.0).damping(0.1) == 0.4
    assert ScanNoise(60.0, 30.0).damping(0.7) == 0.7
