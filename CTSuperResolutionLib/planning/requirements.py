"""What a job will need, before any of it is done, and what would fit where it needs too much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.job import MAX_OUTPUT_VOXELS, JobSpec
from CTSuperResolutionLib.job.parameters import PRESET_NAMES
from CTSuperResolutionLib.planning.cost_model import estimate_memory
from CTSuperResolutionLib.volume.checks import MIN_SIDE, check_shape

PICTURE_BYTES = 20_000_000  # compare.png and result.json are smaller


@dataclass(frozen=True)
class Needs:
    """What a job makes and takes.

    Attributes:
        start: first voxel of the region to work on, (z, y, x). shape: its voxels.
        factors: how many times finer the result is, (z, y, x).
        output_shape: voxels of the result. output_spacing: mm between them, (z, y, x).
        memory: bytes at the peak. disk: bytes of the results, if nothing could be compressed.
        device: where the work will be done. available: bytes free now, there and in main memory.
        fits: whether the result is small enough, for memory and for the method.
        write_seconds: about how long writing the results takes on a plain computer.
    """

    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    factors: tuple[int, int, int]
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
        return tuple(d * s for d, s in zip(self.output_spacing, self.factors, strict=True))

    def require_memory(self, spec: JobSpec) -> None:
        """Check that the job fits.

        Raises:
            JobError: it does not; says which lower preset or smaller region would.
        """
        if self.fits:
            return
        ways = [*_lower_presets(self, spec), *_smaller_region(self, spec)]
        advice = f"choose {' or '.join(ways)}" if ways else "use a machine with more memory"
        result = f"The result of {' x '.join(map(str, self.output_shape))} voxels"
        if math.prod(self.output_shape) > MAX_OUTPUT_VOXELS:
            raise JobError(f"{result} is too large, for {MAX_OUTPUT_VOXELS / 1e9:.1f} billion are the most; {advice}.")
        raise JobError(
            f"{result} needs about {_gb(self.memory)} of memory and {_gb(self.available)} are free; {advice}."
        )


def job_needs(spec: JobSpec, shape: Sequence[int], spacing: Sequence[float]) -> Needs:
    """What a job needs here whose whole input has that shape and spacing in mm, (z, y, x).

    Raises:
        JobError: the scale or the region does not suit the input, or the device cannot be used.
    """
    from CTSuperResolutionLib import machine  # the panel asks needs_on, in a process that may not load torch

    device = machine.choose_device(spec.device)
    return needs_on(str(device), machine.available_memory(device), spec, shape, spacing)


def needs_on(device: str, available: int, spec: JobSpec, shape: Sequence[int], spacing: Sequence[float]) -> Needs:
    """As :func:`job_needs`, on a device with so many bytes of memory free.

    Raises:
        JobError: the scale or the region does not suit the input.
    """
    region = spec.region(shape)
    inside = tuple(part.stop - part.start for part in region)
    check_shape("The region of interest" if spec.roi else "The scan", inside)
    factors = spec.refinement(spacing)
    output = tuple(n * s for n, s in zip(inside, factors, strict=True))
    voxels = math.prod(output)
    return Needs(
        start=tuple(part.start for part in region),
        shape=inside,
        factors=factors,
        output_shape=output,
        output_spacing=tuple(d / s for d, s in zip(spacing, factors, strict=True)),
        memory=estimate_memory(spec, inside, factors, spacing),
        disk=(8 if spec.parameters.has_uncertainty else 4) * voxels + PICTURE_BYTES,
        device=device,
        available=available,
        fits=_fits(spec, inside, factors, spacing, available),
        write_seconds=1 + 4e-7 * voxels,
    )


def _fits(
    spec: JobSpec, shape: Sequence[int], factors: Sequence[int], spacing: Sequence[float], available: int
) -> bool:
    voxels = math.prod(shape) * math.prod(factors)
    return voxels <= MAX_OUTPUT_VOXELS and estimate_memory(spec, shape, factors, spacing) <= available


def _lower_presets(needs: Needs, spec: JobSpec) -> list[str]:
    for preset in reversed(PRESET_NAMES[: PRESET_NAMES.index(spec.preset)]):
        lower = replace(spec, preset=preset)
        if _fits(lower, needs.shape, needs.factors, needs.spacing, needs.available):
            return [f"--preset {preset} ({_gb(estimate_memory(lower, needs.shape, needs.factors, needs.spacing))})"]
    return []


def _smaller_region(needs: Needs, spec: JobSpec) -> list[str]:
    """The largest region of the same proportions around the middle that fits."""

    def sides(share: float) -> tuple[int, ...]:
        return tuple(max(min(MIN_SIDE, n), int(n * share)) for n in needs.shape)

    low, high = 0.0, 1.0
    if not _fits(spec, sides(low), needs.factors, needs.spacing, needs.available):
        return []
    for _ in range(12):
        middle = (low + high) / 2
        enough = _fits(spec, sides(middle), needs.factors, needs.spacing, needs.available)
        low, high = (middle, high) if enough else (low, middle)
    parts = []
    for first, n, side in zip(needs.start, needs.shape, sides(low), strict=True):
        start = first + (n - side) // 2
        parts.append(f"{start}:{start + side}")
    return [f"a region such as --roi {','.join(parts)}"]


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
