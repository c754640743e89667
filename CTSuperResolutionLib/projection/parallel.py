"""Parallel-beam projection: every slice sees the same rays, so one sparse matrix a view acts on all slices at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.footprint import Lines, centres, columns_of_voxels, voxels_of_columns
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid

VOXELS = 1 << 26  # of slices that are laid out for the rays at once: 0.3 GB
CROSSINGS = 1 << 16  # of rays with lines of voxels whose weights are made at once: some 40 MB


@dataclass(frozen=True)
class ParallelRays:
    """The rays of a parallel-beam scan through the voxels of a grid."""

    grid: VolumeGrid
    geometry: ScanGeometry

    def forward(self, volume: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(z, y, x) -> (views, v, u), value*mm."""
        _, ny, nx = self.grid.shape
        to_rows = self._slices_to_rows(volume)
        views = volume.new_zeros((self.geometry.views, *self.geometry.detector_shape))
        groups = volume.split(max(1, VOXELS // (ny * nx)))
        parts, first = progress.in_parts(len(groups)), 0
        for group in groups:
            last = first + len(group)
            for view, columns in enumerate(self._columns(group, parts)):
                if to_rows is None:
                    views[view, first:last] = columns.T
                else:
                    views[view] += to_rows[:, first:last] @ columns.T
            first = last
        return views

    def _columns(self, slices: torch.Tensor, progress: Progress) -> Iterator[torch.Tensor]:
        """What the columns of every view see of some slices, (nu, slices); advances by one per view."""
        count, ny, nx = slices.shape
        voxels = slices.reshape(count, ny * nx).T.contiguous()  # one row of slices per in-plane voxel
        some = max(1, CROSSINGS // max(ny, nx))
        for angle in self.geometry.angles:
            lines = self._lines(angle, slices.device)
            found = []
            for first in range(0, len(lines.offset), some):
                taps, weights = voxels_of_columns(lines.part(slice(first, first + some)), self.grid)
                weights = weights.flatten(1).to(slices.dtype)
                found.append(F.embedding_bag(taps.flatten(1), voxels, per_sample_weights=weights, mode="sum"))
            progress.advance()
            yield torch.cat(found)

    def transpose(self, projections: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(views, v, u) -> (z, y, x), the transpose of `forward`."""
        (nz, ny, nx), (_, sy, sx) = self.grid.shape, self.grid.spacing
        nu, du, device = self.geometry.detector_shape[1], self.geometry.detector_spacing[1], projections.device
        to_rows = self._slices_to_rows(projections)
        voxels = projections.new_zeros((ny * nx, nz))
        every_voxel = torch.arange(ny * nx, device=device)
        blocks = every_voxel.split(CROSSINGS)
        for view, angle in enumerate(self.geometry.angles):
            cos, sin = math.cos(angle), math.sin(angle)
            u = centres(ny, sy * sin, device)[:, None] + centres(nx, sx * cos, device)
            column = u.flatten() / du + (nu - 1) / 2
            reach = (sy * abs(sin) + sx * abs(cos)) / du
            lines = self._lines(angle, device)
            columns = (projections[view].T if to_rows is None else projections[view].T @ to_rows).contiguous()
            for some in blocks:
                part = slice(int(some[0]), int(some[-1]) + 1)
                taps, weights = columns_of_voxels(lines, column[part], reach, some, self.grid)
                weights = weights.to(projections.dtype)
                voxels[part] += F.embedding_bag(taps, columns, per_sample_weights=weights, mode="sum")  # (…, nz)
            progress.advance()
        return voxels.T.reshape(nz, ny, nx)

    def _lines(self, angle: float, device: torch.device) -> Lines:
        offset = centres(self.geometry.detector_shape[1], self.geometry.detector_spacing[1], device)
        return Lines(torch.full_like(offset, math.cos(angle)), torch.full_like(offset, math.sin(angle)), offset)

    def _slices_to_rows(self, like: torch.Tensor) -> torch.Tensor | None:
        """(nv, nz) weights that interpolate the slices at the detector's rows; None where rows are the slices."""
        nz, sz = self.grid.shape[0], self.grid.spacing[0]
        nv, dv = self.geometry.detector_shape[0], self.geometry.detector_spacing[0]
        if nv == nz and math.isclose(dv, sz, rel_tol=1e-9):
            return None
        rows, slices = centres(nv, dv / sz, like.device), centres(nz, 1.0, like.device)
        return (1 - (rows[:, None] - slices).abs()).clamp(min=0).to(like.dtype)
