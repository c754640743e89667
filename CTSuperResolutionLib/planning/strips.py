"""Strips: parts of a volume across its slices, each made consistent with the scan by itself.

Data consistency is local, so a strip with a margin gives what the whole volume would give there, and the rounds need
memory for a strip alone. Strips lie at the same voxels of a scan however many of its slices are worked on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from CTSuperResolutionLib.job.target_grid import TargetAxis

HEIGHT = 96
"""Voxels of the scan in a strip."""

MARGIN = 16
"""Voxels of the scan on either side: a chest's and a skull's strips differ from the whole volume by 0.4 HU at the most,
and edges of 1,000 HU everywhere by 2 HU."""


@dataclass(frozen=True)
class Strip:
    """A part of a volume along one of its axes.

    Attributes:
        axis: 1 or 2.
        coarse: what is worked on, in voxels of the scan. fine: the same in those of the result.
        core: what is kept of it, in voxels of the result.
    """

    axis: int
    coarse: slice
    fine: slice
    core: slice

    def axes(self, axes: Sequence[TargetAxis]) -> list[TargetAxis]:
        """The axes of a grid with the strip's part of its own."""
        return [along.part(self.coarse) if k == self.axis else along for k, along in enumerate(axes)]


def strips(axes: Sequence[TargetAxis]) -> list[Strip]:
    """The strips of a volume over a scan, one after the other; a single one where it is not large.

    They lie along the axis that is not refined, where there is one of the last two and consistency does not reach
    beyond a line of voxels, or along the longer of these.
    """
    axis = min((1, 2), key=lambda k: (axes[k].factor != 1, -axes[k].size))
    along = axes[axis]
    margin = MARGIN if along.factor != 1 else 0
    count = max(round((along.size - 2 * margin) / HEIGHT), 1)
    ends = [round(along.size * k / count) for k in range(count + 1)]
    # Whose first face lies beyond a strip's end: voxels that do not begin with the scan's belong to the one before.
    first = [along.within(slice(end, along.size)).start for end in ends[:-1]] + [along.count]
    found = []
    for k in range(count):
        coarse = slice(max(ends[k] - margin, 0), min(ends[k + 1] + margin, along.size))
        start = along.within(slice(coarse.start, along.size)).start
        stop = along.within(slice(0, coarse.stop)).stop
        found.append(Strip(axis, coarse, slice(start, stop), slice(first[k], first[k + 1])))
    return found
