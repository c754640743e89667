"""Cost model: memory of a job, and seconds of its stages on a plain computer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from CTSuperResolutionLib.diffusion.sampling_times import function_evaluations
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.target_grid import TargetAxis
from CTSuperResolutionLib.planning.bands import FEWEST_SLICES, OVERLAP, band_height
from CTSuperResolutionLib.planning.strips import strips
from CTSuperResolutionLib.volume.axis_order import AxisOrder

BASE_BYTES = 480_000_000  # Python with torch and SimpleITK loaded, a compact prior and its activations
# float32 volumes of the output's size that are alive at once, beside what is named with them:
SCAN_BYTES, DEMAND_BYTES = 5, 11  # of a voxel of the scan, and of what is worked on of it at once
CONSISTENT_VOLUMES = 2.4  # a volume made consistent as a whole
STRIP_VOLUMES = 2.9  # of a strip's size, beside the volume
LAID_OUT_BYTES = 1 << 28  # of slices that are projected together
MEASURED_VOLUMES = 0.5  # the consistent upsampling, kept as int16 from the first projection to the end
PROJECTED_STACKS = 3  # of views
RESTORED_VOLUMES = 2.0  # slices as they were, and sums of restored ones
FITTED_STACKS = 4  # of views, beside what the residual is added to and the residual itself
BAND_VOLUMES = 2.5  # of a band's size
WRITTEN_VOLUMES, KEPT_VOLUMES = 1.75, 1.4  # all of a result, and what is kept of it
SAMPLE_VOLUMES = 5  # more, where several samples are added up
BYTES_A_PIXEL = 250  # of a slice that the prior looks at: activations of a compact network
MOST_PIXELS = 700_000  # of it at a time: a strip of a larger slice, with what is beside it
PIXELS_TOGETHER = 1 << 21  # of slices that are made ready for it together, at so many bytes each:
BYTES_A_READY_PIXEL = 80
SPARED_BYTES = 100_000_000  # of what is looked at for ringing at once
VOXELS_A_GAUSSIAN = 64  # a small region starts with fewer Gaussians than its preset says: these have enough to do
# Footprint weights of one view: every ray meets at most 4 voxels in every line of the plane of rotation, and some 12
# float64 arrays of that size are alive at once. For flat slabs that is more than their volumes.
BYTES_A_CROSSING = 8 * 4 * 12
MOST_CROSSINGS = 1 << 16  # at a time, of a parallel beam
BYTES_A_GAUSSIAN = 4_000  # windows, gradients and optimizer state of one Gaussian in the torch reference


def estimate_memory(
    p: Parameters,
    shape: Sequence[int],
    factors: Sequence[float],
    spacing: Sequence[float],
    *,
    share: float = 1.0,
    covered: float = 1.0,
) -> int:
    """Bytes of main memory at the peak of work on a scan of that shape and spacing in mm, (z, y, x).

    ``share`` is that of the whole scan where it is a slab: of its Gaussians, that is; ``covered`` that of its slices
    that are wanted of it, which have a residual.
    """
    voxels = round(math.prod(shape) * math.prod(factors))
    stages = _stage_bytes(p, shape, factors, spacing, share=share, covered=covered)
    scan = math.prod(shape) * (SCAN_BYTES / share + DEMAND_BYTES)
    kept = covered * MEASURED_VOLUMES + (p.base != "restored") + (SAMPLE_VOLUMES if p.has_uncertainty else 0)
    return int(BASE_BYTES + scan + 4 * kept * voxels + max(stages.values()))


def _stage_bytes(
    p: Parameters,
    shape: Sequence[int],
    factors: Sequence[float],
    spacing: Sequence[float],
    *,
    share: float,
    covered: float,
) -> dict[str, float]:
    """What every stage needs beside what is kept through all of them."""
    a_volume = 4.0 * round(math.prod(shape) * math.prod(factors))
    a_stack = 4.0 * p.views * _detector_pixels(shape, factors, spacing)
    strip = _strip_share(shape, factors)
    crossings, depth = _crossings(shape, factors, spacing), _depth(shape, factors)
    weights = BYTES_A_CROSSING * (crossings if p.geometry == "cone" else min(crossings, MOST_CROSSINGS))
    highest = 1.25 * band_height(a_volume / 4 / depth) + 2 * OVERLAP  # with what it overlaps
    band = 1 if p.geometry == "cone" or depth < FEWEST_SLICES else highest / depth
    consistent = a_volume * (CONSISTENT_VOLUMES if strip == 1 else 1 + STRIP_VOLUMES * strip)
    stages = {
        "upsample": consistent,
        "project": a_volume + min(a_volume, LAID_OUT_BYTES) + PROJECTED_STACKS * a_stack + weights,
        "fit": a_volume * (1 + covered + BAND_VOLUMES * band) + FITTED_STACKS * a_stack,
        "write": a_volume * (WRITTEN_VOLUMES + covered * KEPT_VOLUMES),
    }
    if p.residual == "gaussians":
        most = gaussian_counts(p, round(a_volume / 4 / share))[1]
        stages["fit"] += band * share * BYTES_A_GAUSSIAN * most
    if p.uses_prior:
        largest = _largest_slice(shape, factors)
        ready = BYTES_A_READY_PIXEL * max(largest, min(PIXELS_TOGETHER, a_volume / 4))
        seen = BYTES_A_PIXEL * min(largest, MOST_PIXELS) + min(SPARED_BYTES, 10 * a_volume)
        # Heap that came with the slices is still held in the rounds of consistency that follow.
        restored = (RESTORED_VOLUMES + _coarse_volumes(p, factors)) * a_volume + seen
        stages["restore"] = max(restored, consistent) + ready
    return stages


def _coarse_volumes(p: Parameters, factors: Sequence[float]) -> float:
    """Of what slices along one axis say of the details along it, sampled as the scan is."""
    refined = [factor for factor in factors if factor != 1]
    return 1 / min(refined) if p.slice_gain and p.slice_axes == 3 and len(refined) > 1 else 0.0


def gaussian_counts(p: Parameters, voxels: int) -> tuple[int, int]:
    """Gaussians that the field of a result of that many voxels starts with, and most that it may grow to."""
    start = min(p.gaussians, max(voxels // VOXELS_A_GAUSSIAN, 16))
    return start, round(start * p.max_gaussians / p.gaussians)


def least_squares_steps(p: Parameters) -> int:
    """Steps of least squares on voxels: the whole residual on a grid, or where Gaussians start."""
    return p.grid_steps if p.residual == "grid" else int(p.start == "residual")


def stage_seconds(
    p: Parameters, shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float], shown: float = 1.0
) -> dict[str, float]:
    """Seconds of every stage of the pipeline on a plain computer, about, for the estimate of the time left.

    ``shown`` is the share of slices that is more than air, where that is known.
    """
    voxels = round(math.prod(shape) * math.prod(factors))
    pixels = _detector_pixels(shape, factors, spacing)
    gaussians = sum(gaussian_counts(p, voxels)) / 2 if p.residual == "gaussians" else 0
    # Rasterized and compared by the CPU library; plain torch takes 20 times that.
    a_view = 1.5e-7 * gaussians + 2e-8 * pixels
    an_iteration = 0.004 + 1e-7 * gaussians + p.views_per_step * a_view
    return {
        **({"adapt": 4 + (0.04 if p.network == "quick" else 0.064) * p.adapt} if learns_from_scan(p, factors) else {}),
        "upsample": 0.5 + 4e-7 * voxels,
        "project": _projection_seconds(p, voxels),
        **({"restore": _restoration_seconds(p, voxels, pixels, shown)} if p.uses_prior else {}),
        "fit": 2 * _projection_seconds(p, voxels) * least_squares_steps(p)
        + (p.iterations * an_iteration if gaussians else 0),
        "assemble": 5e-6 * gaussians + 2e-7 * voxels,
    }


def learns_from_scan(p: Parameters, factors: Sequence[float]) -> bool:
    """Whether the prior learns from the scan: one that is refined along a single axis is fine along the others."""
    return p.uses_prior and p.adapt > 0 and sum(factor != 1 for factor in factors) == 1


def _projection_seconds(p: Parameters, voxels: int) -> float:
    """Of all views of a volume; backprojecting them takes as long. The CPU library does parallel beams alone."""
    return (3e-9 if p.geometry == "cone" else 1e-9) * p.views * voxels


def _restoration_seconds(p: Parameters, voxels: int, pixels: float, shown: float) -> float:
    """Looks of a compact network at views and slices, and what is done to the volume after that."""
    slices = 0.0
    if p.slice_gain:
        slices = _projection_seconds(p, voxels) + p.consistency_rounds * 1.5e-8 * voxels
    reconstruction = 2 * _projection_seconds(p, voxels) if p.samples > 1 else 0
    return _second_a_look(p) * _pixels_looked_at(p, voxels, pixels, shown) + p.samples * (slices + reconstruction)


def _second_a_look(p: Parameters) -> float:
    """Of the shipped prior's networks at a pixel, by the CPU library; plain torch takes two to three times that."""
    return 5e-7 if p.network == "quick" else 7.5e-7


