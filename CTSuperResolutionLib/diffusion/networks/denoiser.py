"""Denoiser: the protocol of a network that predicts the noise of X-ray images."""

from __future__ import annotations

from typing import Protocol

import torch


class Denoiser(Protocol):
    """Predicts noise, ε_θ(x_t, t). A network is one itself, or has an adapter for the kind of network that it is."""

    @property
    def multiple(self) -> int:
        """Sides of the images that it takes are multiples of this."""

    def predict_noise(self, images: torch.Tensor, step: int, factors: torch.Tensor | None) -> torch.Tensor:
        """ε_θ(x_t, t) of grey images (n, 1, v, u) in [−1, 1] units, at one diffusion step for all; same shape.

        Args:
            images: x_t. step: t.
            factors: (n, 2), by how much rows and columns of each image were measured coarser than it shows them. A
                network that was not trained with them passes over them.

        Raises:
            ValueError: the network takes factors, and they are None.
        """
