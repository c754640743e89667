"""Kinds of networks that a prior may have, by the class name in its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from CTSuperResolutionLib.diffusion.networks.denoiser import Denoiser
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser

# diffusers takes longer to load than torch, so that only what needs it loads it.


class NetworkKind(NamedTuple):
    """What makes a network of its configuration, and a denoiser of the network."""

    make: Callable[[Mapping[str, Any]], Any]
    denoiser: Callable[[Any], Denoiser]


def _residual(config: Mapping[str, Any]) -> ResidualDenoiser:
    return ResidualDenoiser(**{name: value for name, value in config.items() if not name.startswith("_")})


def _unet(config: Mapping[str, Any]) -> Any:
    from diffusers.models.unets.unet_2d import UNet2DModel

    return UNet2DModel.from_config(dict(config))


def _guided_diffusion(config: Mapping[str, Any]) -> Any:
    from CTSuperResolutionLib.diffusion.networks.guided_diffusion import GuidedDiffusionUNet

    return GuidedDiffusionUNet.from_config(dict(config))


def _unet_denoiser(network: Any) -> Denoiser:
    from CTSuperResolutionLib.diffusion.networks.unet_denoiser import UNetDenoiser

    return UNetDenoiser(network)


def _channels_last(network: ResidualDenoiser) -> Denoiser:
    convert_conv2d_weight_memory_format(network, torch.channels_last)  # a CPU convolves so in 2/3 of the time
    return network


NETWORKS: dict[str, NetworkKind] = {
    "ResidualDenoiser": NetworkKind(_residual, _channels_last),
    "UNet2DModel": NetworkKind(_unet, _unet_denoiser),
    "GuidedDiffusionUNet": NetworkKind(_guided_diffusion, _unet_denoiser),
}
