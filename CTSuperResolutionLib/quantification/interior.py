"""Interior of regions: the voxels that have nothing but their own region around them."""

from __future__ import annotations

import numpy as np


def interior(labels: np.ndarray) -> np.ndarray:
    """Labels (z, y, x) where all 3 × 3 × 3 voxels around have the same one, else 0; beyond the volume anything will do.

    Of bool, an erosion. Made axis by axis, which is many times as fast as a filter and comes to the same.
    """
    inside = labels.copy()
    for axis in range(labels.ndim):
        along = np.moveaxis(inside, axis, 0)
        same = along[1:] == along[:-1]
        along[1:] *= same
        along[:-1] *= same
    return inside
