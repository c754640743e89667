"""Shifts by tissue on volumes whose tissues and errors were put there."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.quantification.interior import interior
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES, tissue_labels, tissue_shift, worst_shift

TYPICAL = {"air": -1000.0, "lung": -850.0, "fat": -100.0, "soft_tissue": 50.0, "bone": 700.0}
SHIFTS = {"air": 0.5, "lung": -3.0, "fat": 2.0, "soft_tissue": 3.4, "bone": -20.0}


def blocks(width: int = 8) -> np.ndarray:
    """Tissues side by side along x."""
    return np.broadcast_to(np.repeat(list(TYPICAL.values()), width), (10, 12, 5 * width)).copy()


def test_an_interior_is_what_filters_find() -> None:
    """Least and largest label of 3 x 3 x 3 voxels, the volume's ends repeated."""
    labels = ndi.zoom(np.random.default_rng(0).integers(0, 3, (4, 5, 6)), 4, order=0).astype(np.uint8)
    least, most = ndi.minimum_filter(labels, 3, mode="nearest"), ndi.maximum_filter(labels, 3, mode="nearest")
    expected = np.where(least == most, labels, 0)
    assert np.array_equal(interior(labels), expected) and 0 < np.count_nonzero(expected) < np.count_nonzero(labels)
    inside = labels > 0
    assert np.array_equal(interior(inside), ndi.minimum_filter(inside, 3, mode="nearest"))


def test_known_shifts_are_found_and_borders_do_not_count(volume) -> None:
    hu = blocks()
    error = np.repeat(list(SHIFTS.values()), 8) + np.zeros(hu.shape)
    error[..., 7:-1:8], error[..., 8::8] = 500.0, -400.0  # as edges that a result has sharper or softer
    found = tissue_shift(error, tissue_labels(volume(hu)))
    assert found == pytest.approx(SHIFTS)
    assert worst_shift(found) == pytest.approx(20)


def test_shifts_on_a_finer_grid_are_those_of_the_scan_s_tissues(volume) -> None:
    error = np.repeat(list(SHIFTS.values()), 8) + np.zeros((10, 12, 40))
    fine = error.repeat(2, 0).repeat(3, 1).repeat(4, 2) + np.random.default_rng(0).normal(0, 10, (20, 36, 160))
    found = tissue_shift(fine, tissue_labels(volume(blocks())))
    assert found == pytest.approx(SHIFTS, abs=0.5)


def test_noise_in_the_scan_makes_no_shift(volume) -> None:
    """A result without a scan's noise of 20 HU is not shifted, though it is the noisy scan that is classified."""
    hu = blocks(24)
    noisy = hu + np.random.default_rng(0).normal(0, 20, hu.shape)
    found = tissue_shift(hu - noisy, tissue_labels(volume(noisy)))
    assert all(abs(found[tissue]) < 1.5 for tissue in ("lung", "fat", "soft_tissue", "bone"))


def test_what_no_scanner_measured_is_no_tissue(volume) -> None:
    valid = np.ones((10, 12, 40), dtype=bool)
    valid[:, :, 24:32] = False  # masked as soft tissue
    found = tissue_shift(np.ones(valid.shape), tissue_labels(volume(blocks(), valid=valid)))
    assert found == dict.fromkeys(TISSUE_RANGES, 1.0) | {"soft_tissue": None}
    labels = tissue_labels(volume(blocks(), valid=np.zeros(valid.shape, dtype=bool)))
    assert set(tissue_shift(np.ones(valid.shape), labels).values()) == {None}
    assert worst_shift(tissue_shift(np.ones(valid.shape), labels)) is None


def test_metal_is_no_bone_and_a_mixture_nothing(volume) -> None:
    for hu in (3071.0, 9000.0, -300.0, 220.0):
        found = tissue_shift(np.ones((8, 8, 8)), tissue_labels(volume(np.full((8, 8, 8), hu))))
        assert set(found.values()) == {None}


def test_a_scan_of_one_tissue_has_no_other(volume) -> None:
    found = tissue_shift(np.full((8, 8, 8), 2.0), tissue_labels(volume(np.full((8, 8, 8), 40.0))))
    assert found == dict.fromkeys(TISSUE_RANGES) | {"soft_tissue": 2.0}


def test_every_tissue_of_the_phantom_is_there() -> None:
    chest = thorax(shape=(48, 128, 160), spacing=1.25, noise_hu=0)
    labels = tissue_labels(chest)
    means = [chest.array[labels == label].mean() for label in range(1, 6)]
    expected = dict(air=-1000, lung=-850, fat=-100, soft_tissue=45, bone=530)
    assert dict(zip(TISSUE_RANGES, means, strict=True)) == pytest.approx(expected, abs=25)
    found = tissue_shift(np.full(chest.shape, -1.5), labels)
    assert found == pytest.approx(dict.fromkeys(TISSUE_RANGES, -1.5))
