"""One look of the prior at images that no detector measured: slices of a volume."""

from __future__ import annotations

import math

import torch

from CTSuperResolutionLib.diffusion.batching import Batches
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams


def guess_clean(images: torch.Tensor, network: Batches, step: int, noise: NoiseStreams) -> torch.Tensor:
    """x₀|t = (x_t − √(1 − ᾱ) ε_θ) / √ᾱ of x_t = √ᾱ x + √(1 − ᾱ) ε, or of √ᾱ x alone where the step is 0.

    Args:
        images: x, (n, rows, columns) in [0, 1].
        network: asks the prior.
        step: t. noise: ε, one stream an image; not drawn from at step 0.
    """
    alpha = float(network.prior.alphas_cumprod[step])
    x = math.sqrt(alpha) * (2 * images - 1)
    if step:
        x = x + math.sqrt(1 - alpha) * noise.draw()
    clean = (x - math.sqrt(1 - alpha) * network.predict_noise(x, step)) / math.sqrt(alpha)
    return (clean + 1) / 2
