"""Parallel-beam projection: every slice sees the same rays, so one sparse matrix a view acts on all slices at once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.footprint import Lines, centres, columns_of_voxels, voxels_of_columns
from CTSuperResolutionLib.projection.geometry import ScanGeometry


def forward(
    volume: torch.Tensor, spacing: tuple[float, float, float], geometry: ScanGeometry, progress: Progress
) -> torch.Tensor:
    """(z, y, x) -> (views, v, u), value*mm."""
    nz, ny, nx = volume.shape
    voxels = volume.reshape(nz, ny * nx).T.contiguous()  # one row of slices per in-plane voxel
    to_rows = _slices_to_rows(nz, spacing[0], geometry, volume)
    views = volume.new_empty((geometry.views, *geometry.detector_shape))
    for view, angle in enumerate(geometry.angles):
        taps, weights = voxels_of_columns(_lines(angle, geometry, volume.device), (ny, nx), spacing)
        weights = weights.flatten(1).to(volume.dtype)
        columns = F.embedding_bag(taps.flatten(1), voxels, per_sample_weights=weights, mode="sum")  # (nu, nz)
        views[view] = columns.T if to_rows is None else to_rows @ columns.T
        progress.advance()
    return views


def transpose(
    projections: torch.Tensor,
    volume_shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    progress: Progress,
) -> torch.Tensor:
    """(views, v, u) -> (z, y, x), the transpose of `forward`."""
    nz, ny, nx = volume_shape
    du, device = geometry.detector_spacing[1], projections.device
    to_rows = _slices_to_rows(nz, spacing[0], geometry, projections)
    voxels = projections.new_zeros((ny * nx, nz))
    every_voxel = torch.arange(ny * nx, device=device)
    for view, angle in enumerate(geometry.angles):
        cos, sin = math.cos(angle), math.sin(angle)
        u = centres(ny, spacing[1] * sin, device)[:, None] + centres(nx, spacing[2] * cos, device)
        column = u.flatten() / du + (geometry.detector_shape[1] - 1) / 2
        reach = (spacing[1] * abs(sin) + spacing[2] * abs(cos)) / du
        lines = _lines(angle, geometry, device)
        taps, weights = columns_of_voxels(lines, column, reach, every_voxel, (ny, nx), spacing)
        columns = projections[view].T if to_rows is None else projections[view].T @ to_rows  # (nu, nz)
        weights = weights.to(projections.dtype)
        voxels += F.embedding_bag(taps, columns.contiguous(), per_sample_weights=weights, mode="sum")
        progress.advance()
    return voxels.T.reshape(nz, ny, nx)


def _lines(angle: float, geometry: ScanGeometry, device: torch.device) -> Lines:
    offset = centres(geometry.detector_shape[1], geometry.detector_spacing[1], device)
    return Lines(torch.full_like(offset, math.cos(angle)), torch.full_like(offset, math.sin(angle)), offset)


def _slices_to_rows(nz: int, spacing: float, geometry: ScanGeometry, like: torch.Tensor) -> torch.Tensor | None:
    """(nv, nz) weights that interpolate the slices at the detector's rows; None where rows are the slices."""
    nv, dv = geometry.detector_shape[0], geometry.detector_spacing[0]
    if nv == nz and math.isclose(dv, spacing, rel_tol=1e-9):
        return None
    rows, slices = centres(nv, dv / spacing, like.device), centres(nz, 1.0, like.device)
    return (1 - (rows[:, None] - slices).abs()).clamp(min=0).to(like.dtype)
