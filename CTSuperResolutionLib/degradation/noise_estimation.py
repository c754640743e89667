"""Noise estimation of a scan: how strong it is, of which colour, and how much stands out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from scipy.special import gammaincinv

WINDOW_MM = 8.0  # side of a window within slices: between vessels and fat organs have room for many of them
LEAST_WINDOW = 5  # voxels, below which a window within slices shows no more than its edges
QUIETEST = 0.02  # share of the windows of one material that are taken to hold nothing but noise
PASSES = 2  # of deviation and colour, each of which depends on the other
FEWEST_WINDOWS = 500
LEAST_SHARE = 0.02  # of all windows: fewer of a material are where others mix
ALIKE = 1.25  # how far the deviation of a window may be from the noise for its colour to be the noise's
MATERIALS_HU = ((-30.0, 150.0), (-950.0, 3000.0), (-1020.0, -950.0))  # soft tissue; else all that is no air; else air
ANYTHING = ((-math.inf, math.inf),)
CLIPPED_HU = -1020.0  # where a scanner's noise in air is cut off
MOST_CLIPPED = 0.02  # share of a window
ONE_VALUE = 0.1  # HU; windows that vary by less hold one value and no noise

INSIDE_HU = -950.0  # below is air, where a scanner's noise is clipped
QUIETEST_DIFFERENCES = 0.1  # share of the neighbourhoods that are taken to hold nothing but noise
QUIETEST_IS_LOW = 1.45  # white noise over that quantile of its local estimates, when added to real CTs
DAMPING_OF_RATIO = 0.4  # best damping over noise/content, of real CTs with 0 to 30 HU of noise added


@dataclass(frozen=True)
class ScanNoise:
    """What a scan varies by from voxel to voxel, in HU.

    Attributes:
        sd: standard deviation of its noise in flat regions.
        correlation: of that noise from one voxel to the next, along each axis.
        white: standard deviation of the noise that second differences along all axes show. They pass white noise
            whole and little of noise that a soft kernel or overlapping slices have smoothed.
        content: root mean square of what second differences hold beyond that.
    """

    sd: float = 0.0
    correlation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    white: float = 0.0
    content: float = 0.0

    def damping(self, least: float) -> float:
        """λ of :meth:`Degradation.damped` for details in that noise: Wiener's ratio, at least ``least``."""
        return max(least, DAMPING_OF_RATIO * min(1.0, self.white / max(self.content, 1e-6)) if self.white else 0.0)


def scan_noise(
    scan: np.ndarray, spacing: Sequence[float], valid: np.ndarray | None = None, *, is_hu: bool = True
) -> ScanNoise:
    """Estimate the noise of a scan.

    Its deviation is that of the quietest windows of 8 mm within slices, of soft tissue where there is some, without
    what choosing the quietest takes away (the same quantile of χ²). Its colour is that of all windows as quiet.

    Args:
        scan: HU, (z, y, x). spacing: mm, in the same order; slices follow each other along the largest.
        valid: bool, where a scanner measured; everywhere if None.
        is_hu: whether the values tell materials apart.

    Returns:
        No noise where there is too little to see, or one value in most of the body.
    """
    sd, correlation = _flat_noise(scan, spacing, valid, MATERIALS_HU if is_hu else ANYTHING)
    white, content = white_noise(scan, valid)
    return ScanNoise(sd, correlation, white, content) if sd else ScanNoise(white, (0.0, 0.0, 0.0), white, content)


