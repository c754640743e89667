"""Resampling of volumes to isotropic spacing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi


def isotropic(hu: np.ndarray, spacing: Sequence[float], millimetres: float) -> np.ndarray:
    """A volume at another spacing along all axes: linear, after a light blur along those that get coarser.

    Samples are taken from the first to the last voxel centre, as scipy's zoom does: the spacing is ``millimetres`` up
    to a voxel over the whole length.

    Args:
        hu: (z, y, x). spacing: mm, (z, y, x).
    """
    hu = ndi.gaussian_filter(hu, [0 if s >= millimetres else 0.3 * millimetres / s for s in spacing])
    return ndi.zoom(hu, np.asarray(spacing) / millimetres, order=1)
