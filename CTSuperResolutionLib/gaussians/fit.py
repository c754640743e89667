"""Fit of the signed Gaussian field to the residual of the restored views (eq. 5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib.gaussians.backends.choice import Kernels
from CTSuperResolutionLib.gaussians.densification import AdaptiveDensityControl
from CTSuperResolutionLib.gaussians.field import GaussianField
from CTSuperResolutionLib.gaussians.losses import total_variation
from CTSuperResolutionLib.gaussians.scene import Scene, VoxelGrid
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.geometry import ScanGeometry

TV_CROP = 32  # side of the random cube that the TV term looks at, voxels


# First and last learning rate of each parameter, log-linear in between: R2-Gaussian's, and the paper's for γ. They suit
# thousands of iterations; FitSettings says how much faster a short fit goes.
LEARNING_RATES = {
    "means": (2e-4, 2e-5),
    "scales": (5e-3, 5e-4),
    "quats": (1e-3, 1e-4),
    "densities": (1e-2, 1e-3),
    "gamma": (1e-2, 1e-4),
}


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit; λ₁ = ``lambda_tv`` and λ₂ = ``lambda_ssim`` of eq. 5.

    ``shape_rate`` and ``density_rate`` multiply the learning rates of means, scales and rotations, and of densities.
    """

    iterations: int
    views_per_step: int
    shape_rate: float
    density_rate: float
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
    base_views: torch.Tensor,
    geometry: ScanGeometry,
    scene: Scene,
    settings: FitSettings,
    *,
    kernels: Kernels,
    progress: Progress | None = None,
) -> None:
    """Fit the field, in place, to the difference between restored views and those of the base, the upsampled volume.

    L = L1(y, x) + L1(ŷ, x̂) + λ₂ (1 − SSIM(y, x)) + λ₁ TV (eq. 5), x a restored view, y the rendered residual plus
    the base's view, hats the residuals. Projection is linear, so both L1 terms are the same number.

    Args:
        field: starts where it is.
        views: restored, (n, v, u), density x mm.
        base_views: projections of the base, same shape and unit; zero where there is no base.
        geometry: in mm. scene: the field's own units, and the volume's grid for the TV term.
        settings: see :class:`FitSettings`.
        kernels: of the backend that rasterizes and voxelizes the field.
        progress: advanced once an iteration.
    """
    progress = progress or Progress()
    torch.manual_seed(settings.seed)  # gsplat's split samples from torch's own stream
    geometry, views, base_views = scene.geometry(geometry), views * scene.per_mm, base_views * scene.per_mm
    learned = {**field.parameters, "gamma": field.raw_gamma}
    optimizers = {name: torch.optim.Adam([p], eps=1e-15, fused=True) for name, p in learned.items()}
    control = AdaptiveDensityControl(
        settings.densify_gradient, small=1.5 * max(scene.grid.spacing), limit=settings.limit
    )
    generator = torch.Generator().manual_seed(settings.seed)
    shape, density = settings.shape_rate, settings.density_rate
    rates = {"means": shape, "scales": shape, "quats": shape, "densities": density, "gamma": 1.0}
    weights = {"absolute": 2.0, "dissimilarity": settings.lambda_ssim}
    data_range = float(views.max()) or 1.0
    order: list[int] = []
    for iteration in range(settings.iterations):
        for name, optimizer in optimizers.items():
            first, last = LEARNING_RATES[name]
            optimizer.param_groups[0]["lr"] = rates[name] * first * (last / first) ** (iteration / settings.iterations)
        order = order or torch.randperm(len(views), generator=generator).tolist()
        seen, order = order[: settings.views_per_step], order[settings.views_per_step :]

        gaussians = field.gaussians()
        rendered: list[torch.Tensor] = []
        gradients: list[torch.Tensor] = []
        for view in seen:
            residual = kernels.rasterize(*gaussians, geometry, view)
            _, gradient = kernels.view_loss(residual + base_views[view], views[view], data_range, **weights)
            rendered.append(residual)
            gradients.append(gradient.div_(len(seen)))
        if settings.lambda_tv:
            crop = kernels.voxelize(*gaussians, _random_crop(scene, generator))
            rendered.append(crop)
            gradients.append(total_variation(crop)[1].mul_(settings.lambda_tv))
        torch.autograd.backward(rendered, gradients)

        control.collect(field)
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        # Refining ends half-way: what is added last still needs time to settle.
        if (iteration + 1) % settings.densify_every == 0 and iteration < settings.iterations // 2:
            control.refine(field, {name: optimizers[name] for name in field.parameters})
        progress.advance()
    kernels.check()


def _random_crop(scene: Scene, generator: torch.Generator) -> VoxelGrid:
    shape = [min(TV_CROP, n) for n in scene.grid.shape]
    start = [
        int(torch.randint(n - side + 1, (), generator=generator))
        for n, side in zip(scene.grid.shape, shape, strict=True)
    ]
    return scene.grid.crop(start, shape)
