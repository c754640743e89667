"""Rays of a scan as lines in space, cut to the box of the volume."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid


def ray_segments(
    geometry: ScanGeometry, grid: VolumeGrid, view: torch.Tensor, row: torch.Tensor, column: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where the rays of pixels pass the volume's box, faces included.

    Args:
        geometry: the scan. grid: the volume. view, row, column: (n,) indices of pixels.

    Returns:
        Place of entry (n, 3) as (x, y, z) mm, direction of length 1 (n, 3), and length inside, mm, (n,); 0 where a ray
        misses.
    """
    angle = torch.tensor(geometry.angles, dtype=torch.float32, device=view.device)[view]
    cos, sin = angle.cos(), angle.sin()
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    u, v = (column - (nu - 1) / 2) * du, (row - (nv - 1) / 2) * dv
    zero = torch.zeros_like(u)
    if geometry.is_cone:
        to_axis, to_detector = geometry.cone_distances
        start = torch.stack([sin * to_axis, -cos * to_axis, zero], -1)
        along = torch.stack([u * cos - to_detector * sin, u * sin + to_detector * cos, v], -1)
        along = torch.nn.functional.normalize(along, dim=-1)
    else:
        start, along = torch.stack([u * cos, u * sin, v], -1), torch.stack([-sin, cos, zero], -1)
    half = torch.tensor([n * s / 2 for n, s in reversed(grid.axes)], dtype=torch.float32, device=view.device)
    # An axis that a ray runs across is crossed at infinity, on either side as it should be.
    slope = torch.where(along.abs() < 1e-9, 1e-9, along)
    crossings = torch.stack([(-half - start) / slope, (half - start) / slope])
    entry = crossings.amin(0).amax(-1)
    length = (crossings.amax(0).amin(-1) - entry).clamp(min=0)
    return start + entry[:, None] * along, along, length
