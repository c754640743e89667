"""Slice fixer's network: residual blocks of wide reach that take streaks off a slice in one step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

NEIGHBOURS = 1  # slices on either side that are shown with a slice
SHOWN = 2 * (2 * NEIGHBOURS + 1)  # channels: slices, and what the views say beyond them
VIEW_ROWS, VIEW_COLUMNS = 16, 64  # of the part of a projection that is shown with a slice
CONDITION = 64
DILATIONS = (1, 2, 4, 8)  # of the blocks in turn: streaks cross a whole slice
# Streaks and what the views still say are some hundredths of a slice's range, in and out, while Adam's first steps are
# as long for every weight whatever its gradient.
GAIN_IN, GAIN_OUT = 10.0, 0.1


class SliceFixerNetwork(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers' two bases differ in a type
    """Predicts a clean slice from one with streaks, in one step at a fixed time, as SliceFixer of DiffNR does.

    A stack of residual blocks on patches of 2 × 2 pixels, as the shipped prior is; dilated convolutions let eight
    blocks see eighty pixels far. Beside a slice it is shown what the views say beyond it: the filtered backprojection
    of what the volume leaves of them. What two orthogonal projections show near the slice scales and shifts the
    features (FiLM, Perez et al. 2018).

    Args:
        channels: width. blocks: depth.
        up_down: whether slices are brought to twice their size, repaired and brought back, in patches twice as large.
        biplanar: whether it is told of projections.

    Attributes:
        at_once: slices that are repaired together.
    """

    at_once = 8

    @register_to_config
    def __init__(self, channels: int = 48, blocks: int = 8, up_down: bool = False, biplanar: bool = True) -> None:
        super().__init__()
        pixels = self.patch**2
        self.conv_in = torch.nn.Conv2d(SHOWN * pixels, channels, 3, padding=1)
        self.body = torch.nn.ModuleList(_Block(channels, DILATIONS[k % len(DILATIONS)]) for k in range(blocks))
        self.conv_out = torch.nn.Conv2d(channels, pixels, 3, padding=1)
        torch.nn.init.zeros_(self.conv_out.weight)  # it starts by leaving slices as they are
        torch.nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]
        if biplanar:
            self.views = torch.nn.Sequential(
                *view_layers(32),
                torch.nn.Flatten(),
                torch.nn.Linear(32 * (VIEW_ROWS // 8) * (VIEW_COLUMNS // 8), CONDITION),
            )

    @property
    def patch(self) -> int:
        """Pixels of a patch along each side, of the slice that is worked on."""
        return 4 if self.config["up_down"] else 2

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        return 2

    def forward(self, slices: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
        """Slices to clean slices (n, 1, y, x).

        Args:
            slices: (n, 6, y, x): a slice between its neighbours in [0, 1], and what the views say beyond each of them.
            views: (n, 2, 16, 64).
        """
        up_down = bool(self.config["up_down"])
        middle = slices[:, NEIGHBOURS : NEIGHBOURS + 1]
        volume, missing = slices.chunk(2, dim=1)
        beside = volume - middle
        beside[:, NEIGHBOURS] = middle[:, 0]  # its neighbours by what they have beyond it
        shown = torch.cat([beside, GAIN_IN * missing], 1)
        if up_down:
            shown = F.interpolate(shown, scale_factor=2, mode="bilinear")
        condition = slices.new_zeros((len(slices), CONDITION))
        if self.config["biplanar"]:
            condition = self.views(views)
        features = self.conv_in(F.pixel_unshuffle(shown, self.patch))
        for block in self.body:
            features = block(features, condition)
        change = F.pixel_shuffle(self.conv_out(features), self.patch)
        return middle + GAIN_OUT * (F.avg_pool2d(change, 2) if up_down else change)


def view_layers(channels: int) -> list[torch.nn.Module]:
    """Layers that look at two projections (n, 2, 16, 64): (n, channels, 2, 8)."""
    return [
        torch.nn.Conv2d(2, 16, 3, stride=2, padding=1),
        torch.nn.SiLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.SiLU(),
        torch.nn.Conv2d(32, channels, 3, stride=2, padding=1),
    ]


class _Block(torch.nn.Module):
    """x + conv(relu(FiLM(dilated conv(x)))), over 3 × 3 patches twice."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = torch.nn.Conv2d(channels, channels, 3, padding=1)
        self.film = torch.nn.Linear(CONDITION, 2 * channels)
        with torch.no_grad():
            self.second.weight *= 0.3  # a deep sum of blocks starts near the identity
            self.film.weight.zero_()
            self.film.bias.zero_()

    def forward(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        return features + self.second(F.relu(self.first(features) * (1 + scale) + shift))
