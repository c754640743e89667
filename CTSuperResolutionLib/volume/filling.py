"""Filling of voxels that no scanner measured, for a method that works on whole arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from CTSuperResolutionLib.volume.checks import TOP_HU

REACH = 3  # voxels; the weights of a scan's degradation beyond are small


def filled(array: np.ndarray, valid: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Values (z, y, x), HU, where those that were not measured are replaced by what hides no structure.

    Padding and masks take the value of the nearest voxel (by ``spacing``, mm, z y x) that was measured, so that there
    is no edge where the field of view ends. Metal beyond the scale is metal at its end.

    Args:
        array: HU. valid: bool, where a scanner measured. Where it did nowhere, nothing is replaced.
    """
    metal = ~valid & (array >= TOP_HU)
    known = valid | metal
    if not known.any():
        return array
    import scipy.ndimage as ndi  # here, for the panel loads this module with others, and starts faster without

    nearest = ndi.distance_transform_edt(~known, sampling=spacing, return_distances=False, return_indices=True)
    return np.where(metal, np.float32(TOP_HU), array[tuple(nearest)])


def far_from_filled(valid: np.ndarray) -> np.ndarray:
    """Where what was filled has next to no weight in what a degradation gives, bool (z, y, x)."""
    import scipy.ndimage as ndi

    return ~ndi.maximum_filter(~valid, 2 * REACH + 1)
