"""Parallel-beam projection: every slice sees the same rays, so one sparse matrix a view acts on all slices at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.footprint import centres
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.slice_sums import choose_slice_sums

VOXELS = 1 << 26  # of slices that are laid out for the rays at once: 0.3 GB


@dataclass(frozen=True)
class ParallelRays:
    """The rays of a parallel-beam scan through the voxels of a grid."""

    grid: VolumeGrid
    geometry: ScanGeometry

    def forward(self, volume: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(z, y, x) -> (views, v, u), value*mm."""
        _, ny, nx = self.grid.shape
        to_rows = self._slices_to_rows(volume)
        sums = choose_slice_sums(self.grid, self.geometry, volume)
        views = volume.new_zeros((self.geometry.views, *self.geometry.detector_shape))
        groups = volume.split(max(1, VOXELS // (ny * nx)))
        parts, first = progress.in_parts(len(groups)), 0
        for group in groups:
            last = first + len(group)
            voxels = group.reshape(len(group), ny * nx).T.contiguous()  # one row of slices per in-plane voxel
            for some in self._views(sums.views_at_once):
                for view, columns in zip(some, sums.project(voxels, some), strict=True):
                    if to_rows is None:
                        views[view, first:last] = columns.T
                    else:
                        views[view] += to_rows[:, first:last] @ columns.T
                    parts.advance()
            first = last
        return views

    def transpose(self, projections: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(views, v, u) -> (z, y, x), the transpose of `forward`."""
        nz, ny, nx = self.grid.shape
        to_rows = self._slices_to_rows(projections)
        sums = choose_slice_sums(self.grid, self.geometry, projections)
        voxels = projections.new_zeros((ny * nx, nz))
        for some in self._views(sums.views_at_once):
            seen = projections[some.start : some.stop].transpose(1, 2)
            sums.backproject((seen if to_rows is None else seen @ to_rows).contiguous(), voxels, some)
            for _ in some:
                progress.advance()
        return voxels.T.reshape(nz, ny, nx)

    def _views(self, at_once: int) -> Iterator[range]:
        views = self.geometry.views
        return (range(first, min(first + at_once, views)) for first in range(0, views, at_once))

    def _slices_to_rows(self, like: torch.Tensor) -> torch.Tensor | None:
        """(nv, nz) weights that interpolate the slices at the detector's rows; None where rows are the slices."""
        nz, sz = self.grid.shape[0], self.grid.spacing[0]
        nv, dv = self.geometry.detector_shape[0], self.geometry.detector_spacing[0]
        if nv == nz and math.isclose(dv, sz, rel_tol=1e-9):
            return None
        rows, slices = centres(nv, dv / sz, like.device), centres(nz, 1.0, like.device)
        return (1 - (rows[:, None] - slices).abs()).clamp(min=0).to(like.dtype)
