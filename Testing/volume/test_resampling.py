"""A volume at another spacing, against what a straight slope and a fine chequerboard must give."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.volume.resampling import isotropic


@pytest.mark.parametrize(("spacing", "millimetres"), [((2.0, 1.0, 1.0), 1.0), ((1.0, 1.0, 1.0), 1.0)])
def test_a_slope_stays_a_slope_from_the_first_voxel_centre_to_the_last(spacing, millimetres):
    slope = np.broadcast_to(np.linspace(-1000, 1000, 20, dtype=np.float32)[:, None, None], (20, 8, 9))
    fine = isotropic(slope, spacing, millimetres)
    assert fine.shape == (round(20 * spacing[0]), 8, 9)
    expected = np.linspace(-1000, 1000, len(fine))
    np.testing.assert_allclose(fine, np.broadcast_to(expected[:, None, None], fine.shape), atol=0.01)


def test_an_axis_that_gets_coarser_is_blurred_first_and_only_that_axis():
    chequered = np.indices((40, 40, 40)).sum(0) % 2 * 1000.0
    assert np.ptp(isotropic(chequered, (1, 1, 1), 1)) == 1000
    coarse = isotropic(chequered, (1, 1, 1), 2)
    assert coarse.shape == (20, 20, 20)
    taps = np.exp(-(np.arange(-2, 3) ** 2) / (2 * 0.6**2))  # 0.3 of the new voxel, in old ones
    left = (taps @ [1, -1, 1, -1, 1] / taps.sum()) ** 3  # of a wave of two voxels along each axis
    # Samples fall between the voxels, where linear interpolation takes some more.
    assert np.ptp(coarse[2:-2, 2:-2, 2:-2]) <= 1000 * left + 1e-3
