"""Requirements of a job: size, memory and disk that it takes, known before any of it is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from CTSuperResolutionLib.errors import (
    JobError,
    LowerPreset,
    MoreMemory,
    OtherOption,
    Ranges,
    Remedy,
    SmallerRegion,
    bytes_text,
)
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import PRESET_NAMES
from CTSuperResolutionLib.job.refinement import Factors
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import MAX_OUTPUT_VOXELS
from CTSuperResolutionLib.planning.cost_model import stage_seconds
from CTSuperResolutionLib.planning.margin import with_margin
from CTSuperResolutionLib.planning.slabs import MARGIN as SLAB_MARGIN
from CTSuperResolutionLib.planning.slabs import least_slabs, plan_slabs
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.checks import MIN_SIDE, check_shape

DEFAULT_SHARE = 0.8
"""Of the memory that is free, what a job takes at the most where nothing else is said: others need some meanwhile."""

PICTURE_BYTES = 20_000_000  # compare.png and result.json are smaller


@dataclass(frozen=True)
class Requirements:
    """Requirements of a method on a region of a scan, and whether they are met.

    Attributes:
        start: first voxel of the region to work on, (z, y, x). shape: its voxels.
        scan_shape: voxels of the scan. worked_shape: those of the region with its margin, as far as the scan goes.
        factors: how many times finer the result is, (z, y, x).
        output_shape: voxels of the result. output_spacing: mm between them, (z, y, x).
        memory: bytes at the peak. disk: bytes of the results, if nothing could be compressed, and of unfinished slabs.
        device: where the work will be done. available: bytes free now, there and in main memory.
        budget: bytes that the job may take of them.
        slabs: in how many parts it works to keep within the budget; the fewest that it can be where it cannot.
        fits: whether the result is small enough, for the budget and for the method.
        write_seconds: about how long writing the results takes on a plain computer.
    """

    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    scan_shape: tuple[int, int, int]
    worked_shape: tuple[int, int, int]
    factors: Factors
    output_shape: tuple[int, int, int]
    output_spacing: tuple[float, float, float]
    memory: int
    disk: int
    device: str
    available: int
    budget: int
    slabs: int
    fits: bool
    write_seconds: float

    @property
    def region(self) -> Slices:
        """The region to work on."""
        z, y, x = (slice(first, first + n) for first, n in zip(self.start, self.shape, strict=True))
        return z, y, x

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm between the input's voxels, (z, y, x)."""
        z, y, x = (d * s for d, s in zip(self.output_spacing, self.factors, strict=True))
        return z, y, x

    def require_memory(self, method: Method) -> None:
        """Check that the method fits.

        Raises:
            JobError: it does not; its remedies are the lower preset and the smaller region that would.
        """
        if self.fits:
            return
        remedies: list[Remedy] = [*_lower_preset(self, method), *_smaller_region(self, method)]
        if self.budget < self.memory <= self.available:
            remedies.append(OtherOption("memory", f"{{}} {math.ceil(self.memory / 1e8) / 10:g}GB or more"))
        remedies = remedies or [MoreMemory()]
        result = f"The result of {' x '.join(map(str, self.output_shape))} voxels"
        if self.worked_shape != self.shape:
            result += ", with the margin around it,"
        if self.memory <= self.budget:  # even the thinnest slab has too many voxels
            raise JobError(f"{result} is too large, for {MAX_OUTPUT_VOXELS / 1e9:.1f} billion are the most", *remedies)
        there = f"{bytes_text(self.available)} are free"
        if self.budget < self.available:
            there = f"{bytes_text(self.budget)} of the {bytes_text(self.available)} that are free may be taken"
        raise JobError(
            f"{result} needs about {bytes_text(self.memory)} of memory even in thin slabs and {there}", *remedies
        )

    def seconds(self, method: Method) -> float:
        """About how long the method takes on a plain computer, reading and writing included."""
        return sum(self.stage_seconds(method).values()) + 2 * self.write_seconds

    def stage_seconds(self, method: Method) -> dict[str, float]:
        """Those of the stages of the pipeline, of all slabs together."""
        shape, axis = list(self.worked_shape), AxisOrder.for_factors(self.factors).axes[0]
        shape[axis] += 2 * SLAB_MARGIN * (self.slabs - 1)
        return stage_seconds(method.parameters, shape, self.factors, self.spacing)

    def seconds_with(self, method: Method, remedy: Remedy) -> float | None:
        """As :meth:`seconds`, with a remedy of :meth:`require_memory`; None where that says nothing of the time."""
        match remedy:
            case LowerPreset(name=str() as preset):
                return self.seconds(replace(method, preset=preset))
            case SmallerRegion(ranges=tuple() as ranges):
                z, y, x = (slice(start, stop) for start, stop in ranges)
                region: Slices = (z, y, x)
                needed = requirements_on(
                    self.device, self.available, method, region, self.spacing, self.scan_shape, memory=self.budget
                )
                return needed.seconds(method)
        return None


