"""Tissue errors: bias and noise of a result in soft tissue, lung and bone."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.volume.volume import Volume

# What counts as which, by the HU of the reference, bounds included.
TISSUES = {"soft tissue": (-150.0, 200.0), "lung": (-1000.0, -500.0), "bone": (300.0, float("inf"))}
FEWEST_VOXELS = 1000


def tissue_error(volume: Volume, truth: Volume, tissue: str) -> tuple[float, float] | None:
    """Mean (bias) and standard deviation (noise) of the error in HU in a tissue; None where there is next to none."""
    low, high = TISSUES[tissue]
    inside = (truth.array >= low) & (truth.array <= high)
    if np.count_nonzero(inside) < FEWEST_VOXELS:
        return None
    error = (volume.array[inside] - truth.array[inside]).astype(np.float64)
    return float(error.mean()), float(error.std())
