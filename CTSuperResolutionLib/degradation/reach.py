"""Reach of data consistency: how far along an axis a change of one voxel is felt."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.degradation.operator import AxisDegradation

FELT = 1e-3  # of the largest change: 1 HU beside a step from air to bone
BOUNDS = 1.6
"""Voxels of the scan farther for each time that the weakest direction of a scan is amplified: the bounds of matter cut
off its ringing, and the rounds of consistency carry on what they cut off. Found with ten kernels at 2× and 4×."""


def reach_of_cut(axis: AxisDegradation) -> float:
    """How far from where a scan is cut its consistent volume differs from the whole one's by 1 HU, in its voxels."""
    _, measured, _ = axis.svd
    return consistency_reach(axis) + BOUNDS * float(measured[0] / measured[-1])


def consistency_reach(axis: AxisDegradation) -> float:
    """How far A⁺A carries the change of a voxel in the middle of an axis, in voxels of the scan.

    A point-sampled scan (Lanczos) says what lies a dozen voxels away, one of thick slices next to nothing beyond a few.

    >>> from CTSuperResolutionLib.degradation.operator import make_degradation
    >>> sharp, thick = (make_degradation((256,), (4,), kernel=kernel).axes[0] for kernel in ("lanczos", "mean"))
    >>> consistency_reach(sharp), consistency_reach(thick)
    (15.75, 4.75)
    """
    coarse, fine = axis.matrix.shape
    middle = fine // 2
    change = np.abs(axis.smooth_inverse @ axis.matrix[:, middle])
    felt = np.flatnonzero(change > FELT * change.max())
    return float(max(middle - felt[0], felt[-1] - middle) * coarse / fine)
