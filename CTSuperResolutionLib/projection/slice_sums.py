"""Sums over slices that lie side by side: what the detector sees of all of them in some views, and the transpose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.kernels.cpu_library import PRECISIONS, LibraryError, load_library
from CTSuperResolutionLib.projection.footprint import Lines, centres, columns_of_voxels, voxels_of_columns
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.native_slice_sums import NativeSliceSums

CROSSINGS = 1 << 16  # of rays with lines of voxels whose weights are made at once: some 40 MB


class SliceSums(Protocol):
    """A parallel beam through slices.

    Attributes:
        views_at_once: how many views to ask for at once: a compromise of speed and of how soon it can be cancelled.
    """

    views_at_once: ClassVar[int]

    def project(self, voxels: torch.Tensor, views: range) -> torch.Tensor:
        """(ny * nx, slices) -> (views, nu, slices), value*mm."""

    def backproject(self, columns: torch.Tensor, voxels: torch.Tensor, views: range) -> None:
        """(views, nu, slices), added to (ny * nx, slices) by the transpose of :meth:`project`."""


@dataclass(frozen=True)
class TorchSliceSums:
    """In plain torch, on any device: taps and weights of a view, summed by embedding_bag, which has no atomics."""

    views_at_once: ClassVar[int] = 1

    grid: VolumeGrid
    geometry: ScanGeometry

    def project(self, voxels: torch.Tensor, views: range) -> torch.Tensor:
        """As :class:`SliceSums` says."""
        some = max(1, CROSSINGS // max(self.grid.shape[1:]))
        found = []
        for view in views:
            lines = self._lines(view, voxels.device)
            for first in range(0, len(lines.offset), some):
                taps, weights = voxels_of_columns(lines.part(slice(first, first + some)), self.grid)
                weights = weights.flatten(1).to(voxels.dtype)
                found.append(F.embedding_bag(taps.flatten(1), voxels, per_sample_weights=weights, mode="sum"))
        return torch.cat(found).unflatten(0, (len(views), -1))

    def backproject(self, columns: torch.Tensor, voxels: torch.Tensor, views: range) -> None:
        """As :class:`SliceSums` says."""
        (_, ny, nx), (_, sy, sx) = self.grid.shape, self.grid.spacing
        nu, du, device = self.geometry.detector_shape[1], self.geometry.detector_spacing[1], voxels.device
        for view, seen in zip(views, columns, strict=True):
            cos, sin = math.cos(self.geometry.angles[view]), math.sin(self.geometry.angles[view])
            u = centres(ny, sy * sin, device)[:, None] + centres(nx, sx * cos, device)
            column = u.flatten() / du + (nu - 1) / 2
            reach = (sy * abs(sin) + sx * abs(cos)) / du
            lines = self._lines(view, device)
            for some in torch.arange(ny * nx, device=device).split(CROSSINGS):
                part = slice(int(some[0]), int(some[-1]) + 1)
                taps, weights = columns_of_voxels(lines, column[part], reach, some, self.grid)
                weights = weights.to(columns.dtype)
                voxels[part] += F.embedding_bag(taps, seen, per_sample_weights=weights, mode="sum")

    def _lines(self, view: int, device: torch.device) -> Lines:
        angle = self.geometry.angles[view]
        offset = centres(self.geometry.detector_shape[1], self.geometry.detector_spacing[1], device)
        return Lines(torch.full_like(offset, math.cos(angle)), torch.full_like(offset, math.sin(angle)), offset)


def choose_slice_sums(grid: VolumeGrid, geometry: ScanGeometry, like: torch.Tensor) -> SliceSums:
    """The CPU library's for a tensor on the CPU where there is a library, and torch's for all else."""
    if like.device.type == "cpu" and like.dtype in PRECISIONS:
        try:
            return NativeSliceSums(load_library(), grid, geometry)
        except LibraryError:
            pass  # the choice of the Gaussians' backend says why
    return TorchSliceSums(grid, geometry)
