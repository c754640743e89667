"""Validation of a denoiser in training: its squared error on held-out examples, by diffusion step."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.training.examples import Example, Stack, stacked
from CTSuperResolutionLib.diffusion.training.targets import noisy_pair

VALIDATION_STEPS = (0, 5, 20, 50, 100, 200, 400, 700, 950)


def validate(network: ResidualDenoiser, examples: Sequence[Example], schedule: NoiseSchedule) -> dict[str, float]:
    """Squared error of a network's predictions by diffusion step, relative to that of the prediction 0.

    At t = 0 it is shown the starts as they are; at t > 0 the truth and noise.
    """
    stack = stacked(examples)
    start, truth = stack.start, stack.truth
    noise = validation_noise(truth)
    losses = {}
    for step in VALIDATION_STEPS:
        steps = torch.full((len(examples),), step)
        shown, still = (truth, noise) if step else (start, torch.zeros_like(noise))
        images, targets = noisy_pair(shown, truth, still, steps, schedule)
        error = predict_noise(network, images, step, stack) - targets
        losses[str(step)] = round(float(error.square().mean() / targets.square().mean()), 6)
    return losses


def validation_noise(images: torch.Tensor) -> torch.Tensor:
    """Standard normal noise, always the same for images of a shape (n, 1, v, u)."""
    return torch.randn(images.shape, generator=torch.Generator().manual_seed(7))


@torch.no_grad()
def predict_noise(network: ResidualDenoiser, images: torch.Tensor, step: int, stack: Stack) -> torch.Tensor:
    """ε_θ(x_t, t) of images (n, 1, v, u) made of a stack's, by a network on any device; on the CPU, float32."""
    device = next(network.parameters()).device
    told = stack.acquisitions.to(device), stack.neighbours.to(device)
    return network.predict_noise(images.to(device), step, *told).float().cpu()
