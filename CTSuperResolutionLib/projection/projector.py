"""The projection operator of a simulated scan, its adjoint, and reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection import raycast, tigre_adapter
from CTSuperResolutionLib.projection.cone import ConeRays
from CTSuperResolutionLib.projection.filtered_least_squares import filtered_least_squares
from CTSuperResolutionLib.projection.geometry import ScanGeometry, check_inside_orbit
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.parallel import ParallelRays


@dataclass(frozen=True)
class Projector:
    """Projections of volumes on one grid along the rays of one scan: line integrals in value*mm.

    Attributes:
        grid: the voxels, (z, y, x).
        geometry: the rays; projections are (views, v, u).

    Raises:
        JobError: the volume reaches too near the source's orbit.

    >>> from CTSuperResolutionLib.projection.geometry import parallel_beam
    >>> grid = VolumeGrid((2, 4, 4), (1.0, 0.5, 0.5))
    >>> projector = Projector(grid, parallel_beam(views=3, volume_shape=grid.shape, spacing=grid.spacing))
    >>> projector.forward(torch.ones(grid.shape)).shape
    torch.Size([3, 2, 8])
    """

    grid: VolumeGrid
    geometry: ScanGeometry

    def __post_init__(self) -> None:
        if self.geometry.is_cone:
            check_inside_orbit(self.grid, self.geometry.cone_distances[0])

    @property
    def projections_shape(self) -> tuple[int, int, int]:
        """(views, v, u)."""
        return (self.geometry.views, *self.geometry.detector_shape)

    def forward(self, volume: torch.Tensor, *, progress: Progress | None = None) -> torch.Tensor:
        """A x: line integrals of the volume, (z, y, x) -> (views, v, u), value*mm.

        Differentiable with respect to the volume, float32 or float64; `progress` advances by one per view. On a CUDA
        device with CERN's TIGRE installed TIGRE computes them, unless a gradient or double precision is asked for;
        otherwise the ray-caster does.

        Raises:
            JobError: the volume is not one of the grid, or of another type.
        """
        if tuple(volume.shape) != self.grid.shape:
            raise JobError(f"The volume has the shape {tuple(volume.shape)}; this grid has {self.grid.shape}.")
        _check_type(volume)
        progress = progress or Progress()
        plain = volume.dtype == torch.float32 and not (volume.requires_grad and torch.is_grad_enabled())
        if volume.is_cuda and plain and tigre_adapter.available() and tigre_adapter.serves(self.grid, self.geometry):
            return tigre_adapter.project(volume, self.grid, self.geometry, progress=progress)
        return raycast.project(volume, self._rays, progress)

    def adjoint(self, projections: torch.Tensor, *, progress: Progress | None = None) -> torch.Tensor:
        """Aᵀ y: the transpose of :meth:`forward`, (views, v, u) -> (z, y, x); no filtering, no weights.

        Differentiable with respect to the projections. `progress` advances by one per view.

        Raises:
            JobError: the projections are not of this geometry, or of another type.
        """
        if tuple(projections.shape) != self.projections_shape:
            raise JobError(
                f"The projections have shape {tuple(projections.shape)}; this geometry has {self.projections_shape}."
            )
        _check_type(projections)
        return raycast.backproject(projections, self._rays, progress or Progress())

    def reconstruct(
        self, projections: torch.Tensor, *, steps: int = 1, progress: Progress | None = None
    ) -> torch.Tensor:
        """A† y, nearly: a volume with these projections, by :func:`filtered_least_squares`, (z, y, x).

        `progress` advances by two per view and step.
        """
        return filtered_least_squares(
            projections,
            lambda volume: self.forward(volume, progress=progress),
            lambda views: self.adjoint(views, progress=progress),
            steps=steps,
        )

    @cached_property
    def _rays(self) -> raycast.Rays:
        return (ConeRays if self.geometry.is_cone else ParallelRays)(self.grid, self.geometry)


def _check_type(array: torch.Tensor) -> None:
    if array.dtype not in (torch.float32, torch.float64):
        raise JobError(f"Projections are computed in float32 or float64, not {array.dtype}; convert the volume first.")
