"""The project's own projector: line integrals through a volume, on any device, and their exact adjoint.

The volume is the function that interpolates its voxel centres linearly along every axis and falls to zero within a
voxel outside them. Projection is linear in the volume, so its gradient is the back-projection of the gradient:
nothing is kept between the passes, and memory stays that of one view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection import cone, parallel
from CTSuperResolutionLib.projection.geometry import ScanGeometry, check_inside_orbit, check_volume


def project(
    volume: torch.Tensor,
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    *,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Line integrals of the volume: (z, y, x) at `spacing` (z, y, x) mm -> (views, v, u), value*mm.

    float32 or float64 on any device; differentiable with respect to the volume, twice if need be. `progress`
    advances by one per view.

    Raises JobError where volume and spacing do not fit the geometry.
    """
    check(volume.shape, volume.dtype, spacing, geometry)
    return _Projection.apply(volume, spacing, geometry, Progress() if progress is None else progress)


def backproject(
    projections: torch.Tensor,
    volume_shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    *,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The transpose of `project`: (views, v, u) -> (z, y, x) of `volume_shape`; no filtering, no weights.

    Differentiable with respect to the projections. `progress` advances by one per view.

    Raises JobError where the shapes do not fit the geometry.
    """
    check(volume_shape, projections.dtype, spacing, geometry)
    expected = (geometry.views, *geometry.detector_shape)
    if tuple(projections.shape) != expected:
        raise JobError(f"The projections have shape {tuple(projections.shape)}; this geometry has {expected}.")
    return _Backprojection.apply(
        projections, volume_shape, spacing, geometry, Progress() if progress is None else progress
    )


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        volume: torch.Tensor,
        spacing: tuple[float, float, float],
        geometry: ScanGeometry,
        progress: Progress,
    ) -> torch.Tensor:
        ctx.task = (tuple(volume.shape), spacing, geometry)
        projector = cone if geometry.is_cone else parallel
        return projector.forward(volume, spacing, geometry, progress)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return _Backprojection.apply(gradients[0], *ctx.task, Progress()), None, None, None


class _Backprojection(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projections: torch.Tensor,
        volume_shape: tuple[int, int, int],
        spacing: tuple[float, float, float],
        geometry: ScanGeometry,
        progress: Progress,
    ) -> torch.Tensor:
        ctx.task = (spacing, geometry)
        projector = cone if geometry.is_cone else parallel
        return projector.transpose(projections, volume_shape, spacing, geometry, progress)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return _Projection.apply(gradients[0], *ctx.task, Progress()), None, None, None, None


def check(
    volume_shape: Sequence[int], dtype: torch.dtype, spacing: tuple[float, float, float], geometry: ScanGeometry
) -> None:
    """Raise JobError unless a volume of that shape, spacing and dtype can be projected with the geometry."""
    check_volume(volume_shape, spacing)
    if dtype not in (torch.float32, torch.float64):
        raise JobError(f"Projections are computed in float32 or float64, not {dtype}; convert the volume first.")
    if geometry.is_cone:
        check_inside_orbit(volume_shape, spacing, geometry.source_distance)
