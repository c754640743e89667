"""Projections of a volume: the line integrals that a simulated scanner would measure."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection import raycast, tigre_adapter
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.raycast import backproject

__all__ = ["backproject", "project"]


def project(
    volume: torch.Tensor,
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    *,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Line integrals of the volume: (z, y, x) at `spacing` (z, y, x) mm -> (views, v, u), value*mm.

    Differentiable with respect to the volume; `progress` advances by one per view. On a CUDA device with CERN's TIGRE
    installed TIGRE computes them, unless a gradient or double precision is asked for; otherwise the ray-caster does.

    Raises JobError where volume and spacing do not fit the geometry.
    """
    raycast.check(volume.shape, volume.dtype, spacing, geometry)
    plain = volume.dtype == torch.float32 and not (volume.requires_grad and torch.is_grad_enabled())
    if volume.is_cuda and plain and tigre_adapter.available() and tigre_adapter.serves(spacing, geometry):
        return tigre_adapter.project(volume, spacing, geometry, progress=progress)
    return raycast.project(volume, spacing, geometry, progress=progress)
