"""Activations ρ = φ(z) that map raw to rendered densities: PReLU (eq. 3) and the ablation's alternatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

MOST_SINE = 0.99  # |ρ| of a starting sine: at 1 its slope is zero, and the density would stay where it is


@dataclass(frozen=True)
class Activation:
    """φ and its inverse, elementwise on tensors of any shape; γ > 0 is a scalar tensor that only prelu uses.

    Attributes:
        density: ρ = φ(z, γ).
        raw: z = φ⁻¹(ρ, γ) for a ρ that φ can take.
        signed: whether ρ can be negative.
    """

    density: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    raw: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    signed: bool


def prelu(raw: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """ρ = z for z ≥ 0 and γz below (eq. 3), so that negative residuals keep a gradient."""
    return torch.where(raw >= 0, raw, gamma * raw)


def prelu_inverse(density: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """z = ρ, or ρ/γ where ρ is negative."""
    return torch.where(density >= 0, density, density / gamma)


def softplus(raw: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """ρ = log(1 + eᶻ) > 0, R2-Gaussian's."""
    return torch.nn.functional.softplus(raw)


def softplus_inverse(density: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """z = log(e^ρ − 1), written so that neither a large nor a small ρ > 0 overflows."""
    return density + torch.log(-torch.expm1(-density))


def relu(raw: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """ρ = max(z, 0): a raw density below zero has no gradient any more."""
    return torch.relu(raw)


def relu_inverse(density: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """z = ρ for ρ ≥ 0."""
    return density


def sine(raw: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """ρ = sin z. The paper names a sine and says no more; amplitude 1 is the whole intensity range."""
    return torch.sin(raw)


def sine_inverse(density: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """z = arcsin ρ, ρ clamped to ±``MOST_SINE``."""
    return torch.asin(density.clamp(-MOST_SINE, MOST_SINE))


PRELU = Activation(prelu, prelu_inverse, signed=True)
ACTIVATIONS = {
    "prelu": PRELU,
    "softplus": Activation(softplus, softplus_inverse, signed=False),
    "relu": Activation(relu, relu_inverse, signed=False),
    "sine": Activation(sine, sine_inverse, signed=True),
}
