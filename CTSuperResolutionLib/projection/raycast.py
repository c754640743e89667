"""The project's own ray-caster: line integrals through a volume, on any device, and their exact adjoint.

The volume is the function that interpolates its voxel centres linearly along every axis and falls to zero within a
voxel outside them. Projection is linear in the volume, so its gradient is the back-projection of the gradient:
nothing is kept between the passes, and memory stays that of one view.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch

from CTSuperResolutionLib.job.events import Progress


class Rays(Protocol):
    """The rays of a scan through a grid, and the sums along them."""

    def forward(self, volume: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(z, y, x) -> (views, v, u), value*mm; advances by one per view."""

    def transpose(self, projections: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(views, v, u) -> (z, y, x), the transpose of `forward`; advances by one per view."""


def project(volume: torch.Tensor, rays: Rays, progress: Progress) -> torch.Tensor:
    """Line integrals (z, y, x) -> (views, v, u), value*mm; differentiable with respect to the volume, twice if need be.

    float32 or float64. `progress` advances by one per view.
    """
    return _Projection.apply(volume, rays, progress)


def backproject(projections: torch.Tensor, rays: Rays, progress: Progress) -> torch.Tensor:
    """The transpose of `project`: (views, v, u) -> (z, y, x); differentiable with respect to the projections."""
    return _Backprojection.apply(projections, rays, progress)


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, volume: torch.Tensor, rays: Rays, progress: Progress) -> torch.Tensor:
        ctx.rays = rays
        return rays.forward(volume, progress)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return backproject(gradients[0], ctx.rays, Progress()), None, None


class _Backprojection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projections: torch.Tensor, rays: Rays, progress: Progress) -> torch.Tensor:
        ctx.rays = rays
        return rays.transpose(projections, progress)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return project(gradients[0], ctx.rays, Progress()), None, None
