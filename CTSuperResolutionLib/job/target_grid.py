"""Target grid: the voxels of a result over those of its scan, for factors that need not be whole.

Along an axis as many fine voxels as fit lie over the scan's, with one middle: what is left over is shared by both
ends. A region of the scan has the fine voxels of the whole that lie in it, so that its result has its voxels where
that of the whole scan has them. All places are exact fractions: with whole factors nothing is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.refinement import Factors, Refinement, Triple
from CTSuperResolutionLib.job.region import Slices

# Torch indexes a volume's voxels with 32 bits on GPUs.
MAX_OUTPUT_VOXELS = 2**31 - 1

BEYOND = Fraction(1, 10**6)
"""Part of a fine voxel that may lie beyond the scan's: decimal lengths in mm are no exact binary ones."""


@dataclass(frozen=True)
class TargetAxis:
    """Fine voxels along one axis of a scan or of a part of it. Faces and centres are in the scan's voxels from there.

    Attributes:
        size: voxels of the scan. spacing: mm between them.
        count: fine voxels. pitch: mm between them.
        factor: how many times finer they are.
        inset: where the first face is, from the scan's own first face.
    """

    size: int
    spacing: float
    count: int
    pitch: float
    factor: float
    inset: Fraction = Fraction(0)

    @classmethod
    def over(cls, size: int, spacing: float, factor: float, pitch: float) -> TargetAxis:
        """As many fine voxels of that pitch as fit over so many of a scan, with one middle."""
        step = _step(factor)
        count = max(int(size / step + BEYOND), 1)
        return cls(size, spacing, count, pitch, factor, (size - count * step) / 2)

    @property
    def step(self) -> Fraction:
        """Width of a fine voxel."""
        return _step(self.factor)

    @property
    def first(self) -> float:
        """Index of the scan's voxels at which the first fine one has its centre."""
        return float(self.inset + (self.step - 1) / 2)

    @property
    def shift(self) -> float:
        """From the middle of the scan's voxels to that of the fine ones, mm."""
        return float(self.inset + (self.count * self.step - self.size) / 2) * self.spacing

    def within(self, part: slice) -> slice:
        """The fine voxels that lie in a part of the scan's."""
        start = math.ceil((part.start - self.inset) / self.step - BEYOND)
        stop = int((part.stop - self.inset) / self.step + BEYOND)
        return slice(max(start, 0), min(stop, self.count))

    def part(self, part: slice) -> TargetAxis:
        """The same over a part of the scan."""
        fine = self.within(part)
        inset = self.inset + fine.start * self.step - part.start
        return TargetAxis(part.stop - part.start, self.spacing, fine.stop - fine.start, self.pitch, self.factor, inset)


@dataclass(frozen=True)
class TargetGrid:
    """The voxels of a result over those of its scan.

    >>> finer = Refinement.to_spacing((0.78, 0.9, 0.9), (5.0, 0.9, 0.9))
    >>> grid = TargetGrid.over((40, 256, 256), (5.0, 0.9, 0.9), finer)
    >>> grid.shape, grid.spacing
    ((256, 256, 256), (0.78, 0.9, 0.9))

    Attributes:
        axes: along (z, y, x).
    """

    axes: tuple[TargetAxis, TargetAxis, TargetAxis]

    @classmethod
    def over(cls, shape: Sequence[int], spacing: Sequence[float], refinement: Refinement) -> TargetGrid:
        """The grid over a scan of that shape and spacing in mm, (z, y, x)."""
        z, y, x = (
            TargetAxis.over(*axis) for axis in zip(shape, spacing, refinement.factors, refinement.spacing, strict=True)
        )
        return cls((z, y, x))

    @property
    def factors(self) -> Factors:
        """How many times finer than the scan it is, (z, y, x)."""
        z, y, x = (axis.factor for axis in self.axes)
        return z, y, x

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the result, (z, y, x)."""
        z, y, x = (axis.count for axis in self.axes)
        return z, y, x

    @property
    def voxels(self) -> int:
        """How many there are."""
        return math.prod(self.shape)

    @property
    def spacing(self) -> Triple:
        """mm between them, (z, y, x)."""
        z, y, x = (axis.pitch for axis in self.axes)
        return z, y, x

    @property
    def first(self) -> Triple:
        """Index (z, y, x) of the scan's voxels at which the first one has its centre."""
        z, y, x = (axis.first for axis in self.axes)
        return z, y, x

    def within(self, region: Slices) -> Slices:
        """The voxels that lie in a region of the scan, both along (z, y, x)."""
        z, y, x = (axis.within(part) for axis, part in zip(self.axes, region, strict=True))
        return z, y, x

    def part(self, region: Slices) -> TargetGrid:
        """The grid over a region of the scan: voxels of this one, see :meth:`within`."""
        z, y, x = (axis.part(part) for axis, part in zip(self.axes, region, strict=True))
        return TargetGrid((z, y, x))

    def countable(self) -> TargetGrid:
        """This grid, if the result does not have too many voxels.

        Raises:
            JobError: it has.
        """
        if self.voxels > MAX_OUTPUT_VOXELS:
            raise JobError(
                f"The result would have {self.voxels / 1e9:.1f} billion voxels, and {MAX_OUTPUT_VOXELS / 1e9:.1f} is "
                "the most; choose a region of interest or a lower scale."
            )
        return self


def _step(factor: float) -> Fraction:
    """Width of a fine voxel in the scan's, exactly."""
    return 1 / Fraction(factor)
