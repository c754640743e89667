"""A picture of what the network does while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.training.examples import Example, stacked
from CTSuperResolutionLib.diffusion.training.targets import answer_of

NOISY_STEPS = (20, 200)


def write_samples(network: ResidualDenoiser, examples: Sequence[Example], alphas: torch.Tensor, path: Path) -> None:
    """Rows: examples. Columns: start, restored, truth; then noisy and denoised (x̂₀) at rising steps."""
    start, truth, factors = stacked(examples)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(7))

    def clean(shown: torch.Tensor, step: int) -> torch.Tensor:
        return (shown - (1 - alphas[step]).sqrt() * answer_of(network, shown, step, factors)) / alphas[step].sqrt()

    columns = [start, clean(alphas[0].sqrt() * start, 0), truth]
    for step in NOISY_STEPS:
        noisy = alphas[step].sqrt() * truth + (1 - alphas[step]).sqrt() * noise
        columns += [noisy, clean(noisy, step)]
    grid = torch.cat([torch.cat(list(column[:, 0]), dim=0) for column in columns], dim=1)
    Image.fromarray(((grid.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)).save(path)
