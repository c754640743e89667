"""Reach of data consistency: as far as a changed voxel changes the nearest consistent volume."""

from __future__ import annotations

import pytest
import torch

from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.operator import AxisDegradation, Degradation, make_degradation
from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.degradation.reach import consistency_reach, reach_of_cut

COARSE = 64


def psf_axis(family: str, width: float, factor: int) -> AxisDegradation:
    matrix = psf_matrix(PointSpread(family, width * factor), (COARSE, float(factor)), (COARSE * factor, 1.0))
    return AxisDegradation(matrix)


AXES = {
    "lanczos": (make_degradation((4 * COARSE,), (4,)).axes[0], 4),
    "mean": (make_degradation((2 * COARSE,), (2,), kernel="mean").axes[0], 2),
    "triangle": (psf_axis("triangle", 1.0, 4), 4),
    "gaussian": (psf_axis("gaussian", 0.7, 3), 3),
}


@pytest.mark.parametrize("name", AXES)
def test_a_volume_changes_as_far_as_that(name: str) -> None:
    """By a step of 1,000 HU in a voxel, what the consistent volume is beyond the reach moves by no more than 1 HU."""
    axis, factor = AXES[name]
    assert axis is not None
    reach = consistency_reach(axis)
    degradation = Degradation((axis,))
    consistency = DataConsistency(degradation, torch.zeros(COARSE), torch.zeros(COARSE), rounds=1)
    changed = torch.zeros(COARSE * factor)
    middle = COARSE * factor // 2
    changed[middle] = 1000.0
    found = (consistency.enforce(changed) - changed).abs()  # of zeros it stays zero
    away = (torch.arange(COARSE * factor) - middle).abs() / factor
    assert found[away > reach].max() <= 1.001e-3 * found.max()
    assert found[away >= reach - 1 / factor].max() > 1e-3 * found.max()


def test_wider_profiles_reach_farther() -> None:
    reaches = [consistency_reach(psf_axis("gaussian", width, 4)) for width in (0.7, 1.0, 1.3)]
    assert reaches == sorted(reaches) and reaches[0] < reaches[-1]


def test_what_is_sharpened_more_differs_farther_from_a_cut() -> None:
    """A profile of 1.3 voxels is felt as far as one of 1, and its bounds carry on more of what they cut off."""
    narrow, wide = psf_axis("gaussian", 1.0, 2), psf_axis("triangle", 1.3, 2)
    assert consistency_reach(narrow) == consistency_reach(wide)
    assert consistency_reach(narrow) + 2 < reach_of_cut(narrow) < reach_of_cut(wide) - 2
