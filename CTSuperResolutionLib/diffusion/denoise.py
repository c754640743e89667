"""Denoising in one step: x₀ of images that no detector measured, slices of a volume, as the prior predicts it."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams


def denoise(
    images: torch.Tensor,
    denoiser: BatchedDenoiser,
    step: int,
    noise: NoiseStreams,
    neighbours: torch.Tensor | None = None,
) -> torch.Tensor:
    """x₀|t = (x_t − √(1 − ᾱ) ε_θ) / √ᾱ of x_t = √ᾱ x + √(1 − ᾱ) ε, or of √ᾱ x alone where the step is 0.

    Args:
        images: x, (n, rows, columns) in [0, 1].
        denoiser: predicts ε_θ.
        step: t. noise: ε, one stream an image; not drawn from at step 0.
        neighbours: what each slice's neighbours have beyond it, (n, 2 reach, rows, columns), of images in [0, 1].
    """
    x, schedule = 2 * images - 1, denoiser.schedule
    x_t = schedule.add_noise(x, noise.draw(), step) if step else schedule.mean(x, step)
    beside = None if neighbours is None else 2 * neighbours
    x0 = schedule.predict_x0(x_t, denoiser.predict_noise(x_t, step, beside), step)
    return (x0 + 1) / 2
