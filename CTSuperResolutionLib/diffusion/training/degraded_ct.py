"""Degraded CTs as training examples: slices and projections, before and after a scanner's degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from CTSuperResolutionLib.degradation.damping import Damping
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.noise_estimation import scan_noise
from CTSuperResolutionLib.degradation.operator import assumed_blur, make_degradation
from CTSuperResolutionLib.degradation.simulation import CLIP_HU
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.diffusion.training.examples import Example, cut
from CTSuperResolutionLib.projection.geometry import parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.resampling import isotropic

LARGEST = (160, 384, 384)  # voxels of a volume that are used, around its centre
SMALLEST = 32  # voxels along its shortest side
VIEWS = 16  # projections of one degraded volume
DAMPING, ROUNDS = 0.1, 12  # as every preset has them
# Degradations of a volume: voxel spacing in mm that it is brought to, factors, and how often it is drawn.
DEGRADATIONS = (
    (1.0, (4, 4, 4), 3.0),
    (1.0, (8, 8, 8), 3.0),
    (1.0, (2, 2, 2), 0.7),
    (1.0, (4, 1, 1), 0.7),
    (1.5, (4, 4, 4), 3.0),
    (1.5, (8, 8, 8), 3.0),
    (0.8, (4, 4, 4), 3.0),
    (0.8, (3, 3, 3), 0.7),
)


@dataclass(frozen=True, eq=False)
class DegradedVolume:
    """A volume and its super-resolution without a prior, on the [0, 1] scale.

    Attributes:
        factors: (z, y, x). weight: how often it is drawn, relative to others of the same CT.
        truth, start: (z, y, x), float16. true_views, start_views: projections over half a turn, (views, v, u), float32,
            brightest 1; None where the factors of a slice's axes differ.
        slice_spread, view_spread: mean of (start - truth)².
    """

    factors: tuple[int, int, int]
    weight: float
    truth: np.ndarray
    start: np.ndarray
    true_views: np.ndarray | None
    start_views: np.ndarray | None
    slice_spread: float
    view_spread: float


class DegradedCt:
    """Examples from one CT, degraded in several ways.

    Args:
        volumes: see :func:`degrade_ct`.
        projections: share of the examples that are projections; the others are slices along any axis.
    """

    def __init__(self, volumes: Sequence[DegradedVolume], *, projections: float = 0.5) -> None:
        weights = np.array([volume.weight for volume in volumes])
        self._volumes, self._weights, self._projections = list(volumes), weights / weights.sum(), projections

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        """A random example of crop x crop pixels that is not all one value, if one is found soon."""
        for _ in range(5):
            volume = self._volumes[rng.choice(len(self._volumes), p=self._weights)]
            if volume.start_views is not None and volume.true_views is not None and rng.random() < self._projections:
                view = int(rng.integers(len(volume.true_views)))
                images = volume.start_views[view], volume.true_views[view]
                factors, spread = volume.factors[:2], volume.view_spread
            else:
                axis = int(rng.integers(3))
                index = int(rng.integers(volume.truth.shape[axis]))
                images = np.take(volume.start, index, axis), np.take(volume.truth, index, axis)
                rows, columns = (f for k, f in enumerate(volume.factors) if k != axis)
                factors = rows, columns
                spread = volume.slice_spread
            start, truth = cut(images, rng, crop, factors)
            if np.ptp(truth) > 0.01:
                break
        return Example(2 * start - 1, 2 * truth - 1, 4 * spread, factors)


@torch.no_grad()
def degrade_ct(
    hu: np.ndarray,
    spacing: Sequence[float],
    rng: np.random.Generator,
    *,
    degradations: Sequence[tuple[float, tuple[int, int, int], float]] = DEGRADATIONS,
) -> list[DegradedVolume]:
    """A CT degraded in every way of a table, and brought back without a prior.

    The true blur differs from the assumed one by a tenth or so, and every third scan is noisy (up to 25 HU): a prior
    that only ever saw the assumed degradation would take what differs for detail.

    Args:
        hu: (z, y, x). spacing: mm, (z, y, x).
        rng: draws blur, noise and angles.
        degradations: spacing in mm, factors, weight.

    Returns:
        One for each line of the table that leaves a volume of at least 32 voxels a side; none for too small a CT.
    """
    volumes = []
    for millimetres, factors, weight in degradations:
        fine = _resampled(hu, spacing, millimetres, factors)
        if min(fine.shape) >= SMALLEST:
            volumes.append(_degraded(torch.from_numpy(fine), millimetres, factors, weight, rng))
    return volumes


def _resampled(hu: np.ndarray, spacing: Sequence[float], millimetres: float, factors: Sequence[int]) -> np.ndarray:
    """Isotropic voxels, the middle of the volume, sides that the factors divide; float32."""
    zoom = np.asarray(spacing) / millimetres
    hu = np.clip(hu, *CLIP_HU).astype(np.float32)
    middle = tuple(
        slice(max(0, round((n - most / z) / 2)), n - max(0, round((n - most / z) / 2)))
        for n, most, z in zip(hu.shape, LARGEST, zoom, strict=True)
    )
    hu = isotropic(hu[middle], spacing, millimetres)
    whole = (n - n % f for n, f in zip(hu.shape, factors, strict=True))
    return np.ascontiguousarray(hu[tuple(map(slice, whole))])


def _degraded(
    truth: torch.Tensor, millimetres: float, factors: tuple[int, int, int], weight: float, rng: np.random.Generator
) -> DegradedVolume:
    blur = assumed_blur(1.0, factors)
    true_blur = [b * float(np.exp(rng.normal(0, 0.12))) for b in blur]
    scan = make_degradation(truth.shape, factors, blur=true_blur).A(truth)
    if rng.random() < 1 / 3:
        scan += rng.uniform(0, 25) * torch.from_numpy(rng.standard_normal(scan.shape, dtype=np.float32))
    cubic = upsample(scan, factors)
    degradation = make_degradation(truth.shape, factors, blur=blur)
    coarse = (millimetres * factors[0], millimetres * factors[1], millimetres * factors[2])
    damping = Damping(scan_noise(scan.numpy(), coarse).damping(DAMPING))
    start = DataConsistency.damped(degradation, scan, cubic, damping=damping, rounds=ROUNDS).enforce(cubic)
    truth, start = to_unit(truth, CLIP_HU), to_unit(start, CLIP_HU)
    true_views: np.ndarray | None = None
    start_views: np.ndarray | None = None
    view_spread = 0.0
    if factors[1] == factors[2]:
        slices, rows, columns = scan.shape
        geometry = parallel_beam(views=VIEWS, volume_shape=(slices, rows, columns), spacing=coarse)
        geometry = geometry.refined(*factors[:2])
        geometry = replace(geometry, angles=tuple(np.sort(rng.uniform(0, np.pi, VIEWS)).tolist()))
        depth, height, width = truth.shape
        projector = Projector(VolumeGrid((depth, height, width), (millimetres,) * 3), geometry)
        of_start, of_truth = projector.forward(start), projector.forward(truth)
        brightest = of_start.max().clamp(min=1e-6)
        of_start, of_truth = of_start / brightest, of_truth / brightest
        view_spread = float((of_start - of_truth).square().mean())
        true_views, start_views = of_truth.numpy(), of_start.numpy()
    return DegradedVolume(
        factors,
        weight,
        truth=truth.numpy().astype(np.float16),
        start=start.numpy().astype(np.float16),
        true_views=true_views,
        start_views=start_views,
        slice_spread=float((truth - start).square().mean()),
        view_spread=view_spread,
    )
