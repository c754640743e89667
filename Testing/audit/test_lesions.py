"""Lesions have the size and contrast that they say, and lie where they may."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.audit.lesion_size import measured_diameter
from CTSuperResolutionLib.audit.lesions import Lesion, find_sites, with_lesions
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.quantification.densitometry import lung_mask

SPACING = (2.0, 1.0, 0.8)
MIDDLE = (14, 18, 20)


@pytest.fixture(scope="module")
def chest():
    return thorax(shape=(48, 72, 96), spacing=2.0)


def uniform(volume, hu: float = -850.0, spacing=SPACING):
    return volume(np.full((29, 37, 41), hu), spacing)


@pytest.mark.parametrize("diameter", [3.0, 4.0, 6.0])
def test_a_ball_has_its_mass_and_its_place(volume, diameter) -> None:
    ct = uniform(volume)
    added = with_lesions(ct, Lesion("nodule", diameter, 800.0), np.array([MIDDLE])).array.astype(float) - ct.array
    assert added.sum() * np.prod(SPACING) == pytest.approx(800 * np.pi * diameter**3 / 6, rel=0.03)
    assert ndi.center_of_mass(added) == pytest.approx(MIDDLE, abs=1e-3)
    assert added.max() <= 800.001 and added.min() >= 0


def test_a_vessel_is_a_rod_along_y(volume) -> None:
    ct = uniform(volume)
    added = with_lesions(ct, Lesion("vessel", 4.0, 500.0), np.array([MIDDLE])).array.astype(float) - ct.array
    areas = added.sum(axis=(0, 2)) * SPACING[0] * SPACING[2]
    inside = areas > 0
    assert areas[inside] == pytest.approx(500 * np.pi * 4, rel=0.03) and 12 <= inside.sum() * SPACING[1] <= 16


def test_places_are_in_clear_lung_and_apart(chest) -> None:
    sites = find_sites(chest, "nodule", 12.0, 40, seed=1)
    assert np.array_equal(sites, find_sites(chest, "nodule", 12.0, 40, seed=1)) and len(sites) >= 12
    lung = lung_mask(chest) & (chest.array < -600)
    for site in sites:
        assert all(lung[tuple(site + offset)] for offset in np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)]))
        apart = np.abs(sites - site).max(axis=1) * 2.0
        assert np.sort(apart)[1] >= 12.0
        assert all(2.0 * at >= 12.0 and 2.0 * (n - at) >= 12.0 for at, n in zip(site, chest.shape, strict=True))
    soft = find_sites(chest, "calcification", 8.0, 20, seed=0)
    assert all(-30 <= chest.array[tuple(site)] < 150 for site in soft)


def test_too_few_places_are_said(chest) -> None:
    with pytest.raises(JobError, match=r"room for \d+ lesions of kind nodule"):
        find_sites(chest, "nodule", 40.0, 40, seed=0)


@pytest.mark.parametrize(("kind", "diameter"), [("nodule", 4.0), ("nodule", 8.0), ("vessel", 5.0)])
def test_a_sharp_lesion_measures_what_it_is(volume, kind, diameter) -> None:
    ct = volume(np.full((61, 61, 61), -850.0), (0.5, 0.5, 0.5))
    lesion = Lesion(kind, diameter, 800.0)
    found = with_lesions(ct, lesion, np.array([(30, 30, 30)]))
    assert measured_diameter(found.array, (30, 30, 30), lesion, ct.spacing) == pytest.approx(diameter, abs=0.35)


def test_a_small_lesion_measures_the_blur(volume) -> None:
    """Far below the width of the blur, a ball looks like a Gaussian, whatever its size: 2.355 σ at half its height."""
    ct, lesion = volume(np.zeros((61, 61, 61)), (0.5, 0.5, 0.5)), Lesion("nodule", 1.5, 800.0)
    blurred = ndi.gaussian_filter(with_lesions(ct, lesion, np.array([(30, 30, 30)])).array, 2.6)  # 1.3 mm
    assert measured_diameter(blurred, (30, 30, 30), lesion, ct.spacing) == pytest.approx(2.355 * 1.3, rel=0.15)


def test_a_lesion_that_runs_into_a_wall_has_no_size(volume) -> None:
    lesion = Lesion("nodule", 4.0, 800.0)
    ct = uniform(volume, spacing=(1.0, 1.0, 1.0))
    ct.array[:, :, MIDDLE[2] + 1 :] = 0.0
    found = with_lesions(ct, lesion, np.array([MIDDLE]))
    assert measured_diameter(found.array, MIDDLE, lesion, ct.spacing) is None
