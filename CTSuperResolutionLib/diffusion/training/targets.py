"""Training targets: the noisy images that the network is shown, the noise it is to predict, and the loss's weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.training.examples import Example, stacked

RESTORED = 0.9  # share of a batch that is shown a start as it is, at t = 0


class NoisyBatch(NamedTuple):
    """A batch of training inputs and targets.

    Attributes:
        images: x_t, (n, 1, v, u). steps: t, (n,).
        acquisitions: how the images were measured, (n, 7). neighbours: what those of the starts have beyond them,
            (n, 2 REACH, v, u).
        targets: the noise to predict, (n, 1, v, u).
        weights: of the squared errors, (n,): the inverse of the target's expected mean square, so that an easy image
            and a hard one count alike.
    """

    images: torch.Tensor
    steps: torch.Tensor
    acquisitions: torch.Tensor
    neighbours: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor

    def to(self, device: torch.device) -> NoisyBatch:
        """The same on a device."""
        return NoisyBatch(*(values.to(device) for values in self))


def noisy_batch(examples: Sequence[Example], schedule: NoiseSchedule, rng: np.random.Generator) -> NoisyBatch:
    """Inputs as the sampler has them, and as targets the noise that would lead to the truth in one step.

    Most examples have t = 0 and no noise, as for a sampler of one step; of the others t = ⌊T u²⌋, u uniform, and
    half of them begin at the truth, s = x₀; see :func:`noisy_pair`.

    Args:
        examples: n of one size. schedule: ᾱ.
        rng: draws steps and noise.
    """
    start, truth, acquisitions, neighbours = stacked(examples)
    spread = torch.tensor([example.spread for example in examples], dtype=torch.float32)
    restored = torch.from_numpy(rng.random(len(examples)) < RESTORED)
    at_truth = torch.from_numpy(rng.random(len(examples)) < 0.5) & ~restored
    start = torch.where(at_truth[:, None, None, None], truth, start)
    steps = torch.from_numpy((len(schedule) * rng.random(len(examples)) ** 2).astype(np.int64))
    steps = torch.where(restored, 0, steps.clamp(min=1))
    noise = torch.from_numpy(rng.standard_normal(start.shape, dtype=np.float32))
    noise = torch.where(restored[:, None, None, None], 0, noise)

    images, targets = noisy_pair(start, truth, noise, steps, schedule)
    alpha = schedule.alphas_cumprod[steps]
    own = (start - truth).square().mean((1, 2, 3))
    expected = (~restored).float() + alpha / (1 - alpha) * torch.where(at_truth, 0, (spread + own) / 2 + 1e-6)
    return NoisyBatch(images, steps, acquisitions, neighbours, targets, 1 / expected)


def noisy_pair(
    start: torch.Tensor, truth: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor, schedule: NoiseSchedule
) -> tuple[torch.Tensor, torch.Tensor]:
    """x_t of a start s, and the noise ε_θ that leads from it to the truth in one step: x₀ = (x_t − √(1 − ᾱ) ε_θ)/√ᾱ.

    The sampler sets out from a view that was made consistent with the measurement, not from a noisy true one. In
    x_t = √ᾱ s + √(1 − ᾱ) ε both the noise and the start's own error stand between x_t and the truth x₀, so
    ε_θ = ε + √ᾱ (s − x₀)/√(1 − ᾱ).

    Args:
        start, truth, noise: s, x₀ and ε, (n, 1, v, u). steps: t, (n,). schedule: ᾱ.
    """
    signal, sigma = schedule.coefficients(steps)
    return schedule.add_noise(start, noise, steps), noise + signal / sigma * (start - truth)
