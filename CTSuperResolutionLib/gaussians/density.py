"""Signed densities (eq. 3): φ(z) = z for z ≥ 0 and γz below, so that negative residuals keep a gradient."""

from __future__ import annotations

import torch


def prelu(raw: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """ρ = φ(z): signed densities of raw densities, any shape; γ > 0 is a scalar tensor."""
    return torch.where(raw >= 0, raw, gamma * raw)


def prelu_inverse(density: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """z = φ⁻¹(ρ): ρ, or ρ/γ where ρ is negative."""
    return torch.where(density >= 0, density, density / gamma)
