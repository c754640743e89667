"""Voxelization of the fitted field, slab by slab."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.gaussians.backends.choice import Kernels
from CTSuperResolutionLib.gaussians.field import GaussianField
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.job.events import Progress

SLAB = 16  # slices at once: beside the volume itself, only this many need memory


@torch.no_grad()
def voxelize_residual(field: GaussianField, grid: VoxelGrid, *, kernels: Kernels, progress: Progress) -> torch.Tensor:
    """The field's values at the voxel centres of a grid, (z, y, x). Advances by the number of slices."""
    gaussians = field.gaussians()
    volume = gaussians[0].new_empty(grid.shape)
    for first in range(0, grid.shape[0], SLAB):
        slices = min(SLAB, grid.shape[0] - first)
        volume[first : first + slices] = kernels.voxelize(
            *gaussians, grid.crop((first, 0, 0), (slices, *grid.shape[1:]))
        )
        progress.advance(slices)
    kernels.check()
    return volume
