"""Error map: half the width of every voxel's interval, made of a result where it is read, a few slices at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from CTSuperResolutionLib.quantification.added_structure import BORDERS, EVERYWHERE
from CTSuperResolutionLib.quantification.tissue_shift import FEWEST_VOXELS, NO_TISSUE, TISSUE_RANGES
from CTSuperResolutionLib.trust.error_spread import REACH
from CTSuperResolutionLib.trust.self_test import SelfTest
from CTSuperResolutionLib.volume.volume import Volume

SLICES_AT_ONCE = 8
VOXELS_AT_ONCE = 1 << 20  # with what they depend on, as far as rows of such slices go: at some 60 bytes each
MASKED_HU = 150.0  # half a width beyond which a voxel is not to be trusted


class ErrorMap:
    """Half widths, HU, as an array (z, y, x) of float32 that is computed by the part: volumes limit the size of a job.

    Args:
        sr, cubic: the result and the cubic upsampling, HU, (z, y, x); read by slices.
        test: of the scan.
    """

    ndim, dtype = 3, np.dtype(np.float32)

    def __init__(self, sr: np.ndarray, cubic: np.ndarray, test: SelfTest) -> None:
        self._sr, self._cubic, self._test = sr, cubic, test
        self.shape = sr.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self), SLICES_AT_ONCE):
            yield from self._slices(first, min(first + SLICES_AT_ONCE, len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.stack(list(self)).astype(dtype or self.dtype, copy=False)

    def _slices(self, start: int, stop: int) -> np.ndarray:
        _, rows, columns = self.shape
        found = np.empty((stop - start, rows, columns), dtype=np.float32)
        (first, last), along = _around(start, stop, len(self))
        height = max(VOXELS_AT_ONCE // ((last - first) * columns) - 2 * REACH, REACH)
        for top in range(0, rows, height):
            bottom = min(top + height, rows)
            (upper, lower), down = _around(top, bottom, rows)
            read = (slice(first, last), slice(upper, lower))
            widths = self._test.half_width(np.asarray(self._sr[read]), np.asarray(self._cubic[read]))
            found[:, top:bottom] = widths[along, down]
        return found


def _around(start: int, stop: int, size: int) -> tuple[tuple[int, int], slice]:
    """What a part of an axis depends on, and where in that the part is."""
    first, last = max(start - REACH, 0), min(stop + REACH, size)
    return (first, last), slice(start - first, stop - first)


def error_volume(sr: Volume, cubic: Volume, test: SelfTest) -> Volume:
    """The half widths on the grid of a result."""
    found = cast(np.ndarray, ErrorMap(sr.array, cubic.array, test))
    return Volume(found, sr.spacing, sr.origin, sr.direction)


def error_by_tissue(error: Iterator[np.ndarray], labels: Iterator[np.ndarray]) -> dict[str, dict[str, float] | None]:
    """Of every tissue ``mean_half_width_hu`` and ``above_150_percent``; None of fewer than FEWEST_VOXELS voxels.

    Args:
        error: planes of half widths, HU. labels: planes of :func:`.region_labels`, on the same grid.
    """
    names = (*TISSUE_RANGES, BORDERS)
    kinds = len(names) + 1
    sums = np.zeros((3, kinds))  # voxels, half widths, and voxels that are masked
    for plane, kind in zip(error, labels, strict=True):
        flat = plane.ravel().astype(np.float64)
        weights = [np.ones_like(flat), flat, flat > MASKED_HU]
        sums += [np.bincount(kind.ravel(), weights=weight, minlength=kinds) for weight in weights]
    by_name = dict(zip(names, sums[:, NO_TISSUE + 1 :].T, strict=True)) | {EVERYWHERE: sums[:, NO_TISSUE + 1 :].sum(1)}
    return {name: _mean(*own) if own[0] >= FEWEST_VOXELS else None for name, own in by_name.items()}


def _mean(voxels: float, widths: float, masked: float) -> dict[str, float]:
    return {
        "mean_half_width_hu": round(float(widths / voxels), 1),
        "above_150_percent": round(float(100 * masked / voxels), 2),
    }
