"""Fit the signed Gaussian field to the residual of the restored views."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib.gaussians.backends.reference import rasterize, voxelize
from CTSuperResolutionLib.gaussians.density_control import DensityControl
from CTSuperResolutionLib.gaussians.field import GaussianField
from CTSuperResolutionLib.gaussians.losses import ssim, total_variation
from CTSuperResolutionLib.gaussians.scene import Scene, VoxelGrid
from CTSuperResolutionLib.geometry import ScanGeometry
from CTSuperResolutionLib.job.events import Progress

TV_CROP = 32  # side of the random cube that the TV term looks at, voxels


# First and last learning rate of each parameter, log-linear in between: R2-Gaussian's, and the paper's for γ.
LEARNING_RATES = {
    "means": (2e-4, 2e-5),
    "scales": (5e-3, 5e-4),
    "quats": (1e-3, 1e-4),
    "densities": (1e-2, 1e-3),
    "gamma": (1e-2, 1e-4),
}


@dataclass(frozen=True)
class FitSettings:
    """How the field is fitted; λ₁ = ``lambda_tv`` and λ₂ = ``lambda_ssim`` of eq. 5."""

    iterations: int
    limit: int
    lambda_tv: float
    lambda_ssim: float
    densify_every: int
    densify_gradient: float
    seed: int


@torch.enable_grad()
def fit(
    field: GaussianField,
    views: torch.Tensor,
    upsampled_views: torch.Tensor,
    geometry: ScanGeometry,
    scene: Scene,
    settings: FitSettings,
    *,
    progress: Progress | None = None,
) -> None:
    """Fit the field, in place, to the difference between restored views and those of the upsampled volume.

    L = L1(y, x) + L1(ŷ, x̂) + λ₂ (1 − SSIM(y, x)) + λ₁ TV (eq. 5), x a restored view, y the rendered residual plus
    the upsampled volume's view, hats the residuals. Projection is linear, so both L1 terms are the same number.

    Args:
        field: starts where it is.
        views: restored, (n, v, u), density x mm.
        upsampled_views: of the upsampled volume, same shape and unit.
        geometry: in mm. scene: what the field's own units are, and the volume's grid for the TV term.
        settings: see :class:`FitSettings`.
        progress: advanced once an iteration.
    """
    progress = progress or Progress()
    torch.manual_seed(settings.seed)  # gsplat's split draws from torch's own stream
    geometry, views, upsampled_views = scene.geometry(geometry), views * scene.per_mm, upsampled_views * scene.per_mm
    optimizers = {name: torch.optim.Adam([parameter], eps=1e-15) for name, parameter in field.parameters.items()}
    gamma_optimizer = torch.optim.Adam([field.raw_gamma], eps=1e-15)
    control = DensityControl(settings.densify_gradient, small=1.5 * max(scene.grid.spacing), limit=settings.limit)
    generator = torch.Generator().manual_seed(settings.seed)
    residuals = views - upsampled_views
    data_range = float(views.max()) or 1.0
    order: list[int] = []
    for iteration in range(settings.iterations):
        for name, optimizer in [*optimizers.items(), ("gamma", gamma_optimizer)]:
            first, last = LEARNING_RATES[name]
            optimizer.param_groups[0]["lr"] = first * (last / first) ** (iteration / settings.iterations)
        order = order or torch.randperm(len(views), generator=generator).tolist()
        view = order.pop()

        gaussians = field.gaussians()
        rendered = rasterize(*gaussians, geometry, view)
        loss = 2 * (rendered - residuals[view]).abs().mean()
        if settings.lambda_ssim:
            similarity = ssim(rendered + upsampled_views[view], views[view], data_range)
            loss = loss + settings.lambda_ssim * (1 - similarity)
        if settings.lambda_tv:
            loss = loss + settings.lambda_tv * total_variation(voxelize(*gaussians, _random_crop(scene, generator)))
        loss.backward()

        control.collect(field)
        for optimizer in [*optimizers.values(), gamma_optimizer]:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        # Refining ends half-way: what is added last still needs time to settle.
        if (iteration + 1) % settings.densify_every == 0 and iteration < settings.iterations // 2:
            control.refine(field, optimizers)
        progress.advance()


def _random_crop(scene: Scene, generator: torch.Generator) -> VoxelGrid:
    shape = [min(TV_CROP, n) for n in scene.grid.shape]
    start = [
        int(torch.randint(n - side + 1, (), generator=generator))
        for n, side in zip(scene.grid.shape, shape, strict=True)
    ]
    return scene.grid.crop(start, shape)
