"""The prior looks at slices: X-ray images of a thin object, where what views superimpose lies apart."""

from __future__ import annotations

from collections.abc import Callable

import torch

SLAB = 16  # slices looked at together


def restore_slices(
    volume: torch.Tensor,
    look: Callable[[torch.Tensor, int, int], torch.Tensor],
    gain: float,
    advance: Callable[[int], None],
) -> torch.Tensor:
    """A volume with what the prior sees in its slices along each of the three axes: x + g · (mean of the three − x).

    What is invented in a slice alone, two of three average away. A gain above 1 makes up for what averaging takes from
    details that only one or two of the directions show.

    Args:
        volume: x, (z, y, x), in [0, 1].
        look: restores slices (n, rows, columns) in [0, 1]; told the axis and the index of the first one.
        gain: g.
        advance: told how many slices were done, of all along the three axes.
    """
    restored = torch.zeros_like(volume)
    for axis in range(3):
        slices, sums = volume.movedim(axis, 0), restored.movedim(axis, 0)
        for first in range(0, len(slices), SLAB):
            slab = slice(first, first + SLAB)
            sums[slab] += look(slices[slab].contiguous(), axis, first) / 3
            advance(len(slices[slab]))
    return torch.lerp(volume, restored, gain)
