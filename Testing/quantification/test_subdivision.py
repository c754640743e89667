"""Labels of a scan on finer grids, against the places of voxel centres."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.quantification.subdivision import planes


def test_whole_factors_repeat_every_voxel() -> None:
    labels = np.random.default_rng(0).integers(0, 6, (4, 5, 6)).astype(np.uint8)
    fine = labels.repeat(3, 0).repeat(1, 1).repeat(4, 2)
    assert np.array_equal(list(planes(labels, fine.shape)), fine)


@pytest.mark.parametrize(("coarse", "fine"), [(10, 64), (7, 16), (5, 5)])
def test_a_centre_has_the_label_of_the_voxel_that_it_lies_in(coarse: int, fine: int) -> None:
    found = [int(plane[0, 0]) for plane in planes(np.arange(coarse).reshape(-1, 1, 1), (fine, 1, 1))]
    assert found == [int((j + 0.5) / fine * coarse) for j in range(fine)]
