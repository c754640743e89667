"""Tissue errors: bias and noise of a result in soft tissue, lung and bone."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES
from CTSuperResolutionLib.volume.volume import Volume

TISSUES = ("soft_tissue", "lung", "bone")
FEWEST_VOXELS = 1000


def tissue_error(volume: Volume, truth: Volume, tissue: str) -> tuple[float, float] | None:
    """Mean (bias) and standard deviation (noise) of the error in HU in a tissue; None where there is next to none.

    Every voxel of the truth in the tissue's range counts, borders included.
    """
    low, high = TISSUE_RANGES[tissue]
    inside = (truth.array >= low) & (truth.array < high)
    if np.count_nonzero(inside) < FEWEST_VOXELS:
        return None
    error = (volume.array[inside] - truth.array[inside]).astype(np.float64)
    return float(error.mean()), float(error.std())
