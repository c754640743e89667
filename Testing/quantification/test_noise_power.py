"""Noise power against closed forms: Gaussian noise of known variance and spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.quantification.noise_power import MOST_REGIONS, flat_regions, noise_power

MEAN_RADIUS_OF_CUBE = 0.9605919564  # of points in a cube of half side 1, from its centre
SHAPE = (64, 64, 64)


def white(shape=SHAPE, sigma=10.0, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape)


@pytest.mark.parametrize("spacing", [1.0, 0.5])
def test_white_noise_has_its_variance_and_the_mean_frequency_of_a_cube(volume, spacing: float) -> None:
    scan = volume(40 + white(), (spacing,) * 3)
    regions = flat_regions(scan)
    assert regions
    found = noise_power(scan.array, scan.spacing, [(slice(0, 64),) * 3], scan.shape)
    assert found.variance == pytest.approx(100, rel=0.01)
    assert found.mean_frequency == pytest.approx(MEAN_RADIUS_OF_CUBE / (2 * spacing), rel=0.01)
    found = noise_power(scan.array, scan.spacing, regions, scan.shape)
    assert found.variance == pytest.approx(100, rel=0.1)
    assert found.mean_frequency == pytest.approx(MEAN_RADIUS_OF_CUBE / (2 * spacing), rel=0.03)


def test_coloured_noise_has_the_mean_frequency_of_its_gaussian(volume) -> None:
    """White noise blurred by a Gaussian of sigma s has an NPS ~ exp(-(2 pi s f)^2): Maxwell's mean, 1 / (pi^1.5 s)."""
    sigma = 2.0
    noise = ndi.gaussian_filter(white((96, 96, 96)), sigma, mode="wrap")
    variance = 100 / (2 * np.sqrt(np.pi) * sigma) ** 3
    found = noise_power(noise, (0.7, 0.7, 0.7), [(slice(0, 96),) * 3], noise.shape)
    assert found.variance == pytest.approx(variance, rel=0.03)
    assert found.mean_frequency == pytest.approx(1 / (np.pi**1.5 * sigma * 0.7), rel=0.03)


def test_the_ratio_of_two_volumes_is_that_of_their_power(volume) -> None:
    noise = white()
    scan = volume(40 + noise[::2, ::2, ::2], (2, 2, 2))
    regions = flat_regions(scan)
    ours, theirs = (noise_power(40 + gain * noise, (1, 1, 1), regions, scan.shape) for gain in (1.2, 1.0))
    assert ours.variance / theirs.variance == pytest.approx(1.44)
    assert ours.mean_frequency == pytest.approx(theirs.mean_frequency)


def test_a_slope_is_no_noise(volume) -> None:
    slope = 3 * np.arange(20)[:, None, None] - 2 * np.arange(20)[None, :, None] + np.arange(20) / 2
    noise = white((20, 20, 20), 5)
    whole = [(slice(0, 20),) * 3]
    found = noise_power(noise + slope, (1, 1, 1), whole, noise.shape)
    assert found.variance == pytest.approx(noise_power(noise, (1, 1, 1), whole, noise.shape).variance)


def test_flat_regions_are_the_quiet_soft_tissue(volume) -> None:
    """Louder, structured, other and masked parts all around one quiet block."""
    hu = 40 + white(sigma=25)
    hu[:, :20] = -800 + white()[:, :20]
    hu[..., :20] = 40  # one value
    hu[20:40, 24:44, 24:44] = 40 + white((20, 20, 20), 6)
    valid = np.ones(SHAPE, dtype=bool)
    valid[44:] = False
    regions = flat_regions(volume(hu, (1, 1, 1), valid))
    assert len(regions) >= 1
    for z, y, x in regions:
        assert z.start >= 20 and z.stop <= 40 and y.start >= 24 and y.stop <= 44 and x.start >= 24 and x.stop <= 44


def test_regions_do_not_overlap_and_are_of_soft_tissue_though_it_be_noisy(volume) -> None:
    seen = np.zeros((80, 80, 80), dtype=int)
    regions = flat_regions(volume(50 + white(seen.shape, 45)))
    assert len(regions) == MOST_REGIONS
    for region in regions:
        seen[region] += 1
    assert seen.max() == 1


def test_without_a_flat_region_there_is_no_noise_power(volume) -> None:
    nothing = volume(np.full((20, 20, 20), 40.0), valid=np.zeros((20, 20, 20), dtype=bool))
    for scan in (
        volume(np.full((20, 20, 20), 40.0)),  # one value
        volume(np.full((20, 20, 20), -1024.0)),
        volume(-850 + white((40, 40, 40))),
        volume(40 + white((40, 40, 40), 90)),
        volume(40 + white((8, 8, 8))),  # smaller than a region
        nothing,
    ):
        assert flat_regions(scan) == []
    assert noise_power(white((8, 8, 8)), (1, 1, 1), [], (8, 8, 8)) is None
    assert noise_power(np.full((8, 8, 8), 7.0), (1, 1, 1), [(slice(0, 8),) * 3], (8, 8, 8)) is None


def test_thick_slices_have_regions_as_well(volume) -> None:
    regions = flat_regions(volume(40 + white((12, 64, 64)), (5.0, 0.8, 0.8)))
    assert regions and all(z.stop - z.start == 3 and y.stop - y.start == 21 for z, y, x in regions)


def test_the_phantom_s_noise() -> None:
    """12 HU were put in; its liver has a texture of its own."""
    scan = thorax(shape=(96, 96, 128), spacing=1.0)
    found = noise_power(scan.array, scan.spacing, flat_regions(scan), scan.shape)
    assert found.variance**0.5 == pytest.approx(12, rel=0.15)
