"""UNet denoiser: the adapter of diffusers' ``UNet2DModel``, and so of guided-diffusion's network, to grey images."""

from __future__ import annotations

import torch
from diffusers.models.unets.unet_2d import UNet2DModel


class UNetDenoiser:
    """A UNet of grey or colour images. One of colour sees the image in each channel; its predictions are averaged.

    Args:
        network: predicts the noise of images (n, channels, v, u) at steps (n,); one channel or three.

    Raises:
        ValueError: the network is of other images, or of classes of images.
    """

    def __init__(self, network: UNet2DModel) -> None:
        channels = network.config["in_channels"], network.config["out_channels"]
        if channels not in ((1, 1), (3, 3)):
            raise ValueError("works neither on grey nor on colour images")
        if network.config.get("num_class_embeds") or network.config.get("class_embed_type"):
            raise ValueError("has to be told a class of images")
        self.network = network
        self._channels, _ = channels

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this: every level but the first halves them."""
        return 2 ** (len(self.network.config["block_out_channels"]) - 1)

    @property
    def reach(self) -> int:
        """It sees no neighbours."""
        return 0

    def predict_noise(
        self,
        images: torch.Tensor,
        step: int,
        acquisitions: torch.Tensor | None = None,
        neighbours: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, 1, v, u), as in :class:`.Denoiser`; nothing else makes a difference."""
        steps = torch.full((len(images),), step, device=images.device)
        predicted = self.network(images.expand(-1, self._channels, -1, -1), steps).sample
        return predicted.mean(1, keepdim=True)
