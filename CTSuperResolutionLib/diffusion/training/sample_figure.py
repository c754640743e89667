"""Sample figure: restored and denoised examples beside their truth, written while a network trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.training.examples import Example, stacked
from CTSuperResolutionLib.diffusion.training.validation import predict_noise, validation_noise

NOISY_STEPS = (20, 200)


def write_samples(network: ResidualDenoiser, examples: Sequence[Example], schedule: NoiseSchedule, path: Path) -> None:
    """Rows: examples. Columns: start, restored, truth; then noisy and denoised (x₀|t) at rising steps."""
    stack = stacked(examples)
    start, truth = stack.start, stack.truth
    noise = validation_noise(truth)

    def denoised(images: torch.Tensor, step: int) -> torch.Tensor:
        predicted = predict_noise(network, images, step, stack)
        return schedule.predict_x0(images, predicted, torch.full((len(images),), step))

    at_zero = torch.zeros(len(examples), dtype=torch.int64)
    columns = [start, denoised(schedule.mean(start, at_zero), 0), truth]
    for step in NOISY_STEPS:
        noisy = schedule.add_noise(truth, noise, torch.full((len(examples),), step))
        columns += [noisy, denoised(noisy, step)]
    grid = torch.cat([torch.cat(list(column[:, 0]), dim=0) for column in columns], dim=1)
    Image.fromarray(((grid.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)).save(path)
