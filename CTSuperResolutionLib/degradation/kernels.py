"""Sampling kernels as matrices from a row of fine voxels to one of coarse ones; without torch, for Slicer's process."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

LANCZOS_LOBES = 5


def mean_matrix(size: int, scale: int) -> np.ndarray:
    """Means of blocks of ``scale`` samples, (size / scale, size)."""
    return np.kron(np.eye(size // scale), np.full((1, scale), 1 / scale))


def lanczos_matrix(size: int, scale: int, blur: float) -> np.ndarray:
    """Gaussian of σ ``blur`` samples, then a Lanczos-5 windowed sinc at the coarse centres, (size / scale, size).

    Beyond its ends the signal repeats its edge value; coarse sample j lies at (j + ½) scale − ½ fine samples. Rows
    sum to one.
    """
    # SciPy divides by zero at a denormal σ; one this small blurs nothing.
    smooth = ndi.gaussian_filter1d(np.eye(size), blur, axis=0, mode="nearest") if blur > 1e-3 else np.eye(size)
    centres = (np.arange(size // scale) + 0.5) * scale - 0.5
    distance = (np.arange(size)[None] - centres[:, None]) / scale
    window = np.where(np.abs(distance) < LANCZOS_LOBES, np.sinc(distance / LANCZOS_LOBES), 0)
    weights = np.sinc(distance) * window
    return weights / weights.sum(1, keepdims=True) @ smooth
