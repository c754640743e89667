"""Slabs: the parts of a scan, along the scanner's axis of rotation, that are worked on one after the other.

The beam is parallel about that axis and every other step is local along it, so a slab that is worked on with a margin
gives what the whole scan would give there. How many there are follows from the memory that a job may take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import MAX_OUTPUT_VOXELS, TargetAxis, TargetGrid
from CTSuperResolutionLib.planning.bands import scan_bands
from CTSuperResolutionLib.planning.cost_model import BASE_BYTES, estimate_memory
from CTSuperResolutionLib.planning.margin import patch_start
from CTSuperResolutionLib.volume.axis_order import AxisOrder

MARGIN, WIDEST = 14, 19
"""Voxels of the scan on either side of a slab: what it can make do with, and the most that it is given. The nearest
consistent volume is what reaches farthest: of Lanczos sampling, the widest kernel, the difference to the whole scan
falls to 1 HU within 14 at 2× and within 19 at 4×, where 14 leave up to 5 HU in some 5 of 100,000 voxels."""

MORE_WORK = 1.5
"""By how much the work may grow for a margin wider than MARGIN."""

SEEN = 16
"""Voxels of the result within which lies what matters to the prior's network."""

BESIDE = 16
"""Slices of the result on either side of a core that have a residual with it."""

BYTES_A_SCAN_VOXEL = 5
"""The scan and where it was measured stay in memory while its slabs are worked on."""

BYTES_A_JUDGED_VOXEL = 24
"""Of a scan, whose result is judged as a whole: itself, tissues and lung."""


@dataclass(frozen=True)
class Slab:
    """A slab of a scan, in voxels along an axis.

    Attributes:
        core: what its result is kept of. worked: what is worked on, the core with its margin.
    """

    core: slice
    worked: slice

    def region(self, shape: Sequence[int], axis: int) -> Slices:
        """The part of a scan of that shape, (z, y, x), that is worked on."""
        z, y, x = (self.worked if k == axis else slice(0, n) for k, n in enumerate(shape))
        return z, y, x

    def bands(self, target: TargetGrid) -> list[slice]:
        """The bands in its core, and parts of its margin beside them, in slices of the result of what is worked on.

        What lies in the margin has a residual as well, for there would be a step to the core otherwise, which data
        consistency carries into it. ``target`` is that of the whole scan.
        """
        axis = target.axes[AxisOrder.for_factors(target.factors).axes[0]]
        worked = axis.within(self.worked)
        fine = [axis.within(band) for band in scan_bands(target) if _holds(self.core, band)]
        first, last = fine[0].start, fine[-1].stop
        beside = [slice(max(first - BESIDE, worked.start), first), slice(last, min(last + BESIDE, worked.stop))]
        found = [beside[0], *fine, beside[1]]
        return [slice(b.start - worked.start, b.stop - worked.start) for b in found if b.start < b.stop]


