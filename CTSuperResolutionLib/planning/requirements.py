"""Requirements of a job: size, memory and disk that it takes, known before any of it is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from CTSuperResolutionLib.errors import JobError, LowerPreset, MoreMemory, Ranges, Remedy, SmallerRegion, bytes_text
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import PRESET_NAMES
from CTSuperResolutionLib.job.refinement import Factors
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import MAX_OUTPUT_VOXELS
from CTSuperResolutionLib.planning.cost_model import estimate_memory, stage_seconds
from CTSuperResolutionLib.planning.margin import with_margin
from CTSuperResolutionLib.volume.checks import MIN_SIDE, check_shape

PICTURE_BYTES = 20_000_000  # compare.png and result.json are smaller


@dataclass(frozen=True)
class Requirements:
    """Requirements of a method on a region of a scan, and whether they are met.

    Attributes:
        start: first voxel of the region to work on, (z, y, x). shape: its voxels.
        scan_shape: voxels of the scan. worked_shape: those of the region with its margin, as far as the scan goes.
        factors: how many times finer the result is, (z, y, x).
        output_shape: voxels of the result. output_spacing: mm between them, (z, y, x).
        memory: bytes at the peak. disk: bytes of the results, if nothing could be compressed.
        device: where the work will be done. available: bytes free now, there and in main memory.
        fits: whether the result is small enough, for memory and for the method.
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
    fits: bool
    write_seconds: float

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
        remedies = [*_lower_preset(self, method), *_smaller_region(self, method)] or [MoreMemory()]
        result = f"The result of {' x '.join(map(str, self.output_shape))} voxels"
        if self.worked_shape != self.shape:
            result += ", with the margin around it,"
        if math.prod(self.worked_shape) * math.prod(self.factors) > MAX_OUTPUT_VOXELS:
            raise JobError(f"{result} is too large, for {MAX_OUTPUT_VOXELS / 1e9:.1f} billion are the most", *remedies)
        raise JobError(
            f"{result} needs about {bytes_text(self.memory)} of memory and {bytes_text(self.available)} are free",
            *remedies,
        )

    def seconds(self, method: Method) -> float:
        """About how long the method takes on a plain computer, reading and writing included."""
        stages = stage_seconds(method.parameters, self.worked_shape, self.factors, self.spacing)
        return sum(stages.values()) + 2 * self.write_seconds

    def seconds_with(self, method: Method, remedy: Remedy) -> float | None:
        """As :meth:`seconds`, with a remedy of :meth:`require_memory`; None where that says nothing of the time."""
        match remedy:
            case LowerPreset(name=str() as preset):
                return self.seconds(replace(method, preset=preset))
            case SmallerRegion(ranges=tuple() as ranges):
                z, y, x = (slice(start, stop) for start, stop in ranges)
                region: Slices = (z, y, x)
                needed = requirements_on(self.device, self.available, method, region, self.spacing, self.scan_shape)
                return needed.seconds(method)
        return None


def requirements_here(
    method: Method, region: Slices, spacing: Sequence[float], scan_shape: Sequence[int]
) -> Requirements:
    """Requirements of a method on this computer.

    Args:
        method: the method.
        region: the part of the scan to work on, three slices along (z, y, x).
        spacing: of the scan, mm, (z, y, x).
        scan_shape: voxels of the scan, (z, y, x), which bound the margin around the region.

    Raises:
        JobError: the scale or the region does not suit the scan, or the device cannot be used.
    """
    from CTSuperResolutionLib import machine  # the panel asks requirements_on, in a process that may not load torch

    device = machine.choose_device(method.device)
    return requirements_on(str(device), machine.available_memory(device), method, region, spacing, scan_shape)


def requirements_on(
    device: str,
    available: int,
    method: Method,
    region: Slices,
    spacing: Sequence[float],
    scan_shape: Sequence[int],
) -> Requirements:
    """As :func:`requirements_here`, on a device with so many bytes of memory free.

    Raises:
        JobError: the scale or the region does not suit the scan.
    """
    shape = _shape_of(region)
    check_shape("The region of interest", shape)
    target = method.target_grid(scan_shape, spacing).part(region)
    factors = target.factors
    worked = _shape_of(with_margin(region, factors, scan_shape))
    scan_z, scan_y, scan_x = scan_shape
    z, y, x = region
    voxels = math.prod(target.shape)
    return Requirements(
        start=(z.start, y.start, x.start),
        shape=shape,
        scan_shape=(scan_z, scan_y, scan_x),
        worked_shape=worked,
        factors=factors,
        output_shape=target.shape,
        output_spacing=target.spacing,
        memory=estimate_memory(method.parameters, worked, factors, spacing),
        disk=_bytes_a_voxel(method) * voxels + PICTURE_BYTES,
        device=device,
        available=available,
        fits=_fits(method, worked, factors, spacing, available),
        write_seconds=1 + 1e-7 * _bytes_a_voxel(method) * voxels,
    )


def _bytes_a_voxel(method: Method) -> int:
    """Of all volumes that are written, not compressed."""
    p = method.parameters
    return 4 + 2 * p.has_measured + 4 * p.has_uncertainty


def _shape_of(region: Slices) -> tuple[int, int, int]:
    z, y, x = (part.stop - part.start for part in region)
    return z, y, x


def _fits(
    method: Method, shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float], available: int
) -> bool:
    voxels = math.prod(shape) * math.prod(factors)
    return voxels <= MAX_OUTPUT_VOXELS and estimate_memory(method.parameters, shape, factors, spacing) <= available


def _lower_preset(needed: Requirements, method: Method) -> list[Remedy]:
    """The highest of the lower presets that fits, if any."""
    for preset in reversed(PRESET_NAMES[: PRESET_NAMES.index(method.preset)]):
        try:
            lower = replace(method, preset=preset)
        except JobError:  # the settings do not go with it
            continue
        if _fits(lower, needed.worked_shape, needed.factors, needed.spacing, needed.available):
            memory = estimate_memory(lower.parameters, needed.worked_shape, needed.factors, needed.spacing)
            return [LowerPreset(preset, memory)]
    return []


def _smaller_region(needed: Requirements, method: Method) -> list[Remedy]:
    """The largest region of the same proportions around the middle that fits with its margin, if any."""

    def region(share: float) -> Slices:
        sides = [max(min(MIN_SIDE, n), int(n * share)) for n in needed.shape]
        starts = [first + (n - side) // 2 for first, n, side in zip(needed.start, needed.shape, sides, strict=True)]
        z, y, x = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
        return z, y, x

    def fits(share: float) -> bool:
        worked = _shape_of(with_margin(region(share), needed.factors, needed.scan_shape))
        return _fits(method, worked, needed.factors, needed.spacing, needed.available)

    low, high = 0.0, 1.0
    if not fits(low):
        return []
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    z, y, x = ((part.start, part.stop) for part in region(low))
    ranges: Ranges = (z, y, x)
    return [SmallerRegion(ranges)]
