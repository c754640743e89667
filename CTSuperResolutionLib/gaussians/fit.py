"""Fit of the signed Gaussian field to the residual of the restored views (eq. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from CTSuperResolutionLib.gaussians.adam import Adam
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
    steps = FieldFit(field, views, base_views, geometry, scene, settings, kernels)
    for _ in range(settings.iterations):
        steps.step()
        progress.advance()
    kernels.check()


class FieldFit:
    """The steps of :func:`fit`, which says what it takes, for a fit that others have a say in."""

    def __init__(
        self,
        field: GaussianField,
        views: torch.Tensor,
        base_views: torch.Tensor,
        geometry: ScanGeometry,
        scene: Scene,
        settings: FitSettings,
        kernels: Kernels,
    ) -> None:
        torch.manual_seed(settings.seed)  # gsplat's split samples from torch's own stream
        self._geometry, self._scene = scene.geometry(geometry), scene
        self._views, self._base_views = views * scene.per_mm, base_views * scene.per_mm
        self._field, self._settings, self._kernels = field, settings, kernels
        learned = {**field.parameters, "gamma": field.raw_gamma}
        self._optimizers = {name: Adam(parameter) for name, parameter in learned.items()}
        self._control = AdaptiveDensityControl(
            settings.densify_gradient, small=1.5 * max(scene.grid.spacing), limit=settings.limit
        )
        self._generator = torch.Generator().manual_seed(settings.seed)
        shape, density = settings.shape_rate, settings.density_rate
        self._rates = {"means": shape, "scales": shape, "quats": shape, "densities": density, "gamma": 1.0}
        self._weights = {"absolute": 2.0, "dissimilarity": settings.lambda_ssim}
        self._data_range = float(self._views.max()) or 1.0
        self._order: list[int] = []
        self._iteration = 0

    @torch.enable_grad()
    def step(self, guides: Sequence[tuple[torch.Tensor, torch.Tensor]] = ()) -> None:
        """One step of the optimizers.

        Args:
            guides: more of the loss: outputs of the field, and its gradient to each.
        """
        settings, kernels, iteration = self._settings, self._kernels, self._iteration
        self._order = self._order or torch.randperm(len(self._views), generator=self._generator).tolist()
        seen, self._order = self._order[: settings.views_per_step], self._order[settings.views_per_step :]

        gaussians = self._field.gaussians()
        rendered = [output for output, _ in guides]
        gradients = [gradient for _, gradient in guides]
        for view in seen:
            residual = kernels.rasterize(*gaussians, self._geometry, view)
            whole = residual + self._base_views[view]
            _, gradient = kernels.view_loss(whole, self._views[view], self._data_range, **self._weights)
            rendered.append(residual)
            gradients.append(gradient.div_(len(seen)))
        if settings.lambda_tv:
            crop = kernels.voxelize(*gaussians, _random_crop(self._scene, self._generator))
            rendered.append(crop)
            gradients.append(total_variation(crop)[1].mul_(settings.lambda_tv))
        _Loss.apply(gradients, *rendered).backward()

        self._control.collect(self._field)
        for name, optimizer in self._optimizers.items():
            first, last = LEARNING_RATES[name]
            decayed = first * (last / first) ** (iteration / settings.iterations)
            optimizer.step(self._rates[name] * decayed)
        # Refining ends half-way: what is added last still needs time to settle.
        if (iteration + 1) % settings.densify_every == 0 and iteration < settings.iterations // 2:
            self._control.refine(self._field, {name: self._optimizers[name] for name in self._field.parameters})
        self._iteration += 1


class _Loss(torch.autograd.Function):
    """A loss whose gradients to some outputs are known, and its own value not needed.

    `torch.autograd.backward` takes the gradients of several outputs as well, and imports torch's symbolic algebra.
    """

    @staticmethod
    def forward(ctx: Any, gradients: list[torch.Tensor], *outputs: torch.Tensor) -> torch.Tensor:
        ctx.gradients = gradients
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_one: torch.Tensor) -> tuple[Any, ...]:
        return (None, *ctx.gradients)


def _random_crop(scene: Scene, generator: torch.Generator) -> VoxelGrid:
    shape = [min(TV_CROP, n) for n in scene.grid.shape]
    start = [
        int(torch.randint(n - side + 1, (), generator=generator))
        for n, side in zip(scene.grid.shape, shape, strict=True)
    ]
    return scene.grid.crop(start, shape)
