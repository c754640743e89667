"""Cubic B-spline upsampling on the exact output grid: every axis is one small matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.separable import apply_along_axes
from CTSuperResolutionLib.job.events import Progress


@lru_cache(maxsize=16)
def spline_matrix(size: int, scale: int) -> np.ndarray:
    """Interpolating cubic B-spline from ``size`` samples to ``size * scale``, float64 (size * scale, size).

    Samples sit at voxel centres: fine sample i lies at (i + ½)/scale − ½ coarse voxels. The signal is mirrored about
    the outer faces of its end voxels (d c b a | a b c d | d c b a), so that nothing jumps in the outer half voxel.
    """
    at = (np.arange(size * scale) + 0.5) / scale - 0.5
    columns = [ndi.map_coordinates(unit, [at], order=3, mode="reflect") for unit in np.eye(size)]
    return np.stack(columns, axis=1)


def upsample(array: torch.Tensor, scale: Sequence[int], progress: Progress | None = None) -> torch.Tensor:
    """Upsample the last ``len(scale)`` axes of an array by whole factors, one per axis.

    ``progress`` advances by one for each axis whose factor is not 1.
    """
    sizes = array.shape[-len(scale) :]
    matrices = [None if s == 1 else spline_matrix(n, s) for n, s in zip(sizes, scale, strict=True)]
    return apply_along_axes(matrices, array, progress)


def upsample_bilinear(views: torch.Tensor, scale: Sequence[int]) -> torch.Tensor:
    """Views (n, v, u) upsampled linearly by whole factors (v, u), on the same grid as :func:`upsample`."""
    sizes = [n * s for n, s in zip(views.shape[1:], scale, strict=True)]
    return torch.nn.functional.interpolate(views[:, None], sizes, mode="bilinear", align_corners=False)[:, 0]


ViewUpsampling: TypeAlias = Callable[[torch.Tensor, Sequence[int]], torch.Tensor]

VIEW_UPSAMPLING: dict[str, ViewUpsampling] = {"cubic": upsample, "bilinear": upsample_bilinear}
