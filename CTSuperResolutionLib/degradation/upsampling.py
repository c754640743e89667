"""Cubic B-spline upsampling on the exact output grid: every axis is one small matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.separable import apply_along_axes, apply_by_slices
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.target_grid import TargetAxis


@lru_cache(maxsize=16)
def spline_matrix(axis: TargetAxis) -> np.ndarray:
    """Interpolating cubic B-spline from the voxels of a scan to finer ones, float64 (fine, coarse).

    Samples sit at voxel centres: fine sample i lies at (i + ½)/factor − ½ coarse voxels from where the fine ones begin.
    The signal is mirrored about the outer faces of its end voxels (d c b a | a b c d | d c b a), so that nothing jumps
    in the outer half voxel.
    """
    at = (np.arange(axis.count) + 0.5) / axis.factor - 0.5 + float(axis.inset)
    columns = [ndi.map_coordinates(unit, [at], order=3, mode="reflect") for unit in np.eye(axis.size)]
    return np.stack(columns, axis=1)


def upsample_onto(array: torch.Tensor, axes: Sequence[TargetAxis], progress: Progress | None = None) -> torch.Tensor:
    """Upsample the last ``len(axes)`` axes of an array to finer voxels over theirs.

    ``progress`` advances by one for each axis whose factor is not 1.
    """
    matrices = [None if axis.factor == 1 else spline_matrix(axis) for axis in axes]
    return apply_along_axes(matrices, array, progress)


def upsampled_slices(array: torch.Tensor, axes: Sequence[TargetAxis]) -> Iterator[tuple[slice, torch.Tensor]]:
    """As :func:`upsample_onto` for all axes of an array, some slices of the result at a time: which, and they."""
    return apply_by_slices([None if axis.factor == 1 else spline_matrix(axis) for axis in axes], array)


def upsample(array: torch.Tensor, scale: Sequence[int]) -> torch.Tensor:
    """Upsample the last ``len(scale)`` axes of an array by whole factors, one per axis."""
    sizes = array.shape[-len(scale) :]
    return upsample_onto(array, [TargetAxis.over(n, 1.0, s, 1 / s) for n, s in zip(sizes, scale, strict=True)])


def upsample_bilinear(views: torch.Tensor, scale: Sequence[int]) -> torch.Tensor:
    """Views (n, v, u) upsampled linearly by whole factors (v, u), on the same grid as :func:`upsample`."""
    sizes = [n * s for n, s in zip(views.shape[1:], scale, strict=True)]
    return torch.nn.functional.interpolate(views[:, None], sizes, mode="bilinear", align_corners=False)[:, 0]


ViewUpsampling: TypeAlias = Callable[[torch.Tensor, Sequence[int]], torch.Tensor]

VIEW_UPSAMPLING: dict[str, ViewUpsampling] = {"cubic": upsample, "bilinear": upsample_bilinear}
