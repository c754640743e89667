"""Stage 4: the residual volume behind the restored views, by signed Gaussians or by what they are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib.gaussians.activations import ACTIVATIONS, PRELU
from CTSuperResolutionLib.gaussians.backends.choice import Backend, choose_backend
from CTSuperResolutionLib.gaussians.field import WIDEST, GaussianField, edge_strength, energy, initial_field, matter
from CTSuperResolutionLib.gaussians.fit import FitSettings, fit
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.gaussians.voxelization import voxelize_residual
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.planning.cost_model import gaussian_counts, least_squares_steps
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume
from CTSuperResolutionLib.stages.restore_views import Restored

WIDEST_ALONE = 8.0  # voxels; a field without a base has the insides of organs to fill as well


@dataclass(frozen=True, eq=False)
class VoxelResidual:
    """A residual that is a volume already, (z, y, x)."""

    volume: torch.Tensor

    @property
    def report(self) -> dict[str, object]:
        """What result.json says of it: nothing."""
        return {}

    def voxels(self, progress: Progress) -> torch.Tensor:
        """The volume. Advances by the number of slices."""
        progress.advance(len(self.volume))
        return self.volume


@dataclass(frozen=True, eq=False)
class GaussianResidual:
    """A residual that is a fitted Gaussian field."""

    field: GaussianField
    scene: Scene
    backend: Backend

    @property
    def report(self) -> dict[str, object]:
        """What result.json says of it; γ only where the activation has one."""
        field = self.field
        gamma = round(float(field.gamma.detach()), 6) if field.activation is PRELU else None
        return {"kernels": self.backend.name, "gaussians": len(field), "gamma": gamma}

    def voxels(self, progress: Progress) -> torch.Tensor:
        """The field's values at the voxel centres, (z, y, x). Advances by the number of slices."""
        return voxelize_residual(self.field, self.scene.grid, kernels=self.backend.kernels, progress=progress)


def reconstruct_residual(
    restored: Restored, base: ProjectedVolume, projector: Projector, p: Parameters, *, seed: int, progress: Progress
) -> VoxelResidual | GaussianResidual:
    """Find the volume that a base lacks to have the restored views.

    "grid" takes ``grid_steps`` of least squares on voxels; a single one is filtered backprojection with its scale
    fitted to the views. Gaussians start at that one step, or as the papers have it: those of a residual at the base's
    edges, those of a whole volume where it is not empty (R2-Gaussian).

    Args:
        restored: the views to have; and the volume they were taken from, which says where a whole volume is not empty.
        base: what the residual is added to; zero where there is no base.
        projector: volumes to views.
        p: says how. seed: of all that is drawn.
        progress: advanced by :func:`residual_steps`.
    """
    views, consistent = restored.views, restored.start.volume
    scene, steps = Scene.around(projector.grid.shape, projector.grid.spacing), least_squares_steps(p)
    if steps:
        missing = projector.reconstruct(views - base.views, steps=steps, progress=progress)
        if p.residual == "grid":
            return VoxelResidual(missing)
        strength = energy(missing)
    else:
        missing = consistent - base.volume
        strength = matter(consistent) if p.base == "none" else edge_strength(base.volume, scene.grid)
    count, limit = gaussian_counts(p, base.volume.numel())
    field = initial_field(
        strength,
        missing,
        scene.grid,
        count=count,
        gamma=p.gamma,
        generator=torch.Generator().manual_seed(seed),
        activation=ACTIVATIONS[p.activation],
        widest=WIDEST_ALONE if p.base == "none" else WIDEST,
    )
    del strength, missing  # volumes: memory is what limits the size of a job
    settings = FitSettings(
        iterations=p.iterations,
        views_per_step=p.views_per_step,
        shape_rate=p.shape_rate,
        density_rate=p.density_rate,
        limit=limit,
        lambda_tv=p.lambda_tv,
        lambda_ssim=p.lambda_ssim,
        densify_every=p.densify_every,
        densify_gradient=p.densify_gradient,
        seed=seed,
    )
    backend = choose_backend(views.device)
    fit(field, views, base.views, projector.geometry, scene, settings, kernels=backend.kernels, progress=progress)
    return GaussianResidual(field, scene, backend)


def residual_steps(p: Parameters) -> int:
    """How often :func:`reconstruct_residual` advances its progress."""
    return 2 * p.views * least_squares_steps(p) + (p.iterations if p.residual == "gaussians" else 0)
