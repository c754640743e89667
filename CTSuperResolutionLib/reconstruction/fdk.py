"""Filtered backprojection: FDK of a cone beam (Feldkamp, Davis and Kress 1984), FBP of a parallel one."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.footprint import centres
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid

LONE = 3.0  # a gap between views this many times the usual one is the end of an arc and no part of it
SLICES = 32  # backprojected at once


def filtered_backprojection(
    projections: torch.Tensor, geometry: ScanGeometry, grid: VolumeGrid, progress: Progress | None = None
) -> torch.Tensor:
    """A volume from its views: weighted by the cosine, filtered by the Ram-Lak kernel, spread along the rays.

    f(x) = Σ_β w_β (D / U)² q_β(u, v), q = (cos · p) * h (Kak and Slaney 1988, eq. 3.61 and 3.175), where U is the way
    from the source to x along the central ray and D that to the axis; both weights are 1 for a parallel beam. Rays
    that a short arc sees twice are not weighted against each other (Parker).

    Args:
        projections: (views, v, u), value x mm. geometry: the rays. grid: the volume.
        progress: advanced by one a view.

    Returns:
        (z, y, x); negative where streaks are.
    """
    progress = progress or Progress()
    filtered = _filtered(_weighted(projections, geometry), geometry)
    volume = projections.new_zeros(grid.shape)
    for view, weight in enumerate(angular_weights(geometry)):
        _spread(volume, filtered[view], weight, geometry, geometry.angles[view], grid)
        progress.advance()
    return volume


def angular_weights(geometry: ScanGeometry) -> list[float]:
    """The arc that each view stands for, radians: half of either gap beside it; together half a turn, or less.

    A ray and its opposite are one, so that views over a full turn share half of one. The first and last view of an arc
    have a gap on one side only.
    """
    period = 2 * math.pi if geometry.is_cone else math.pi
    angles = np.mod(geometry.angles, period)
    order = np.argsort(angles, kind="stable")
    gaps = np.diff(angles[order], append=angles[order][0] + period)
    usual = float(np.median(gaps))
    gaps = np.where(gaps > LONE * usual, usual, gaps) if len(gaps) > 2 else gaps
    weights = np.empty(len(gaps))
    weights[order] = (gaps + np.roll(gaps, 1)) / 2
    return [float(w) for w in weights * min(1.0, math.pi / weights.sum())]


def _weighted(projections: torch.Tensor, geometry: ScanGeometry) -> torch.Tensor:
    if not geometry.is_cone:
        return projections
    _, to_detector = geometry.cone_distances
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    v, u = centres(nv, dv, projections.device)[:, None], centres(nu, du, projections.device)
    return projections * (to_detector / (to_detector**2 + u**2 + v**2).sqrt()).to(projections.dtype)


def _filtered(projections: torch.Tensor, geometry: ScanGeometry) -> torch.Tensor:
    """Rows convolved with the band-limited ramp at the axis: h(0) = 1/4τ², h(n odd) = −1/π²n²τ² (eq. 3.61)."""
    columns, pitch = projections.shape[-1], geometry.detector_spacing[1]
    if geometry.is_cone:
        to_axis, to_detector = geometry.cone_distances
        pitch *= to_axis / to_detector
    n = torch.arange(-columns, columns, dtype=torch.float64, device=projections.device).roll(columns)
    kernel = torch.where(n % 2 == 1, -1 / (math.pi * n * pitch) ** 2, 0.0)
    kernel[0] = 1 / (4 * pitch**2)
    ramp = torch.fft.rfft(kernel).real.to(projections.dtype) * pitch
    spectrum = torch.fft.rfft(projections, n=2 * columns) * ramp
    return torch.fft.irfft(spectrum, n=2 * columns)[..., :columns]


def _spread(
    volume: torch.Tensor, view: torch.Tensor, weight: float, geometry: ScanGeometry, angle: float, grid: VolumeGrid
) -> None:
    """Add what one filtered view says of every voxel, interpolated linearly on the detector."""
    cos, sin = math.cos(angle), math.sin(angle)
    z, y, x = (centres(n, s, volume.device) for n, s in grid.axes)
    across = x * cos + y[:, None] * sin
    zoom, share = torch.ones_like(across), torch.full_like(across, weight)
    if geometry.is_cone:
        to_axis, to_detector = geometry.cone_distances
        depth = to_axis + y[:, None] * cos - x * sin
        zoom, share = to_detector / depth, weight * (to_axis / depth) ** 2
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    # grid_sample counts from -1 at the outer edge of the first pixel to 1 at that of the last.
    u = (2 / (nu * du) * zoom * across).to(volume.dtype)
    rise = (2 / (nv * dv) * zoom).to(volume.dtype)
    for first in range(0, len(z), SLICES):
        v = z[first : first + SLICES, None, None].to(volume.dtype) * rise
        places = torch.stack([u.expand_as(v), v], -1).reshape(1, len(v), -1, 2)
        values = F.grid_sample(view[None, None], places, padding_mode="zeros", align_corners=False)
        volume[first : first + SLICES] += values.reshape(v.shape) * share.to(volume.dtype)
