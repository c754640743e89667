"""Noise power in flat regions: variance and mean frequency of a noise power spectrum (NPS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES
from CTSuperResolutionLib.volume.volume import Volume

SIDE_MM = 16.0  # of a region: liver, heart, muscle and brain have room for it between vessels and fat
CELLS_ALONG = 3  # steps between regions that are looked at, along a side
SOFT_SHARE = 0.9  # of the voxels of a region: noise of 50 HU takes a tenth out of the range
WIDEST_HU = 60.0  # standard deviation of a region, at the most
MOST_REGIONS = 16
FLAT = 2.0  # variance of a region over that of the flattest one, at the most
LEAST_VARIANCE = 1e-3  # HU²; below is no noise but one value


@dataclass(frozen=True)
class NoisePower:
    """Noise of a volume in flat regions.

    Attributes:
        variance: integral of the NPS, HU².
        mean_frequency: distance of the NPS from the origin, by power, in cycles per mm.
    """

    variance: float
    mean_frequency: float


def flat_regions(scan: Volume) -> list[Slices]:
    """The flattest cubes of soft tissue, of about 16 mm and at least three voxels; slices along (z, y, x).

    Cubes are looked at in steps of a third of their side. All of their voxels were measured and nine in ten lie in the
    range of soft tissue; their variance is the least, and no more than twice that of the flattest. None overlap.
    """
    low, high = TISSUE_RANGES["soft_tissue"]
    cells = [max(1, round(SIDE_MM / d / CELLS_ALONG)) for d in scan.spacing]
    if any(CELLS_ALONG * cell > n for cell, n in zip(cells, scan.shape, strict=True)):
        return []
    valid = 1.0 if scan.valid is None else _means(scan.valid, cells)

    def near(hu: np.ndarray) -> np.ndarray:
        return np.clip(hu, low - WIDEST_HU, high + WIDEST_HU)  # beyond, it is not flat anyhow

    soft = _means(scan.array, cells, lambda hu: (hu >= low) & (hu < high))
    variance = _means(scan.array, cells, lambda hu: near(hu) ** 2) - _means(scan.array, cells, near) ** 2
    variance[(valid < 1) | (soft < SOFT_SHARE) | (variance < LEAST_VARIANCE)] = np.inf
    least = float(variance.min())
    regions: list[Slices] = []
    while len(regions) < MOST_REGIONS:
        first = np.unravel_index(int(variance.argmin()), variance.shape)
        if variance[first] > min(FLAT * least, WIDEST_HU**2):
            break
        z, y, x = (slice(int(i) * c, (int(i) + CELLS_ALONG) * c) for i, c in zip(first, cells, strict=True))
        regions.append((z, y, x))
        around = tuple(slice(max(0, int(i) - CELLS_ALONG + 1), int(i) + CELLS_ALONG) for i in first)
        variance[around] = np.inf
    return regions


def noise_power(
    array: np.ndarray, spacing: Sequence[float], regions: Sequence[Slices], grid: Sequence[int]
) -> NoisePower | None:
    """Noise of a volume in regions, averaged over them.

    Of each the linear trend is taken away; the squares of its discrete Fourier transform are the NPS (ICRU 87, 2012;
    AAPM TG-233, 2019), whose sum over the frequencies is the variance (Parseval).

    Args:
        array: HU, (z, y, x). spacing: mm, (z, y, x).
        regions: of :func:`flat_regions`, on a grid of ``grid`` voxels (z, y, x) over the same box.

    Returns:
        None without a region, or where there is one value everywhere.
    """
    power = moment = 0.0
    for region in regions:
        z, y, x = (
            slice(round(part.start * fine / coarse), round(part.stop * fine / coarse))
            for part, fine, coarse in zip(region, array.shape, grid, strict=True)
        )
        noise = _detrended(array[z, y, x].astype(np.float64))
        spectrum = np.abs(np.fft.fftn(noise)) ** 2 / noise.size**2
        along = np.meshgrid(*map(np.fft.fftfreq, noise.shape, spacing), indexing="ij", sparse=True)
        power += float(spectrum.sum())
        moment += float((spectrum * np.sqrt(sum(f**2 for f in along))).sum())
    return NoisePower(power / len(regions), moment / power) if power > LEAST_VARIANCE * len(regions) else None


def _means(
    array: np.ndarray, cells: Sequence[int], of: Callable[[np.ndarray], np.ndarray] = lambda part: part
) -> np.ndarray:
    """Means over all cubes of CELLS_ALONG cells along every axis, by their first cell, of a function; float64."""
    means = array
    for axis, cell in enumerate(cells):
        along = np.moveaxis(means, axis, 0)
        # Cell by cell: of all of a large scan the function's values and their squares would not fit.
        starts = range(0, len(along) // cell * cell, cell)
        parts = (along[start : start + cell] for start in starts)
        of_cells = np.stack([(of(part) if axis == 0 else part).mean(axis=0, dtype=np.float64) for part in parts])
        of_cubes = np.lib.stride_tricks.sliding_window_view(of_cells, CELLS_ALONG, axis=0).mean(axis=-1)
        means = np.moveaxis(of_cubes, 0, axis)
    return means


def _detrended(array: np.ndarray) -> np.ndarray:
    """Without its mean and its slope along every axis; centred coordinates are orthogonal on a grid."""
    array = array - array.mean()
    for axis, n in enumerate(array.shape):
        along = (np.arange(n) - (n - 1) / 2).reshape([-1 if k == axis else 1 for k in range(array.ndim)])
        if n > 1:
            array = array - along * ((array * along).mean() / (along**2).mean())
    return array
