"""Gaussian backbone: a field of positive Gaussians as the whole volume, fitted as R2-Gaussian is (Zha et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from CTSuperResolutionLib.gaussians.activations import ACTIVATIONS
from CTSuperResolutionLib.gaussians.backends.choice import choose_backend
from CTSuperResolutionLib.gaussians.field import initial_field, matter
from CTSuperResolutionLib.gaussians.fit import FieldFit, FitSettings
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.gaussians.voxelization import voxelize_residual
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.backbone import Guide
from CTSuperResolutionLib.reconstruction.fdk import filtered_backprojection
from CTSuperResolutionLib.reconstruction.settings import VOXELS_A_GAUSSIAN, Settings

WIDEST = 8.0  # voxels; where a Gaussian starts: insides of organs are to be filled


class GaussianBackbone:
    """Positive Gaussians that start at the filtered backprojection of the views, where that is not empty.

    Args:
        projections: (views, v, u), mm of water. projector: volumes to views.
        settings: of the fit. iterations: of it. seed: of all that is drawn.
    """

    def __init__(
        self, projections: torch.Tensor, projector: Projector, settings: Settings, *, iterations: int, seed: int
    ) -> None:
        grid, geometry = projector.grid, projector.geometry
        start = filtered_backprojection(projections, geometry, grid).clamp_(min=0)
        self._scene = Scene.around(grid.shape, grid.spacing)
        count = min(settings.gaussians, max(start.numel() // VOXELS_A_GAUSSIAN, 16))
        self._field = initial_field(
            matter(start),
            start,
            self._scene.grid,
            count=count,
            gamma=1.0,  # of the signed activation alone
            generator=torch.Generator().manual_seed(seed),
            activation=ACTIVATIONS["softplus"],
            widest=WIDEST,
        )
        self._backend = choose_backend(projections.device)
        fit = FitSettings(
            iterations=iterations,
            views_per_step=settings.views_per_step,
            shape_rate=settings.shape_rate,
            density_rate=settings.density_rate,
            limit=round(count * settings.growth),
            lambda_tv=settings.lambda_tv,
            lambda_ssim=settings.lambda_ssim,
            densify_every=settings.densify_every,
            densify_gradient=settings.densify_gradient,
            seed=seed,
        )
        nothing = torch.zeros_like(projections)
        self._fit = FieldFit(self._field, projections, nothing, geometry, self._scene, fit, self._backend.kernels)

    @property
    def why(self) -> str:
        """What renders the Gaussians, in a sentence."""
        return self._backend.why

    @property
    def report(self) -> dict[str, Any]:
        """What result.json says of it."""
        return {"kernels": self._backend.name, "gaussians": len(self._field)}

    def step(self, guides: Sequence[Guide] = ()) -> None:
        """One step of the fit, as in :class:`.Backbone`."""
        self._fit.step(guides)

    @torch.enable_grad()
    def slab(self, start: int, stop: int) -> torch.Tensor:
        """Slices of it, attached, as in :class:`.Backbone`."""
        _, ny, nx = self._scene.grid.shape
        grid = self._scene.grid.crop((start, 0, 0), (stop - start, ny, nx))
        return self._backend.kernels.voxelize(*self._field.gaussians(), grid)

    def volume(self) -> torch.Tensor:
        """All of it, as in :class:`.Backbone`."""
        return voxelize_residual(self._field, self._scene.grid, kernels=self._backend.kernels, progress=Progress())
