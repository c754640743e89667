"""Noise schedule of a diffusion process: ᾱ_t, forward noising, and x₀ from a prediction of the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, overload

import torch

LINEAR: Mapping[str, object] = MappingProxyType(
    {
        "_class_name": "DDIMScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 1e-4,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "trained_betas": None,
        "rescale_betas_zero_snr": False,
        "prediction_type": "epsilon",
    }
)
"""The linear schedule of DDPM and of the paper's prior, β from 1e-4 to 0.02, as a configuration of diffusers."""


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """Forward process q(x_t | x₀) = N(√ᾱ_t x₀, (1 − ᾱ_t) I), t = 0 … T − 1 (DDPM: Ho et al., NeurIPS 2020, eq. 4).

    A step is one number for all images, whose coefficients are then worked out in double precision, or a tensor (n,),
    one step for each of the images (n, 1, v, u), with coefficients of ᾱ's own precision, as training has them.

    Attributes:
        alphas_cumprod: ᾱ_t, shape (T,), above 0, falling from almost 1 to almost 0; on the CPU.
    """

    alphas_cumprod: torch.Tensor

    @classmethod
    def linear(cls) -> NoiseSchedule:
        """ᾱ of :data:`LINEAR`, float32."""
        return cls.of(LINEAR)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> NoiseSchedule:
        """ᾱ of a prior's scheduler, float32.

        Args:
            config: of a scheduler of diffusers.

        Raises:
            ValueError: the network of that scheduler does not predict noise, or not at every step.
        """
        told = "beta_schedule", "trained_betas", "rescale_betas_zero_snr"
        if all(config.get(key, ...) == LINEAR[key] for key in told):
            betas = torch.linspace(config["beta_start"], config["beta_end"], config["num_train_timesteps"])
            alphas, predicts = torch.cumprod(1 - betas, 0), config["prediction_type"]
        else:
            from diffusers.schedulers.scheduling_ddim import DDIMScheduler  # takes longer to load than torch

            scheduler = DDIMScheduler.from_config(dict(config))
            alphas, predicts = scheduler.alphas_cumprod, scheduler.config["prediction_type"]
        if predicts != "epsilon" or not (alphas > 0).all():
            raise ValueError("does not predict noise at every step (prediction_type epsilon, no zero terminal SNR)")
        return cls(alphas)

    def __len__(self) -> int:
        """T, the number of steps."""
        return len(self.alphas_cumprod)

    def alpha_cumprod(self, step: int) -> float:
        """ᾱ_t."""
        return float(self.alphas_cumprod[step])

    @overload
    def coefficients(self, step: int) -> tuple[float, float]: ...
    @overload
    def coefficients(self, step: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...

    def coefficients(self, step: int | torch.Tensor) -> tuple[float, float] | tuple[torch.Tensor, torch.Tensor]:
        """√ᾱ_t and √(1 − ᾱ_t): numbers, or tensors (n, 1, 1, 1)."""
        if isinstance(step, torch.Tensor):
            alpha = self.alphas_cumprod[step][:, None, None, None]
            return alpha.sqrt(), (1 - alpha).sqrt()
        return _square_roots(self.alpha_cumprod(step))

    def mean(self, x0: torch.Tensor, step: int | torch.Tensor) -> torch.Tensor:
        """√ᾱ_t x₀, the mean of q(x_t | x₀): an image without noise, as the network knows it at step t."""
        signal, _ = self.coefficients(step)
        return signal * x0

    def add_noise(self, x0: torch.Tensor, noise: torch.Tensor, step: int | torch.Tensor) -> torch.Tensor:
        """x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε of clean images x₀ and standard normal noise ε of their shape."""
        return _mix(x0, noise, *self.coefficients(step))

    def renoise(self, x: torch.Tensor, noise: torch.Tensor, *, step: int, to: int) -> torch.Tensor:
        """x_u ~ q(x_u | x_t) of x_t at a step t, for a later step u: forward noising with ᾱ_u/ᾱ_t in place of ᾱ."""
        return _mix(x, noise, *_square_roots(self.alpha_cumprod(to) / self.alpha_cumprod(step)))

    def predict_x0(self, x: torch.Tensor, noise: torch.Tensor, step: int | torch.Tensor) -> torch.Tensor:
        """x₀|t = (x_t − √(1 − ᾱ_t) ε_θ) / √ᾱ_t of noisy images and the noise predicted in them (DDNM, eq. 12)."""
        signal, sigma = self.coefficients(step)
        return (x - sigma * noise) / signal


def _square_roots(alpha: float) -> tuple[float, float]:
    return math.sqrt(alpha), math.sqrt(1 - alpha)


def _mix(
    x: torch.Tensor, noise: torch.Tensor, signal: float | torch.Tensor, sigma: float | torch.Tensor
) -> torch.Tensor:
    return signal * x + sigma * noise