def pixels_looked_at(
    p: Parameters, shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float], shown: float
) -> float:
    """Pixels of views and slices that the prior's network looks at, each as often as it does; ``shown`` as above."""
    voxels = round(math.prod(shape) * math.prod(factors))
    return _pixels_looked_at(p, voxels, _detector_pixels(shape, factors, spacing), shown)


def _pixels_looked_at(p: Parameters, voxels: int, pixels: float, shown: float) -> float:
    adaptive = p.adaptive_frontal > 0 or p.adaptive_lateral > 0
    looks = function_evaluations(p.ddim_steps, p.time_travel, adaptive=adaptive) * p.views * pixels
    if p.slice_gain:
        looks += p.slice_axes * p.slice_orientations * voxels * shown
    return p.samples * looks


def _depth(shape: Sequence[int], factors: Sequence[float]) -> float:
    """Slices of the result along the axis of rotation."""
    order = AxisOrder.for_factors(factors)
    return order.permute(shape)[0] * order.permute(factors)[0]


def _strip_share(shape: Sequence[int], factors: Sequence[float]) -> float:
    """The largest strip's share of a volume, see :mod:`.strips`; 1 for a single one."""
    axes = [TargetAxis.over(n, 1.0, s, 1 / s) for n, s in zip(shape, factors, strict=True)]
    found = strips(AxisOrder.for_factors(factors).permute(axes))
    whole = found[-1].core.stop
    return max((strip.fine.stop - strip.fine.start) / whole for strip in found)


def _largest_slice(shape: Sequence[int], factors: Sequence[float]) -> float:
    """Pixels of the largest slice along any axis."""
    _, second, first = sorted(n * s for n, s in zip(shape, factors, strict=True))
    return second * first


def _detector_pixels(shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float]) -> float:
    """As the parallel beam's: columns of the smaller in-plane spacing along the in-plane diagonal."""
    rows, columns, _ = _detector(shape, factors, spacing)
    return rows * columns


def _crossings(shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float]) -> float:
    """How often the rays of a view cross a line of voxels in the plane of rotation."""
    _, columns, lines = _detector(shape, factors, spacing)
    return columns * lines


def _detector(shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float]) -> tuple[float, float, float]:
    """Rows and columns of the detector, and the longer side of the plane of rotation in voxels."""
    order = AxisOrder.for_factors(factors)
    rows, depth, width = (n * s for n, s in zip(order.permute(shape), order.permute(factors), strict=True))
    _, along, across = (d / s for d, s in zip(order.permute(spacing), order.permute(factors), strict=True))
    return rows, math.hypot(depth * along, width * across) / min(along, across), max(depth, width)
