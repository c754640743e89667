"""The prior looks at slices: X-ray images of a thin object, where what views superimpose lies apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

SLAB = 16  # slices looked at together


def coarsest_axes(factors: Sequence[float], count: int) -> tuple[int, ...]:
    """The axes whose slices are the coarsest, which have most to gain; of equal ones the last.

    Args:
        factors: by how much the scan is coarser along (z, y, x).
        count: how many axes.
    """
    by_own_factor = sorted(range(3), key=lambda axis: (factors[axis], -axis))  # what a slice does not show
    return tuple(sorted(by_own_factor[:count]))


def restore_slices(
    volume: torch.Tensor,
    look: Callable[[torch.Tensor, int, int], torch.Tensor],
    gain: float,
    axes: Sequence[int],
    advance: Callable[[int], None],
) -> torch.Tensor:
    """A volume with what the prior sees in its slices along some axes: x + g · (mean over the axes − x).

    Of what is invented in a slice alone, averaging over three axes takes two thirds away. A gain above 1 makes up for
    what that takes from details that only one or two of the directions show.

    Args:
        volume: x, (z, y, x), in [0, 1].
        look: restores slices (n, rows, columns) in [0, 1]; told the axis and the index of the first one.
        gain: g.
        axes: see :func:`coarsest_axes`.
        advance: told how many slices were done, of all along these axes.
    """
    restored = torch.zeros_like(volume)
    for axis in axes:
        slices, sums = volume.movedim(axis, 0), restored.movedim(axis, 0)
        for first in range(0, len(slices), SLAB):
            slab = slice(first, first + SLAB)
            sums[slab] += look(slices[slab].contiguous(), axis, first) / len(axes)
            advance(len(slices[slab]))
    return torch.lerp(volume, restored, gain)
