"""Sampling kernels as matrices from a row of fine voxels to one of coarse ones; without torch, for Slicer's process."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

LANCZOS_LOBES = 5


def mean_matrix(size: int, scale: int) -> np.ndarray:
    """Means of blocks of ``scale`` samples, (size / scale, size)."""
    return np.kron(np.eye(size // scale), np.full((1, scale), 1 / scale))


def lanczos_matrix(size: int, scale: float, blur: float, centres: np.ndarray | None = None) -> np.ndarray:
    """Gaussian of σ ``blur`` samples, then a Lanczos-5 windowed sinc at the coarse centres, (coarse, size).

    Beyond its ends the signal repeats its edge value. Rows sum to one.

    Args:
        size: fine samples. scale: how many of them a coarse one has. blur: σ, in fine samples.
        centres: of the coarse samples, in fine ones; (j + ½) scale − ½ for all size / scale of them where None.
    """
    # SciPy divides by zero at a denormal σ; one this small blurs nothing.
    smooth = ndi.gaussian_filter1d(np.eye(size), blur, axis=0, mode="nearest") if blur > 1e-3 else np.eye(size)
    if centres is None:
        centres = (np.arange(size // scale) + 0.5) * scale - 0.5
    distance = (np.arange(size)[None] - centres[:, None]) / scale
    window = np.where(np.abs(distance) < LANCZOS_LOBES, np.sinc(distance / LANCZOS_LOBES), 0)
    weights = np.sinc(distance) * window
    return weights / weights.sum(1, keepdims=True) @ smooth