def requirements_here(
    method: Method,
    region: Slices,
    spacing: Sequence[float],
    scan_shape: Sequence[int],
    *,
    memory: int | None = None,
    most_slabs: int | None = None,
) -> Requirements:
    """Requirements of a method on this computer.

    Args:
        method: the method.
        region: the part of the scan to work on, three slices along (z, y, x).
        spacing: of the scan, mm, (z, y, x).
        scan_shape: voxels of the scan, (z, y, x), which bound the margin around the region.
        memory: bytes that the job may take; a share of what is free where None.
        most_slabs: in how many parts it may work; in as many as it takes where None.

    Raises:
        JobError: the scale or the region does not suit the scan, or the device cannot be used.
    """
    from CTSuperResolutionLib import machine  # the panel asks requirements_on, in a process that may not load torch

    device = machine.choose_device(method.device)
    free = machine.available_memory(device)
    return requirements_on(str(device), free, method, region, spacing, scan_shape, memory=memory, most_slabs=most_slabs)


def requirements_on(
    device: str,
    available: int,
    method: Method,
    region: Slices,
    spacing: Sequence[float],
    scan_shape: Sequence[int],
    *,
    memory: int | None = None,
    most_slabs: int | None = None,
) -> Requirements:
    """As :func:`requirements_here`, on a device with so many bytes of memory free.

    Raises:
        JobError: the scale or the region does not suit the scan.
    """
    shape = _shape_of(region)
    check_shape("The region of interest", shape)
    whole = method.target_grid(scan_shape, spacing)
    target, outer = whole.part(region), with_margin(region, whole)
    budget = min(available, int(DEFAULT_SHARE * available) if memory is None else memory)
    p, worked = method.parameters, whole.part(outer)
    plan = plan_slabs(p, worked, budget, most_slabs=most_slabs)
    slabs, needed = (len(plan.slabs), plan.memory) if plan else least_slabs(p, worked, most_slabs)
    scan_z, scan_y, scan_x = scan_shape
    z, y, x = region
    a_voxel = 4 + 2 * p.has_measured + 2 * p.has_error + 4 * p.has_uncertainty  # bytes of all volumes that are written
    stored = ((6 + 4 * p.has_uncertainty) * target.voxels + 8 * math.prod(shape)) if slabs > 1 else 0
    return Requirements(
        start=(z.start, y.start, x.start),
        shape=shape,
        scan_shape=(scan_z, scan_y, scan_x),
        worked_shape=_shape_of(outer),
        factors=target.factors,
        output_shape=target.shape,
        output_spacing=target.spacing,
        memory=needed,
        disk=a_voxel * target.voxels + stored + PICTURE_BYTES,
        device=device,
        available=available,
        budget=budget,
        slabs=slabs,
        fits=plan is not None,
        write_seconds=1 + 1e-7 * a_voxel * target.voxels,
    )


def _shape_of(region: Slices) -> tuple[int, int, int]:
    z, y, x = (part.stop - part.start for part in region)
    return z, y, x


def _fitting(needed: Requirements, method: Method, region: Slices) -> Requirements | None:
    """The requirements of a method on a region, where it fits as the others would have to."""
    found = requirements_on(
        needed.device,
        needed.available,
        method,
        region,
        needed.spacing,
        needed.scan_shape,
        memory=needed.budget,
    )
    return found if found.fits else None


def _lower_preset(needed: Requirements, method: Method) -> list[Remedy]:
    """The highest of the lower presets that fits, if any."""
    for preset in reversed(PRESET_NAMES[: PRESET_NAMES.index(method.preset)]):
        try:
            lower = replace(method, preset=preset)
        except JobError:  # the settings do not go with it
            continue
        found = _fitting(needed, lower, needed.region)
        if found is not None:
            return [LowerPreset(preset, found.memory)]
    return []


def _smaller_region(needed: Requirements, method: Method) -> list[Remedy]:
    """The largest region of the same proportions around the middle that fits with its margin, if any."""

    def region(share: float) -> Slices:
        sides = [max(min(MIN_SIDE, n), int(n * share)) for n in needed.shape]
        starts = [first + (n - side) // 2 for first, n, side in zip(needed.start, needed.shape, sides, strict=True)]
        z, y, x = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
        return z, y, x

    low, high = 0.0, 1.0
    if _fitting(needed, method, region(low)) is None:
        return []
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if _fitting(needed, method, region(middle)) else (low, middle)
    z, y, x = ((part.start, part.stop) for part in region(low))
    ranges: Ranges = (z, y, x)
    return [SmallerRegion(ranges)]
