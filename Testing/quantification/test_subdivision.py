"""Labels of a scan on finer grids, against the places of voxel centres."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.job.refinement import Refinement
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.quantification.subdivision import label_counts, planes


def test_whole_factors_repeat_every_voxel() -> None:
    labels = np.random.default_rng(0).integers(0, 6, (4, 5, 6)).astype(np.uint8)
    fine = labels.repeat(3, 0).repeat(1, 1).repeat(4, 2)
    assert np.array_equal(list(planes(labels, fine.shape)), fine)


@pytest.mark.parametrize(("coarse", "fine"), [(10, 64), (7, 16), (5, 5)])
def test_a_centre_has_the_label_of_the_voxel_that_it_lies_in(coarse: int, fine: int) -> None:
    found = [int(plane[0, 0]) for plane in planes(np.arange(coarse).reshape(-1, 1, 1), (fine, 1, 1))]
    assert found == [int((j + 0.5) / fine * coarse) for j in range(fine)]


def test_a_target_grid_says_where_its_centres_are() -> None:
    whole = TargetGrid.over((20, 1, 1), (5.0, 1.0, 1.0), Refinement((5 / 3.7, 1, 1), (3.7, 1.0, 1.0)))
    target = whole.part((slice(4, 15), slice(0, 1), slice(0, 1)))
    first = (20 * 5 - 27 * 3.7) / 2  # mm from the scan's first face; 27 voxels fit
    centres = [
        first + (j + 0.5) * 3.7 - 4 * 5 for j in range(27) if first + j * 3.7 >= 20 and first + (j + 1) * 3.7 <= 75
    ]
    found = [int(plane[0, 0]) for plane in planes(np.arange(11).reshape(-1, 1, 1), target.shape, target)]
    assert found == [int(centre // 5) for centre in centres]


def test_labels_are_counted():
    labels = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    assert label_counts(labels, 6).tolist() == [*np.bincount(labels.ravel()), 0, 0]
