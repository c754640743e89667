"""Matter windows: the rows and columns of a result that show more than air. Beyond them the prior is not asked.

A body fills a half to three quarters of its field of view, and restoring air takes as long as restoring tissue.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from CTSuperResolutionLib.job.target_grid import TargetAxis

AIR_HU = -900.0
"""What the mean of two by two voxels of air stays below; a tenth of tissue in one is above it."""

KEPT, FEWEST_KEPT = 7, 12
"""Voxels of the scan beyond matter that are restored, as far as data consistency carries a change; and at least so many
of the result."""

BEYOND = 36
"""Voxels of the result beyond those that the prior is shown: as far as a pixel of the shipped one sees."""

WORTH = 0.85  # of a slice; a larger share is restored whole
SLICES_AT_ONCE = 16


class Window(NamedTuple):
    """Part of an axis of a result, in its voxels: what the prior is shown, and what is taken of that."""

    seen: slice
    kept: slice

    @property
    def taken(self) -> slice:
        """What is taken, in the voxels of what is shown."""
        return slice(self.kept.start - self.seen.start, self.kept.stop - self.seen.start)

    @classmethod
    def whole(cls, count: int) -> Window:
        """All of an axis."""
        return cls(slice(0, count), slice(0, count))

    @classmethod
    def around(cls, matter: slice, axis: TargetAxis) -> Window:
        """The window of an axis around voxels of the scan along it.

        What is shown begins with an even voxel of the result, and with a voxel of the scan where the factor is whole:
        so are the crops that a prior is trained on.
        """
        fine, room = axis.within(matter), max(math.ceil(KEPT * axis.factor), FEWEST_KEPT)
        grid = 2 * int(axis.factor) if float(axis.factor).is_integer() else 2
        seen = slice(max(fine.start - room - BEYOND, 0) // grid * grid, min(fine.stop + room + BEYOND, axis.count))
        # At the rim of the scan there is nothing that the prior is not shown.
        kept = slice(max(fine.start - room, 0) if seen.start else 0, min(fine.stop + room, axis.count))
        return cls(seen, slice(kept.start, axis.count) if seen.stop == axis.count else kept)


Windows = tuple[Window, Window, Window]


def matter_windows(matter: tuple[slice, slice] | None, axes: Sequence[TargetAxis]) -> Windows:
    """The windows of a result along the axes of the scanner's order.

    Along the first one, its axis of rotation, they are whole: a scan ends there with the body, and is cut into slabs.

    Args:
        matter: voxels of the scan along the two others, see :func:`find_matter`. Windows are whole where it is None.
        axes: of the result.
    """
    first, *others = (Window.whole(axis.count) for axis in axes)
    whole = first, others[0], others[1]
    if matter is None:
        return whole
    rows, columns = (Window.around(part, axis) for part, axis in zip(matter, axes[1:], strict=True))
    shown = math.prod((window.seen.stop - window.seen.start) for window in (rows, columns))
    return (first, rows, columns) if shown <= WORTH * axes[1].count * axes[2].count else whole


def shown_share(windows: Windows, axes: Sequence[TargetAxis]) -> float:
    """Share of the pixels of a result's slices, along its three axes, that the prior is shown."""
    taken, seen = (
        [(part.stop - part.start) / axis.count for part, axis in zip(parts, axes, strict=True)]
        for parts in ([window.kept for window in windows], [window.seen for window in windows])
    )
    return sum(taken[k] * math.prod(seen) / seen[k] for k in range(3)) / 3


def find_matter(hu: np.ndarray, check: Callable[[], None] = lambda: None) -> tuple[slice, slice] | None:
    """Rows and columns between which all matter of a scan lies; None where there is nothing but air.

    Args:
        hu: (slices, rows, columns), in the scanner's order; padding is air.
        check: called now and then; may end the looking by raising.
    """
    rows, columns = (-(-n // 2) for n in hu.shape[1:])
    odd = [(0, 0), *((0, n % 2) for n in hu.shape[1:])]  # an odd last row is a pair with itself
    highest = np.full((rows, columns), -np.inf)
    for first in range(0, len(hu), SLICES_AT_ONCE):
        check()
        part = np.pad(hu[first : first + SLICES_AT_ONCE], odd, mode="edge")
        pairs = part.reshape(len(part), rows, 2, columns, 2)
        np.maximum(highest, pairs.mean(axis=(2, 4)).max(axis=0), out=highest)
    if not (highest > AIR_HU).any():
        return None
    return _span(highest.max(axis=1) > AIR_HU, hu.shape[1]), _span(highest.max(axis=0) > AIR_HU, hu.shape[2])


def _span(found: np.ndarray, size: int) -> slice:
    """From the first pair of voxels that is true to the last, in voxels."""
    pairs = np.flatnonzero(found)
    return slice(2 * int(pairs[0]), min(2 * int(pairs[-1] + 1), size))