def _flat_noise(
    scan: np.ndarray, spacing: Sequence[float], valid: np.ndarray | None, materials: Sequence[tuple[float, float]]
) -> tuple[float, tuple[float, float, float]]:
    """Standard deviation and correlation from voxel to voxel along each axis; zero where there are too few windows."""
    through = max(range(3), key=lambda axis: spacing[axis])
    size = [1 if k == through else round(WINDOW_MM / d) // 2 * 2 + 1 for k, d in enumerate(spacing)]
    if sorted(size)[1] < LEAST_WINDOW or any(n > side for n, side in zip(size, scan.shape, strict=True)):
        return 0.0, (0.0, 0.0, 0.0)
    hu = np.clip(scan, -1100, 3100).astype(np.float64)
    mean = ndi.uniform_filter(hu, size)
    voxels = math.prod(size)
    variance = (ndi.uniform_filter(hu**2, size) - mean**2) * (voxels / (voxels - 1))
    usable = np.ones(scan.shape, dtype=bool)
    for axis, n in enumerate(size):  # whole windows
        edge = np.moveaxis(usable, axis, 0)
        edge[: n // 2] = edge[len(edge) - n // 2 :] = False
    usable &= ndi.uniform_filter((scan <= CLIPPED_HU).astype(np.float32), size) < MOST_CLIPPED
    if valid is not None:
        usable &= ndi.minimum_filter(valid, size)
    varied = variance > ONE_VALUE**2
    fewest = max(FEWEST_WINDOWS, LEAST_SHARE * np.count_nonzero(usable & varied))
    for low, high in materials:
        material = usable & (mean >= low) & (mean < high)
        chosen = material & varied
        if np.count_nonzero(chosen) >= max(fewest, np.count_nonzero(material) / 2):
            break
    else:
        return 0.0, (0.0, 0.0, 0.0)
    least = float(np.quantile(variance[chosen], QUIETEST))
    correlation = (0.0, 0.0, 0.0)
    for _ in range(PASSES):
        quiet = least / _by_chance(size, correlation)
        alike = chosen & (variance > quiet / ALIKE**2) & (variance < quiet * ALIKE**2)
        z, y, x = (_correlation(hu, alike, axis, quiet) for axis in range(3))
        correlation = z, y, x
    return quiet**0.5, correlation


def _by_chance(size: Sequence[int], correlation: Sequence[float]) -> float:
    """The quantile QUIETEST of the variance of a window of noise, over the noise's variance.

    That of χ² with as many degrees of freedom as a window has independent voxels. Along an axis, Gaussian noise whose
    neighbours correlate by ρ does so by ρ^(k²) over k voxels, and n / Σ ρ^(2k²) voxels are independent.
    """
    steps = np.arange(-8, 9) ** 2
    independent = math.prod(
        max(1.0, n / float((r ** (2.0 * steps)).sum())) for n, r in zip(size, correlation, strict=True) if n > 1
    )
    freedom = independent - 1  # of a chi-square, whose quantile this is; scipy.stats loads slowly
    return float(2 * gammaincinv(freedom / 2, QUIETEST) / freedom)


def _correlation(hu: np.ndarray, where: np.ndarray, axis: int, variance: float) -> float:
    """Of a voxel and the next along an axis: E[(a − b)²] = 2 σ² (1 − ρ)."""
    values, chosen = np.moveaxis(hu, axis, 0), np.moveaxis(where, axis, 0)
    both = chosen[1:] & chosen[:-1]
    if not both.any():
        return 0.0
    step = float(((values[1:] - values[:-1])[both] ** 2).mean())
    return float(np.clip(1 - step / (2 * variance), 0, 0.95))


def white_noise(scan: np.ndarray, valid: np.ndarray | None = None) -> tuple[float, float]:
    """:attr:`ScanNoise.white` and :attr:`ScanNoise.content` of a scan, (z, y, x), or of a slice, (y, x), HU.

    Second differences along all axes leave little of an image and the whole of white noise (Immerkær, 1996); where
    their root mean square over three voxels along every axis is least there is no image at all.
    """
    if min(scan.shape) < 3:
        return 0.0, 0.0
    differences = scan.astype(np.float32)
    for axis in range(scan.ndim):
        differences = ndi.correlate1d(differences, [1, -2, 1], axis) / 6**0.5
    local = np.maximum(ndi.uniform_filter(differences**2, 3), 0)
    # Padding has one value everywhere, which says nothing about noise; nor does a neighbourhood that is partly so.
    body = scan > INSIDE_HU
    if valid is not None:
        body &= ndi.minimum_filter(valid, 5)
    inside = local[body & ~ndi.maximum_filter(local <= 1e-4, 5)]
    if 2 * inside.size <= np.count_nonzero(body):
        return 0.0, 0.0
    noise = QUIETEST_IS_LOW * float(np.quantile(inside, QUIETEST_DIFFERENCES)) ** 0.5
    return noise, max(float(inside.mean()) - noise**2, 0.0) ** 0.5
