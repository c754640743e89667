"""Biplanar views: what two orthogonal projections show near each slice, as a slice fixer is told."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.diffusion.slice_fixer.network import VIEW_COLUMNS, VIEW_ROWS
from CTSuperResolutionLib.projection.footprint import centres
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid


def biplanar_views(projections: torch.Tensor, geometry: ScanGeometry, grid: VolumeGrid) -> torch.Tensor:
    """Parts of two projections around the height of each slice, (z, 2, rows, columns), about 1 in a body.

    The views nearest to 0° and 90° are taken, opposite ones count as the same. A part has a row for every slice
    around, and columns over the width of the volume, both as the rotation axis is magnified.

    Args:
        projections: (views, v, u), mm of water. geometry: their rays. grid: the volume.
    """
    chosen = [_nearest(geometry, degrees) for degrees in (0.0, 90.0)]
    zoom = geometry.cone_distances[1] / geometry.cone_distances[0] if geometry.is_cone else 1.0
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    nz, sz = grid.axes[0]
    width = max(n * s for n, s in grid.axes[1:])
    z = centres(nz, sz, projections.device)
    rows = z[:, None] + centres(VIEW_ROWS, sz, projections.device)
    columns = centres(VIEW_COLUMNS, width / VIEW_COLUMNS, projections.device)
    v = (rows * zoom * 2 / (nv * dv))[..., None].expand(nz, VIEW_ROWS, VIEW_COLUMNS)
    u = (columns * zoom * 2 / (nu * du)).expand(nz, VIEW_ROWS, VIEW_COLUMNS)
    places = torch.stack([u, v], -1).to(projections.dtype)
    images = (projections[chosen] / (width / 2)).expand(nz, 2, nv, nu)
    return F.grid_sample(images, places, padding_mode="border", align_corners=False)


def _nearest(geometry: ScanGeometry, degrees: float) -> int:
    def off(angle: float) -> float:
        away = math.fmod(abs(angle - math.radians(degrees)), math.pi)
        return min(away, math.pi - away)

    return min(range(geometry.views), key=lambda view: off(geometry.angles[view]))
