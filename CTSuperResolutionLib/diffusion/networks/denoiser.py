"""Denoiser: the protocol of a network that predicts the noise of X-ray images."""

from __future__ import annotations

from typing import Protocol

import torch


class Denoiser(Protocol):
    """Predicts noise, ε_θ(x_t, t). A network is one itself, or has an adapter for the kind of network that it is."""

    @property
    def multiple(self) -> int:
        """Sides of the images that it takes are multiples of this."""

    @property
    def reach(self) -> int:
        """How many neighbours of a slice it takes on either side; 0 for a network that sees none."""

    def predict_noise(
        self, images: torch.Tensor, step: int, acquisitions: torch.Tensor | None, neighbours: torch.Tensor | None = None
    ) -> torch.Tensor:
        """ε_θ(x_t, t) of grey images (n, 1, v, u) in [−1, 1] units, at one diffusion step for all; same shape.

        Args:
            images: x_t. step: t.
            acquisitions: (n, 7), how each image was measured: the values of :class:`.ImageAcquisition` in their order.
                A network that was not trained with them passes over them.
            neighbours: (n, 2 reach, v, u), what each slice's neighbours, nearest to the volume's beginning first, have
                beyond the slice itself, both without noise; None for images without neighbours.

        Raises:
            ValueError: the network takes acquisitions, and they are None.
        """
