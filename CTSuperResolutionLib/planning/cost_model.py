"""Cost model: memory of a job, and seconds of its stages on a plain computer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from CTSuperResolutionLib.diffusion.sampling_times import function_evaluations
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.planning.bands import FEWEST_SLICES, HEIGHT, OVERLAP
from CTSuperResolutionLib.volume.axis_order import AxisOrder

BASE_BYTES = 620_000_000  # Python with torch and SimpleITK loaded, a compact prior and its activations; 0.1 GB to spare
# float32 volumes of the output's size, and stacks of views, that are alive at once at the three peaks:
CONSISTENCY_PEAK = (4, 3)  # data consistency, and what is made of its result
PROJECTION_PEAK = (4, 3)  # projection, beside the footprint weights of a view
RESIDUAL_PEAK = (2.5, 4)  # residual reconstruction, beside the volumes of a band
BAND_VOLUMES = 5.5
SAMPLE_VOLUMES = 5  # more, where several samples are added up
BYTES_A_PIXEL = 400  # of a slice that the prior looks at: activations of a compact network
MOST_PIXELS = 700_000  # of it at a time: a strip of a larger slice, with what is beside it
PIXELS_TOGETHER = 1 << 21  # of slices that are made ready for it together, at so many bytes each:
BYTES_A_READY_PIXEL = 80
VOXELS_A_GAUSSIAN = 64  # a small region starts with fewer Gaussians than its preset says: these have enough to do
# Footprint weights of one view: every ray meets at most 4 voxels in every line of the plane of rotation, and some 12
# float64 arrays of that size are alive at once. For flat slabs that is more than their volumes.
BYTES_A_CROSSING = 8 * 4 * 12
MOST_CROSSINGS = 1 << 16  # at a time, of a parallel beam
FITTED_SLICES = HEIGHT + HEIGHT / 4 + 2 * OVERLAP  # of the highest band, with what it overlaps
BYTES_A_GAUSSIAN = 4_000  # windows, gradients and optimizer state of one Gaussian in the torch reference


def estimate_memory(
    p: Parameters,
    shape: Sequence[int],
    factors: Sequence[float],
    spacing: Sequence[float],
    *,
    share: float = 1.0,
) -> int:
    """Bytes of main memory at the peak of work on a scan of that shape and spacing in mm, (z, y, x).

    ``share`` is that of the whole scan where it is a slab: of its Gaussians, that is.
    """
    voxels = round(math.prod(shape) * math.prod(factors))
    pixels = p.views * _detector_pixels(shape, factors, spacing)
    consistency, projection, residual = (
        4 * (volumes * voxels + stacks * pixels)
        for volumes, stacks in (CONSISTENCY_PEAK, PROJECTION_PEAK, RESIDUAL_PEAK)
    )
    crossings, depth = _crossings(shape, factors, spacing), _depth(shape, factors)
    projection += BYTES_A_CROSSING * (crossings if p.geometry == "cone" else min(crossings, MOST_CROSSINGS))
    samples = 4 * SAMPLE_VOLUMES * voxels if p.has_uncertainty else 0
    consistency += samples
    of_band = 1 if p.geometry == "cone" or depth < FEWEST_SLICES else FITTED_SLICES / depth
    residual += of_band * 4 * BAND_VOLUMES * voxels
    if p.residual == "gaussians":
        residual += of_band * share * BYTES_A_GAUSSIAN * gaussian_counts(p, round(voxels / share))[1]
    if p.uses_prior:
        largest = _largest_slice(shape, factors)
        ready = BYTES_A_READY_PIXEL * max(largest, min(PIXELS_TOGETHER, voxels))
        consistency = max(consistency, samples + 4 * 3 * voxels + BYTES_A_PIXEL * min(largest, MOST_PIXELS) + ready)
    return int(BASE_BYTES + max(consistency, projection, residual))


def gaussian_counts(p: Parameters, voxels: int) -> tuple[int, int]:
    """Gaussians that the field of a result of that many voxels starts with, and most that it may grow to."""
    start = min(p.gaussians, max(voxels // VOXELS_A_GAUSSIAN, 16))
    return start, round(start * p.max_gaussians / p.gaussians)


def least_squares_steps(p: Parameters) -> int:
    """Steps of least squares on voxels: the whole residual on a grid, or where Gaussians start."""
    return p.grid_steps if p.residual == "grid" else int(p.start == "residual")


def stage_seconds(
    p: Parameters, shape: Sequence[int], factors: Sequence[float], spacing: Sequence[float]
) -> dict[str, float]:
    """Seconds of every stage of the pipeline on a plain computer, about, for the estimate of the time left."""
    voxels = round(math.prod(shape) * math.prod(factors))
    pixels = _detector_pixels(shape, factors, spacing)
    gaussians = sum(gaussian_counts(p, voxels)) / 2 if p.residual == "gaussians" else 0
    # Rasterized and compared by the CPU library; plain torch takes 20 times that.
    a_view = 1.5e-7 * gaussians + 2e-8 * pixels
    an_iteration = 0.004 + 1e-7 * gaussians + p.views_per_step * a_view
    return {
        **({"adapt": 4 + 0.04 * p.adapt} if learns_from_scan(p, factors) else {}),
        "upsample": 0.5 + 4e-7 * voxels,
        "project": _projection_seconds(p, voxels),
        **({"restore": _restoration_seconds(p, voxels, pixels)} if p.uses_prior else {}),
        "fit": 2 * _projection_seconds(p, voxels) * least_squares_steps(p)
        + (p.iterations * an_iteration if gaussians else 0),
        "assemble": 5e-6 * gaussians + 2e-7 * voxels,
    }


def learns_from_scan(p: Parameters, factors: Sequence[float]) -> bool:
    """Whether the prior learns from the scan: one that is refined along a single axis is fine along the others."""
    return p.uses_prior and p.adapt > 0 and sum(factor != 1 for factor in factors) == 1


def _projection_seconds(p: Parameters, voxels: int) -> float:
    """Of all views of a volume; backprojecting them takes as long."""
    return 3e-9 * p.views * voxels


def _restoration_seconds(p: Parameters, voxels: int, pixels: float) -> float:
    """Looks of a compact network at views and slices, and what is done to the volume after that."""
    adaptive = p.adaptive_frontal > 0 or p.adaptive_lateral > 0
    looks = function_evaluations(p.ddim_steps, p.time_travel, adaptive=adaptive) * p.views * pixels
    slices = 0.0
    if p.slice_gain:
        looks += p.slice_axes * p.slice_orientations * voxels
        slices = _projection_seconds(p, voxels) + p.consistency_rounds * 1.5e-8 * voxels
    reconstruction = 2 * _projection_seconds(p, voxels) if p.samples > 1 else 0
    return p.samples * (1e-6 * looks + slices + reconstruction)


def _depth(shape: Sequence[int], factors: Sequence[float]) -> float:
    """Slices of the result along the axis of rotation."""
    order = AxisOrder.for_factors(factors)
    return order.permute(shape)[0] * order.permute(factors)[0]


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
