"""DiffNR (arXiv 2604.21518): slices of a fit are repaired once, and the repaired volume guides the rest of the fit.

The repaired slices, one on another, are a pseudo-reference: too smooth or wrong here and there, but free of the streaks
that few views leave. A 3D structural similarity to it joins the loss, so that the views keep the last word.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.reconstruction.backbone import Backbone, Guide
from CTSuperResolutionLib.reconstruction.settings import Settings, repair_steps
from CTSuperResolutionLib.reconstruction.ssim_3d import ssim_3d

Repair = Callable[[torch.Tensor], torch.Tensor]
"""From a volume, (z, y, x), attenuation relative to water, to the same without streaks."""

DATA_RANGE = 2.0  # attenuation relative to water, from air to dense bone


def fit_with_repair(
    backbone: Backbone, repair: Repair, settings: Settings, *, steps: int, seed: int, progress: Progress
) -> torch.Tensor:
    """Fit a backbone to its views with repair in the middle.

    What the fit comes to is repaired at the end, too. With ``guide`` none, that is all (post-processing).

    Args:
        backbone: at its start. repair: of its slices. settings: when, and with which weight.
        steps: of the fit. seed: of the slabs that are drawn. progress: advanced by one a step.

    Returns:
        The volume, (z, y, x), attenuation relative to water.
    """
    alone = settings.guide == "none"
    due = [] if alone else repair_steps(settings, steps)
    generator = torch.Generator().manual_seed(seed)
    reference: torch.Tensor | None = None
    for step in range(steps):
        if step in due:
            reference = repair(backbone.volume())
        guides: list[Guide] = []
        if reference is not None and step % settings.guide_every == 0:
            guides = [guide(backbone, reference, settings, generator)]
        backbone.step(guides)
        progress.advance()
    # A field of few Gaussians shows less than its reference has: what the fit comes to is repaired once more.
    volume = backbone.volume()
    return repair(volume) if alone or due else volume


def guide(backbone: Backbone, reference: torch.Tensor, settings: Settings, generator: torch.Generator) -> Guide:
    """A random slab of a backbone, and the gradient of λ (1 − SSIM3D) to it, or of λ L1 where that is chosen.

    Args:
        backbone: whose slab. reference: the repaired volume. settings: λ, and the slab's slices. generator: draws it.
    """
    count = min(settings.guide_slices, len(reference))
    start = int(torch.randint(len(reference) - count + 1, (), generator=generator))
    slab = backbone.slab(start, start + count)
    with torch.enable_grad():
        compared = slab.detach().requires_grad_()
        wanted = reference[start : start + count]
        unlike = _l1 if settings.guide == "l1" else _dissimilarity
        (gradient,) = torch.autograd.grad(settings.lambda_repair * unlike(compared, wanted), compared)
    return slab, gradient


def _l1(volume: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    return (volume - reference).abs().mean()


def _dissimilarity(volume: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    return 1 - ssim_3d(volume, reference, DATA_RANGE)
