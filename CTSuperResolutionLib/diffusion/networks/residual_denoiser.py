"""Residual denoiser, the shipped prior's network: a plain stack of residual blocks, small enough for a CPU."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.networks.native_blocks import NativeBlocks, can_be_native
from CTSuperResolutionLib.kernels.constants import TILE

CONTRAST_GAIN = 10.0  # of the first layer's zero-sum filters when training starts
CONTRAST_SHARE = 7 / 8  # how many of its filters are zero-sum
# It is told of no factors that it was not trained on: none above 8, nor above 4 where rows and columns differ.
COARSEST, COARSEST_UNEQUAL = 8.0, 4.0
WIDTHS = 0.5, 16.0  # pixels
LONGEST_WAVE = 10_000  # over 2π, in diffusion steps
NOISE_UNIT, NOISIEST = 1e-3, 0.02  # of the scale [0, 1], which has about 4,000 HU

STRIP_PIXELS = 1 << 19
"""Of an image that is looked at as a whole: a larger one is in strips, each with what its pixels see beyond it."""


class ResidualDenoiser(torch.nn.Module):
    """Predicts the noise of single-channel images, as a diffusers ``UNet2DModel`` does, from a neighbourhood alone.

    The measured range-space holds an image's large structures at every step of the sampler, so what is left to know is
    local: blocks of two 3 × 3 convolutions (EDSR, Lim et al. 2017: no normalisation, which would lose the scale of the
    contrast) on patches of ``patch`` × ``patch`` pixels as channels. On a CPU it learns and runs several times faster
    than a UNet of the same quality. Noise and coarseness scale and shift the features of each block (FiLM, Perez et
    al. 2018): a neighbourhood alone does not say how much coarser an image was measured.

    A slice may be shown with its neighbours: what they have beyond it, so that a slice without any is shown zeros.

    Args:
        channels: width. blocks: depth; a pixel sees (2 blocks + 2) patches in each direction.
        patch: pixels of a patch along each side.
        neighbours: slices on either side that are shown with a slice.
        acquisition: whether it is told point-spread function, noise and what lies across the slice, beside the factors
            of rows and columns.

    Attributes:
        config: these arguments, by their names.
    """

    def __init__(
        self, channels: int = 48, blocks: int = 5, patch: int = 2, neighbours: int = 0, acquisition: bool = False
    ) -> None:
        super().__init__()
        self.config: dict[str, int] = {
            "channels": channels,
            "blocks": blocks,
            "patch": patch,
            "neighbours": neighbours,
            "acquisition": acquisition,
        }
        pixels = patch**2
        self.embedding = _StepEmbedding(channels, 2 * channels)
        self.coarseness = _perceptron(2, 2 * channels)
        self.conv_in = _convolution(pixels, channels)
        self.body = torch.nn.ModuleList(_Block(channels, 2 * channels) for _ in range(blocks))
        self._native: NativeBlocks | None = None  # of weights that are not trained any more
        self.conv_out = _convolution(channels, pixels)
        # What is added to a network starts at zero: weights that were trained without it give what they gave.
        if neighbours:
            self.neighbours_in = torch.nn.Conv2d(2 * neighbours * pixels, channels, 3, padding=1, bias=False)
            torch.nn.init.zeros_(self.neighbours_in.weight)
        if acquisition:
            self.sampling = _perceptron(len(ImageAcquisition._fields), 2 * channels)
            for values in self.sampling[-1].parameters():
                torch.nn.init.zeros_(values)
        with torch.no_grad():
            # Details are a hundredth of an image's range: filters that see differences only, and amplified, save
            # the first thousand steps of training.
            contrast = self.conv_in.weight[: round(CONTRAST_SHARE * channels)]
            contrast -= contrast.mean((1, 2, 3), keepdim=True)
            contrast *= CONTRAST_GAIN
            self.conv_out.weight.zero_()

    def begin_from(self, other: ResidualDenoiser) -> None:
        """Take the weights of a network that is like this one, or shallower: it gives the same until it is trained.

        Blocks beyond the other's begin as the identity.

        Raises:
            ValueError: the other is deeper, or they differ in more than depth.
        """
        if len(other.body) > len(self.body):
            raise ValueError(f"it has {len(other.body)} blocks, more than {len(self.body)}")
        for name, ours in self.config.items():
            if name != "blocks" and other.config[name] != ours:
                raise ValueError(f"its {name} are {other.config[name]}, not {ours}")
        self.load_state_dict(other.state_dict(), strict=False)
        for block in list(self.body)[len(other.body) :]:
            assert isinstance(block, _Block)
            torch.nn.init.zeros_(block.second.weight)

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        return self.config["patch"]

    @property
    def reach(self) -> int:
        """How many neighbours it takes on either side."""
        return self.config["neighbours"]

    def predict_noise(
        self, images: torch.Tensor, step: int, acquisitions: torch.Tensor | None, neighbours: torch.Tensor | None = None
    ) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, 1, v, u) in [−1, 1], as in :class:`.Denoiser`.

        Raises:
            ValueError: no acquisitions are given.
        """
        if acquisitions is None:
            raise ValueError("this network has to be told how the images were measured: prior.at(acquisition)")
        steps, rows = torch.full((len(images),), step, device=images.device), images.shape[-2]
        tile, strips = TILE * self.multiple, list[torch.Tensor]()  # strips have the whole image's tiles
        height = max(STRIP_PIXELS // images.shape[-1] // tile, 1) * tile
        beyond = tile * math.ceil((2 * len(self.body) + 2) / TILE)  # at least as far as a pixel sees
        for first in range(0, rows, height):
            above = max(first - beyond, 0)
            some = slice(above, first + height + beyond)
            beside = None if neighbours is None else neighbours[:, :, some]
            predicted = self(images[:, :, some], steps, acquisitions, beside)
            strips.append(predicted[:, :, first - above : first - above + height])
        return strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        acquisitions: torch.Tensor,
        neighbours: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """ε_θ(x_t, t): images (n, 1, v, u) in [−1, 1] at steps (n,) -> noise, same shape.

        ``acquisitions`` are (n, 7), of which a network without ``acquisition`` sees the first two, the factors of rows
        and columns; ``neighbours`` (n, 2 neighbours, v, u).
        """
        condition = self.embedding(timestep, sample.dtype)
        condition = condition + self.coarseness(_familiar(acquisitions[:, :2]).log2())
        if self.config["acquisition"]:
            condition = condition + self.sampling(_encoded(acquisitions))
        with torch.autocast(sample.device.type, enabled=False):  # half precision has no digits for faint details
            features = self.conv_in(F.pixel_unshuffle(sample, self.multiple))
            if self.reach and neighbours is not None:
                beyond = F.pixel_unshuffle(neighbours, self.multiple)
                features = features + self.neighbours_in(CONTRAST_GAIN * beyond)
        return F.pixel_shuffle(self.conv_out(self._through_blocks(features, condition)), self.multiple)

    def _through_blocks(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        blocks = cast(list[_Block], list(self.body))
        if not can_be_native(blocks, features):
            for block in blocks:
                features = block(features, condition)
            return features
        if self._native is None or not self._native.are_of(blocks):
            self._native = NativeBlocks.of(blocks)
        return self._native(features, condition)


def _encoded(acquisitions: torch.Tensor) -> torch.Tensor:
    """Acquisitions (n, 7) as numbers of about 1, within what training shows."""
    factors = acquisitions[:, :3].clamp(1, COARSEST).log2()
    widths = acquisitions[:, 3:6].clamp(*WIDTHS).log2()
    return torch.cat([factors, widths, (1 + acquisitions[:, 6:].clamp(0, NOISIEST) / NOISE_UNIT).log2()], 1)


def _familiar(factors: torch.Tensor) -> torch.Tensor:
    """The nearest factors (n, 2) that training showed; in place of coarse unequal ones the larger for both."""
    larger = factors.amax(1, keepdim=True)
    return torch.where(larger > COARSEST_UNEQUAL, larger, factors).clamp(max=COARSEST)


def _perceptron(inputs: int, outputs: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(inputs, outputs), torch.nn.SiLU(), torch.nn.Linear(outputs, outputs))


class _StepEmbedding(torch.nn.Module):
    """A diffusion step as features: sines and cosines (Vaswani et al. 2017), through two layers.

    Weights are named as those of diffusers' ``TimestepEmbedding``, whose values it has.
    """

    def __init__(self, waves: int, outputs: int) -> None:
        super().__init__()
        self._waves = waves
        self.linear_1, self.linear_2 = torch.nn.Linear(waves, outputs), torch.nn.Linear(outputs, outputs)

    def forward(self, steps: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Steps (n,) -> (n, outputs) of a type."""
        half = self._waves // 2
        rates = torch.exp(-math.log(LONGEST_WAVE) * torch.arange(half, device=steps.device) / half)
        angles = steps[:, None].float() * rates
        features: torch.Tensor = self.linear_1(torch.cat([angles.cos(), angles.sin()], 1).to(dtype))
        features = self.linear_2(F.silu(features))
        return features


class _Block(torch.nn.Module):
    def __init__(self, channels: int, embedded: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(channels, channels), _convolution(channels, channels)
        self.film = torch.nn.Linear(embedded, 2 * channels)
        with torch.no_grad():
            self.second.weight *= 0.3  # a deep sum of blocks starts near the identity
            self.film.weight.zero_()
            self.film.bias.zero_()

    def forward(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        return features + self.second(F.relu(self.first(features) * (1 + scale) + shift))


def _convolution(inputs: int, outputs: int) -> torch.nn.Conv2d:
    convolution = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
    # Faint details must not drown in a bias: the kink of the activation stays where they are.
    assert convolution.bias is not None
    torch.nn.init.zeros_(convolution.bias)
    return convolution
