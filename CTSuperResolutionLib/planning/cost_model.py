"""What a job takes, before it is done: memory, and the time of its stages relative to each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from CTSuperResolutionLib.diffusion.sampling_times import function_evaluations
from CTSuperResolutionLib.job.job import JobSpec
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.volume.axis_order import AxisOrder

BASE_BYTES = 750_000_000  # Python with torch, diffusers and SimpleITK loaded, a compact prior and its activations
# float32 volumes of the output's size, and stacks of views, that are alive at once at the two peaks:
AGREEING = (11, 3)  # while a volume is made to agree with the scan
FITTING = (4, 8)  # while Gaussians or voxels are fitted to the views
SAMPLE_VOLUMES = 5  # more, where several samples are added up
VOXELS_A_GAUSSIAN = 64  # a small region starts with fewer Gaussians than its preset says: these have enough to do
GRID_STEPS = 3  # of least squares, where voxels carry the residual
BYTES_A_GAUSSIAN = 4_000  # windows, gradients and optimizer state of one Gaussian in the torch twin


def estimate_memory(spec: JobSpec, shape: Sequence[int], factors: Sequence[int], spacing: Sequence[float]) -> int:
    """Bytes of main memory that a job on a scan of that shape and spacing in mm, (z, y, x), takes at its peak."""
    p = spec.parameters
    voxels = math.prod(shape) * math.prod(factors)
    pixels = p.views * _detector_pixels(shape, factors, spacing)
    agreeing, fitting = (4 * (volumes * voxels + stacks * pixels) for volumes, stacks in (AGREEING, FITTING))
    if p.has_uncertainty:
        agreeing += 4 * SAMPLE_VOLUMES * voxels
    if p.carrier == "gaussians":
        fitting += BYTES_A_GAUSSIAN * gaussian_counts(p, voxels)[1]
    return int(BASE_BYTES + max(agreeing, fitting))


def gaussian_counts(p: Parameters, voxels: int) -> tuple[int, int]:
    """How many Gaussians the field of a result of that many voxels starts with, and how many it may grow to."""
    start = min(p.gaussians, max(voxels // VOXELS_A_GAUSSIAN, 16))
    return start, round(start * p.max_gaussians / p.gaussians)


def least_squares_steps(p: Parameters) -> int:
    """Steps of least squares on voxels: all that the other carriers do, and where Gaussians start."""
    return {"gaussians": int(p.start == "residual"), "grid": GRID_STEPS, "fdk": 1}[p.carrier]


def stage_seconds(
    p: Parameters, shape: Sequence[int], factors: Sequence[int], spacing: Sequence[float]
) -> dict[str, float]:
    """About how long each stage of the pipeline takes on a plain computer, for the estimate of the time left."""
    voxels = math.prod(shape) * math.prod(factors)
    pixels = _detector_pixels(shape, factors, spacing)
    gaussians = sum(gaussian_counts(p, voxels)) / 2 if p.carrier == "gaussians" else 0
    a_view = (
        1.5e-7 * gaussians + 2e-8 * pixels
    )  # drawn and compared by the CPU library; plain torch takes 20 times that
    an_iteration = 0.004 + 1e-7 * gaussians + p.views_per_step * a_view
    return {
        "upsample": 0.5 + 4e-7 * voxels,
        "project": _projection_seconds(p, voxels),
        **({"restore": _restoration_seconds(p, voxels, pixels)} if p.uses_prior else {}),
        "fit": 2 * _projection_seconds(p, voxels) * least_squares_steps(p)
        + (p.iterations * an_iteration if gaussians else 0),
        "assemble": 5e-6 * gaussians + 2e-7 * voxels,
    }


def _projection_seconds(p: Parameters, voxels: int) -> float:
    """Of all views of a volume; backprojecting them takes as long."""
    return 3e-9 * p.views * voxels


def _restoration_seconds(p: Parameters, voxels: int, pixels: float) -> float:
    """Looks of a compact network at views and slices, and what is done to the volume after that."""
    adaptive = p.adaptive_frontal > 0 or p.adaptive_lateral > 0
    looks = function_evaluations(p.ddim_steps, p.time_travel, adaptive=adaptive) * p.views * pixels
    slices = 0.0
    if p.slice_gain:
        looks += p.slice_axes * voxels
        slices = _projection_seconds(p, voxels) + p.consistency_rounds * 1.5e-8 * voxels
    reconstruction = 2 * _projection_seconds(p, voxels) if p.samples > 1 else 0
    return p.samples * (1e-6 * looks + slices + reconstruction)


def _detector_pixels(shape: Sequence[int], factors: Sequence[int], spacing: Sequence[float]) -> float:
    """As the parallel beam's: columns of the smaller in-plane spacing along the in-plane diagonal."""
    order = AxisOrder.for_factors(factors)
    rows, depth, columns = (n * s for n, s in zip(order.permute(shape), order.permute(factors), strict=True))
    _, along, across = (d / s for d, s in zip(order.permute(spacing), order.permute(factors), strict=True))
    return rows * math.hypot(depth * along, columns * across) / min(along, across)
