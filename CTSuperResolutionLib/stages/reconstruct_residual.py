"""What carries the restored views back into the volume: the signed Gaussians, or what they are compared with."""

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
from CTSuperResolutionLib.projection.filtered_least_squares import least_squares
from CTSuperResolutionLib.projection.geometry import ScanGeometry

WIDEST_ALONE = 8.0  # voxels; a field without a base has the insides of organs to fill as well


@dataclass(frozen=True, eq=False)
class CarriedVoxels:
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
class CarriedGaussians:
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


def carry(
    views: torch.Tensor,
    base_views: torch.Tensor,
    sharpened: torch.Tensor,
    base: torch.Tensor,
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    p: Parameters,
    *,
    seed: int,
    progress: Progress,
) -> CarriedVoxels | CarriedGaussians:
    """Find the volume that a base lacks to have the restored views.

    "grid" takes ``grid_steps`` of least squares on voxels; a single one is filtered backprojection with its scale
    fitted to the views. Gaussians start at that one step, or as the papers have it: those of a residual at the base's
    edges, those of a whole volume where it is not empty (R2-Gaussian).

    Args:
        views: restored, (views, v, u), value x mm.
        base_views: projections of the base, same shape; zero where there is no base.
        sharpened: the upsampled volume made consistent with the scan, (z, y, x), in [0, 1].
        base: what the residual is added to, same shape.
        spacing: mm, (z, y, x). geometry: of the views.
        p: says which way. seed: of all that is drawn.
        progress: advanced by :func:`carrier_steps`.
    """
    scene, steps = Scene.around(base.shape, spacing), least_squares_steps(p)
    if steps:
        missing = least_squares(views - base_views, base.shape, spacing, geometry, steps=steps, progress=progress)
        if p.residual == "grid":
            return CarriedVoxels(missing)
        strength = energy(missing)
    else:
        missing = sharpened - base
        strength = matter(sharpened) if p.base == "none" else edge_strength(base, scene.grid)
    count, limit = gaussian_counts(p, base.numel())
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
    progress.note(backend.why)
    fit(field, views, base_views, geometry, scene, settings, kernels=backend.kernels, progress=progress)
    return CarriedGaussians(field, scene, backend)


def carrier_steps(p: Parameters) -> int:
    """How often :func:`carry` advances its progress."""
    return 2 * p.views * least_squares_steps(p) + (p.iterations if p.residual == "gaussians" else 0)