@dataclass(frozen=True)
class SlabPlan:
    """How a scan is worked on.

    Attributes:
        axis: of the scan's (z, y, x), along which slabs lie. slabs: in their order.
        memory: bytes of main memory at the peak.
    """

    axis: int
    slabs: tuple[Slab, ...]
    memory: int

    @property
    def depth(self) -> int:
        """Voxels along the axis that are worked on, in all."""
        return sum(slab.worked.stop - slab.worked.start for slab in self.slabs)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for :meth:`from_dict`."""
        slabs = [[slab.core.start, slab.core.stop, slab.worked.start, slab.worked.stop] for slab in self.slabs]
        return {"axis": self.axis, "slabs": slabs, "memory": self.memory}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SlabPlan:
        """The plan of the values of :meth:`to_dict`."""
        slabs = tuple(Slab(slice(a, b), slice(c, d)) for a, b, c, d in values["slabs"])
        return cls(values["axis"], slabs, values["memory"])

    def shapes(self, scan_shape: Sequence[int]) -> list[tuple[int, int, int]]:
        """Voxels (z, y, x) that are worked on at a time."""
        regions = [slab.region(scan_shape, self.axis) for slab in self.slabs]
        return [(z.stop - z.start, y.stop - y.start, x.stop - x.start) for z, y, x in regions]


def plan_slabs(
    p: Parameters, target: TargetGrid, budget: int, *, reach: float = math.inf, most_slabs: int | None = None
) -> SlabPlan | None:
    """The fewest slabs of a scan with which a method stays within so many bytes of memory; None where none do.

    Args:
        p: the method's parameters. target: the grid of its result over the scan.
        budget: bytes. reach: how far from a cut across the axis of rotation the nearest consistent volume differs, in
            voxels of the scan; infinite where that is not known. most_slabs: no more than so many.

    Returns:
        Slabs with as wide a margin as that asks for; with MARGIN where there is no memory for more, or it would take
        MORE_WORK times as long.
    """
    order = AxisOrder.for_factors(target.factors)
    axis = order.axes[0]
    bands, wanted = scan_bands(target), _margin(reach, target.factors[axis])

    def fewest(margin: int) -> SlabPlan | None:
        for count in range(1, min(len(bands), most_slabs or len(bands)) + 1):
            plan = _plan(p, target, axis, _slabs(target.axes[axis], _shared(bands, count), margin))
            if plan is not None and plan.memory <= budget:
                return plan
        return None

    narrow = fewest(min(wanted, MARGIN))
    wide = fewest(wanted) if wanted > MARGIN else None
    return wide if wide and narrow and wide.depth <= MORE_WORK * narrow.depth else narrow


def least_slabs(p: Parameters, target: TargetGrid, most_slabs: int | None = None) -> tuple[int, int]:
    """How many slabs of a scan take the least memory, and how many bytes that is."""
    axis = AxisOrder.for_factors(target.factors).axes[0]
    bands = scan_bands(target)
    count = min(len(bands), most_slabs or len(bands))
    return count, _memory(p, target, axis, _slabs(target.axes[axis], _shared(bands, count), MARGIN))


def dependence_note(p: Parameters, count: int) -> str | None:
    """A sentence for the user on a result that will depend on its slabs, so many; None where it does not."""
    why = dependence_on_slabs(p)
    if count == 1 or why is None:
        return None
    return (
        f"Memory is there for {count} slabs one after the other, and some voxels of the result will be a few HU from "
        f"those of the whole scan at once, for {why}."
    )


def dependence_on_slabs(p: Parameters) -> str | None:
    """What makes a result depend on its slabs, by more than 1 HU in some voxels; None where nothing does."""
    if p.geometry == "cone":
        return "a cone beam's rays cross slices"
    if p.uses_prior and p.start_step:
        return "the noise that is drawn is not that of the whole scan"
    if p.residual == "gaussians":
        return "a fit of Gaussians follows the least of differences, as with another seed"
    return None


def _margin(reach: float, factor: float) -> int:
    """Voxels of the scan on either side of a slab, for consistency's reach and the network's; they are ``factor`` times
    as large as the result's.
    """
    return math.ceil(min(max(reach, SEEN / factor), MARGIN if factor <= 2 else WIDEST))


def _plan(p: Parameters, target: TargetGrid, axis: int, slabs: tuple[Slab, ...]) -> SlabPlan | None:
    plan = SlabPlan(axis, slabs, _memory(p, target, axis, slabs))
    most = max(target.part(slab.region(_scan_shape(target), axis)).voxels for slab in slabs)
    return None if most > MAX_OUTPUT_VOXELS else plan


def _memory(p: Parameters, target: TargetGrid, axis: int, slabs: Sequence[Slab]) -> int:
    scan_shape, spacing = _scan_shape(target), [along.spacing for along in target.axes]
    depth = max(slab.worked.stop - slab.worked.start for slab in slabs)
    fitted = max(slab.core.stop - slab.core.start for slab in slabs) + 2 * BESIDE / target.factors[axis]
    shape = [depth if k == axis else n for k, n in enumerate(scan_shape)]
    voxels = math.prod(scan_shape)
    of_a_slab = estimate_memory(
        p, shape, target.factors, spacing, share=depth / scan_shape[axis], covered=min(fitted / depth, 1)
    )
    return max(BYTES_A_SCAN_VOXEL * voxels + of_a_slab, BASE_BYTES + BYTES_A_JUDGED_VOXEL * voxels)


def _scan_shape(target: TargetGrid) -> tuple[int, int, int]:
    z, y, x = (axis.size for axis in target.axes)
    return z, y, x


def _slabs(axis: TargetAxis, cores: Sequence[slice], margin: int) -> tuple[Slab, ...]:
    slabs = []
    for core in cores:
        worked = slice(patch_start(axis, core.start - margin), min(core.stop + margin, axis.size))
        slabs.append(Slab(core, worked))
    return tuple(slabs)


def _shared(bands: Sequence[slice], count: int) -> list[slice]:
    """The bands in so many groups of neighbours, as even as can be."""
    ends = [round(len(bands) * k / count) for k in range(count + 1)]
    return [slice(bands[first].start, bands[last - 1].stop) for first, last in pairwise(ends)]


def _holds(outer: slice, inner: slice) -> bool:
    return outer.start <= inner.start and inner.stop <= outer.stop
