"""Edge sharpness, as the 10-90 % rise.

Along every axis of the grid, an edge of the reference is a voxel where the slope (central difference) is steepest and
the values rise or fall without a break by STRONG_HU or more. Its rise is the distance between the points where that
run has covered 10 % and 90 % of its contrast, by linear interpolation. The sharpest tenth along each axis are the
places to look at; of a result, the run through the same voxels is measured. An edge that keeps less than half of its
contrast is lost: it has no rise, and the share of such edges has to be read with the rise of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.volume.volume import Volume

STRONG_HU = 200.0
SHARPEST = 0.1  # share of the edges along each axis
REACH = 12  # voxels to each side that an edge is followed
LEAST_CONTRAST = 0.5  # of the reference's
ROWS = 20_000  # lines looked at together


@dataclass(frozen=True)
class EdgeRise:
    """Sharpness of a volume at the reference's edges.

    Attributes:
        rise_mm: median 10-90 % rise of the edges that are not lost; None where there are none.
        reference_mm: median rise in the reference of all edges; None where there are none.
        lost: share of the edges that are lost; None where there are none.
    """

    rise_mm: float | None
    reference_mm: float | None
    lost: float | None


def edge_rise(volume: Volume, truth: Volume) -> EdgeRise:
    """Measure the sharpest edges of ``truth`` in a volume on the same grid."""
    ours, theirs = [], []
    for axis, step in enumerate(truth.spacing):
        reference, result = (_lines(np.moveaxis(v.array, axis, -1)) for v in (truth, volume))
        places, contrasts, widths = _edges(reference)
        sharpest = widths <= np.quantile(widths, SHARPEST) if len(widths) else np.zeros(0, dtype=bool)
        places, contrasts, widths = places[sharpest], contrasts[sharpest], widths[sharpest]
        theirs.append(step * widths)
        for part in _parts(len(places)):
            sign = np.sign(contrasts[part])[:, None]
            kept, found = _rise(sign * _take(result, places[part]))
            ours.append(np.where(kept >= LEAST_CONTRAST * np.abs(contrasts[part]), step * found, np.inf))
    reference_mm, rise_mm = np.concatenate(theirs), np.concatenate([*ours, np.zeros(0)])
    if not len(reference_mm):
        return EdgeRise(None, None, None)
    kept = rise_mm[np.isfinite(rise_mm)]
    lost = 1 - len(kept) / len(rise_mm)
    return EdgeRise(float(np.median(kept)) if len(kept) else None, float(np.median(reference_mm)), lost)


def _lines(array: np.ndarray) -> np.ndarray:
    """Windows (…, n, 2 REACH + 1) around every voxel along the last axis, a view; ends repeat."""
    padded = np.pad(array, [(0, 0), (0, 0), (REACH, REACH)], mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1, axis=-1)


def _edges(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (n, 3), contrasts in HU (n,), negative where values fall, and rises in voxels (n,) of all edges."""
    slope = (lines[..., REACH + 1] - lines[..., REACH - 1]) / 2
    steep = np.abs(slope)
    before, after = (np.pad(steep, [(0, 0), (0, 0), (1, 1)])[..., part] for part in (slice(0, -2), slice(2, None)))
    # A run of that contrast has this slope somewhere: no edge is overlooked.
    candidates = (steep >= STRONG_HU / (2 * REACH)) & (steep >= before) & (steep > after)
    places = np.argwhere(candidates)
    signs = np.sign(slope[candidates])
    contrasts, widths = np.zeros(len(places)), np.zeros(len(places))
    for part in _parts(len(places)):
        contrasts[part], widths[part] = _rise(signs[part, None] * _take(lines, places[part]))
    strong = contrasts >= STRONG_HU
    return places[strong], (signs * contrasts)[strong], widths[strong]


def _rise(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contrast and 10-90 % rise, in voxels, of the rising run through the middle of every line (n, 2 REACH + 1)."""
    rising = np.diff(lines, axis=1) > 0
    right = np.cumprod(rising[:, REACH:], axis=1).sum(1)
    left = np.cumprod(rising[:, REACH - 1 :: -1], axis=1).sum(1)
    rows = np.arange(len(lines))
    low, high = lines[rows, REACH - left], lines[rows, REACH + right]
    at = np.arange(lines.shape[1])
    run = np.where(at < (REACH - left)[:, None], low[:, None], lines)
    run = np.where(at > (REACH + right)[:, None], high[:, None], run)
    contrast = high - low
    points = []
    for share in (0.1, 0.9):
        level = low + share * contrast
        after = np.clip((run < level[:, None]).sum(1), 1, None)
        first, second = run[rows, after - 1], run[rows, after]
        points.append(after - 1 + (level - first) / np.where(second > first, second - first, 1))
    return contrast.astype(np.float64), (points[1] - points[0]).astype(np.float64)


def _take(lines: np.ndarray, places: np.ndarray) -> np.ndarray:
    return lines[tuple(places.T)].astype(np.float64)


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + ROWS) for start in range(0, count, ROWS))
