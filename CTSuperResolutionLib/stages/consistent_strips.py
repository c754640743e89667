"""Volumes made consistent with the scan strip by strip, see :mod:`CTSuperResolutionLib.planning.strips`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from CTSuperResolutionLib.degradation.acquisition import Acquisition
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.target_grid import TargetAxis
from CTSuperResolutionLib.planning.strips import Strip, strips

InHu = Callable[[torch.Tensor, DataConsistency, Sequence[TargetAxis]], torch.Tensor]
"""Makes HU of a strip of a volume, whose place may be taken; told the scan's demands on it, and its axes."""


@dataclass(frozen=True, eq=False)
class ConsistentStrips:
    """The demands of a scan on a volume, strip by strip.

    Attributes:
        whole: the demands.
        axes: of the volume over the scan. acquisition: of the scan, along the same axes.
    """

    whole: DataConsistency
    axes: Sequence[TargetAxis]
    acquisition: Acquisition

    def enforce(self, volume: torch.Tensor, in_hu: InHu, progress: Progress | None = None) -> torch.Tensor:
        """A volume in HU and consistent with the scan, in its place.

        Args:
            volume: (z, y, x), on any scale. in_hu: makes HU of its strips.
            progress: advanced by one for each round of consistency.
        """
        if len(self._strips) == 1:
            return self.whole.enforce_in_place(in_hu(volume, self.whole, self.axes), progress)
        for strip, own in self._as_they_were(volume):
            part, axes = self._part(strip), strip.axes(self.axes)
            parts = (progress or Progress()).in_parts(len(self._strips))
            result = part.enforce_in_place(in_hu(own, part, axes), parts)
            first = strip.fine.start
            core = slice(strip.core.start - first, strip.core.stop - first)
            _narrowed(volume, strip.axis, strip.core).copy_(_narrowed(result, strip.axis, core))
        return volume

    @cached_property
    def _strips(self) -> list[Strip]:
        return strips(self.axes)

    def _part(self, strip: Strip) -> DataConsistency:
        """What the scan demands of a strip."""
        along = list(self.whole.degradation.axes)
        if along[strip.axis] is not None:
            along[strip.axis] = self.acquisition.degradation_from(strip.axes(self.axes)).axes[strip.axis]

        def own(coarse: torch.Tensor) -> torch.Tensor:
            return _narrowed(coarse, strip.axis, strip.coarse)

        return replace(
            self.whole,
            degradation=Degradation(tuple(along)),
            measurement=own(self.whole.measurement),
            filtered_measurement=own(self.whole.filtered_measurement),
            measured=None if self.whole.measured is None else own(self.whole.measured),
            highest=self.whole.most,
        )

    def _as_they_were(self, volume: torch.Tensor) -> Iterator[tuple[Strip, torch.Tensor]]:
        """The strips with copies of their parts of a volume, to be changed one by one.

        What the margin of a strip has of the core before it is as it was before that was changed.
        """
        before = volume.narrow(self._strips[0].axis, 0, 0)
        for strip, following in zip(self._strips, [*self._strips[1:], None], strict=True):
            untouched = slice(strip.core.start, strip.fine.stop)
            own = torch.cat([before, _narrowed(volume, strip.axis, untouched)], strip.axis)
            if following is not None:
                first = strip.fine.start
                shared = slice(following.fine.start - first, strip.core.stop - first)
                before = _narrowed(own, strip.axis, shared).clone()
            yield strip, own


def _narrowed(array: torch.Tensor, axis: int, some: slice) -> torch.Tensor:
    return array.narrow(axis, some.start, some.stop - some.start)
