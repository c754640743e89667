"""The training task: what the network is shown, and how far off it may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.training.examples import Example, stacked

RESTORED = 0.8  # share of a batch that is shown a start as it is, at t = 0


def noisy_batch(
    examples: Sequence[Example], alphas_cumprod: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the sampler shows to the network, and the answer that would lead to the truth in one step.

    The sampler sets out from a view that was made consistent with the measurement, not from a noisy true one. In
    x_t = √ᾱ s + √(1 − ᾱ) ε, s the start, both the noise and the start's own error stand between x_t and the truth x₀:
    the ε_θ with x₀ = (x_t − √(1 − ᾱ) ε_θ)/√ᾱ is ε + √ᾱ (s − x₀)/√(1 − ᾱ). Most examples have t = 0 and no noise, what
    a sampler of one step asks; of the others t = ⌊T u²⌋, u uniform, and half of them begin at the truth, s = x₀.

    Args:
        examples: n of one size.
        alphas_cumprod: ᾱ, (T,).
        rng: draws steps and noise.

    Returns:
        x_t (n, 1, v, u), t (n,), factors (n, 2), the answer (n, 1, v, u), and weights (n,) that measure its error: the
        inverse of the answer's expected mean square, so that an easy image and a hard one count alike.
    """
    start, truth, factors = stacked(examples)
    spread = torch.tensor([example.spread for example in examples], dtype=torch.float32)
    restored = torch.from_numpy(rng.random(len(examples)) < RESTORED)
    at_truth = torch.from_numpy(rng.random(len(examples)) < 0.5) & ~restored
    start = torch.where(at_truth[:, None, None, None], truth, start)
    steps = torch.from_numpy((len(alphas_cumprod) * rng.random(len(examples)) ** 2).astype(np.int64))
    steps = torch.where(restored, 0, steps.clamp(min=1))
    noise = torch.from_numpy(rng.standard_normal(start.shape, dtype=np.float32))
    noise = torch.where(restored[:, None, None, None], 0, noise)

    alpha = alphas_cumprod[steps]
    signal, sigma = alpha.sqrt()[:, None, None, None], (1 - alpha).sqrt()[:, None, None, None]
    error = signal / sigma * (start - truth)
    own = (start - truth).square().mean((1, 2, 3))
    expected = (~restored).float() + alpha / (1 - alpha) * torch.where(at_truth, 0, (spread + own) / 2 + 1e-6)
    return signal * start + sigma * noise, steps, factors, noise + error, 1 / expected


@torch.no_grad()
def answer_of(network: ResidualDenoiser, images: torch.Tensor, step: int, factors: torch.Tensor) -> torch.Tensor:
    """A network's answer to images (n, 1, v, u) of factors (n, 2), all at diffusion step t; on the CPU, float32."""
    device = next(network.parameters()).device
    steps = torch.full((len(images),), step, device=device)
    return network(images.to(device), steps, factors.to(device)).sample.float().cpu()
