"""Slice fixer's network: a small UNet that takes streaks off a slice, told of two orthogonal projections."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

NEIGHBOURS = 1  # slices on either side that are shown with a slice
VIEW_ROWS, VIEW_COLUMNS = 16, 64  # of the part of a projection that is shown with a slice
CONDITION = 64


class SliceFixerNetwork(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers' two bases differ in a type
    """Predicts a clean slice from one with streaks, in one step at a fixed time, as SliceFixer of DiffNR does.

    As there, a slice is brought to twice its size, repaired, and brought back ("up-downsampling"); here the first layer
    takes patches of 2 × 2 of the larger slice, so that it costs little. Streaks cross the whole slice: four levels see
    some hundred pixels far. What two orthogonal projections show near the slice scales and shifts the features (FiLM).

    Args:
        channels: width of the first level; the others have 2, 3 and 4 times that.
        up_down: whether slices are worked on at twice their size.
        biplanar: whether it is told of projections.
    """

    @register_to_config
    def __init__(self, channels: int = 24, up_down: bool = True, biplanar: bool = True) -> None:
        super().__init__()
        widths = [channels * k for k in (1, 2, 3, 4)]
        patch = 4 if up_down else 1
        self.conv_in = torch.nn.Conv2d((2 * NEIGHBOURS + 1) * patch, channels, 3, padding=1)
        self.down = torch.nn.ModuleList(_Block(w) for w in widths[:-1])
        self.coarser = torch.nn.ModuleList(torch.nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.middle = torch.nn.ModuleList(_Block(widths[-1]) for _ in range(2))
        self.finer = torch.nn.ModuleList(
            torch.nn.Conv2d(b, a, 1) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.up = torch.nn.ModuleList(_Block(w) for w in widths[-2::-1])
        self.conv_out = torch.nn.Conv2d(channels, patch, 3, padding=1)
        torch.nn.init.zeros_(self.conv_out.weight)  # it starts by leaving slices as they are
        torch.nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]
        if biplanar:
            self.views = torch.nn.Sequential(
                torch.nn.Conv2d(2, 16, 3, stride=2, padding=1),
                torch.nn.SiLU(),
                torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
                torch.nn.SiLU(),
                torch.nn.Conv2d(32, 32, 3, stride=2, padding=1),
                torch.nn.Flatten(),
                torch.nn.Linear(32 * (VIEW_ROWS // 8) * (VIEW_COLUMNS // 8), CONDITION),
            )

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        return 8

    def forward(self, slices: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
        """Slices with neighbours (n, 3, y, x) in [0, 1] and views (n, 2, 16, 64) to clean slices (n, 1, y, x)."""
        up_down = bool(self.config["up_down"])
        middle = slices[:, NEIGHBOURS : NEIGHBOURS + 1]
        shown = slices
        if up_down:
            shown = F.pixel_unshuffle(F.interpolate(slices, scale_factor=2, mode="bilinear"), 2)
        condition = slices.new_zeros((len(slices), CONDITION))
        if self.config["biplanar"]:
            condition = self.views(views)
        features = self.conv_in(shown)
        kept = []
        for block, coarser in zip(self.down, self.coarser, strict=True):
            features = block(features, condition)
            kept.append(features)
            features = coarser(features)
        for block in self.middle:
            features = block(features, condition)
        for block, finer in zip(self.up, self.finer, strict=True):
            features = finer(F.interpolate(features, scale_factor=2, mode="nearest")) + kept.pop()
            features = block(features, condition)
        change = self.conv_out(features)
        # The mean of a patch is what the larger slice comes to when it is brought back.
        return middle + (change.mean(1, keepdim=True) if up_down else change)


class _Block(torch.nn.Module):
    """x + conv(act(FiLM(conv(x)))), over 3 × 3 pixels twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(channels, channels, 3, padding=1)
        self.second = torch.nn.Conv2d(channels, channels, 3, padding=1)
        self.film = torch.nn.Linear(CONDITION, 2 * channels)
        with torch.no_grad():
            self.second.weight *= 0.3  # a deep sum of blocks starts near the identity
            self.film.weight *= 0.1

    def forward(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        return features + self.second(F.silu(self.first(features) * (1 + scale) + shift))
