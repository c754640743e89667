"""Densitometry against numpy on lungs that are known."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.quantification.densitometry import lung_density, lung_mask

EMPHYSEMA = 0.2  # share of the lung


def chest(voxel: float = 2.0, lung_hu: float = -860.0) -> tuple[np.ndarray, np.ndarray]:
    """HU of a body in air with two lungs, one of them with bullae, and gas in the bowel; and where the lungs are."""
    z, y, x = np.meshgrid(*(np.arange(0.5, side / voxel) * voxel for side in (120, 160, 200)), indexing="ij")
    hu = np.full(z.shape, -1000.0)
    hu[((y - 80) / 70) ** 2 + ((x - 100) / 90) ** 2 < 1] = 40
    lungs = [((z - 70) / 45) ** 2 + ((y - 80) / 45) ** 2 + ((x - at) / 32) ** 2 < 1 for at in (62, 138)]
    lung = lungs[0] | lungs[1]
    hu[lung] = lung_hu
    hu[(z < 20) & ((y - 60) ** 2 + (x - 100) ** 2 < 30**2)] = -1000  # 55 ml of gas
    return hu, lung


def noisy(hu: np.ndarray, sigma: float = 30.0) -> np.ndarray:
    return (hu + np.random.default_rng(0).normal(0, sigma, hu.shape)).clip(-1024)


@pytest.mark.parametrize("sigma", [0.0, 30.0, 60.0])
def test_the_lung_is_found_and_air_and_bowel_gas_are_not(volume, sigma: float) -> None:
    hu, lung = chest()
    assert np.array_equal(lung_mask(volume(noisy(hu, sigma), (2, 2, 2))), lung)


def test_a_crop_that_the_lung_reaches_the_sides_of_has_it_all_the_same(volume) -> None:
    hu, lung = chest()
    inside = (slice(20, 50), slice(25, 55), slice(20, 48))
    assert np.array_equal(lung_mask(volume(hu[inside], (2, 2, 2))), lung[inside])
    assert 0.3 < lung[inside].mean() < 1


def test_the_share_of_emphysema_and_the_percentile_are_known(volume) -> None:
    hu, lung = chest()
    values = np.linspace(-840, -800, np.count_nonzero(lung))
    low = values.size // 5
    values[:low] = -970
    values[low : 2 * low] = -930
    hu[lung] = np.random.default_rng(0).permutation(values)
    scan = volume(hu, (2, 2, 2))
    found = lung_density(scan.array, lung_mask(scan))
    assert found.laa_950_percent == pytest.approx(100 * EMPHYSEMA, abs=0.01)
    assert found.laa_910_percent == pytest.approx(200 * EMPHYSEMA, abs=0.01)
    assert found.perc15_hu == -970
    assert found.perc15_hu == np.percentile(scan.array[lung], 15)


def test_a_finer_volume_is_measured_in_the_scan_s_lung(volume) -> None:
    """Against numpy on the mask, repeated by hand."""
    hu, lung = chest(4.0)
    fine = noisy(hu.repeat(3, 0).repeat(2, 1).repeat(2, 2), 40).astype(np.float32)
    within = fine[lung.repeat(3, 0).repeat(2, 1).repeat(2, 2)]
    found = lung_density(fine, lung_mask(volume(hu, (4, 4, 4))))
    assert asdict(found) == pytest.approx(
        {
            "laa_950_percent": 100 * np.mean(within < -950),
            "laa_910_percent": 100 * np.mean(within < -910),
            "perc15_hu": np.percentile(within, 15),
        }
    )


def test_without_lung_there_is_no_densitometry(volume) -> None:
    hu, lung = chest()
    hu[lung] = 40
    small = np.where(np.arange(60)[:, None, None] < 8, 40.0, -860.0) + np.zeros((60, 8, 8))  # 3 ml
    padded = volume(np.full((20, 20, 20), -860.0), (4, 4, 4), valid=np.zeros((20, 20, 20), dtype=bool))
    air, flesh = (volume(np.full((20, 20, 20), value), (4, 4, 4)) for value in (-1000.0, 40.0))
    for scan in (volume(hu, (2, 2, 2)), volume(small), padded, air, flesh):
        mask = lung_mask(scan)
        assert not mask.any() and lung_density(scan.array, mask) is None


def test_the_phantom_s_lungs() -> None:
    """Of the slender chest: some litre of lung around -860 HU, without the air beside the body and the windpipe's."""
    scan = thorax(shape=(32, 48, 48), spacing=4.0)
    mask = lung_mask(scan)
    assert 700 < np.count_nonzero(mask) * 0.064 < 1600
    assert not mask[:, :1].any() and not mask[:, -1:].any()
    found = lung_density(scan.array, mask)
    assert -920 < found.perc15_hu < -860 and found.laa_950_percent < 10 < found.laa_910_percent + 10
