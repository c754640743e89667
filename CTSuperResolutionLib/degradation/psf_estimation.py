"""Estimation of the point-spread function along an axis from a scan's own edges.

A surface whose normal lies near the axis is sampled by the columns of voxels across it at slightly different places.
Each column's own samples say where the surface is (the area under a symmetric edge-spread function does not depend on
its width), so all columns together give one finely sampled edge-spread function, as a slanted edge does in a test
chart (Judy 1976; Samei et al. 1998; on patients Sanders et al. 2016). Real edges are no sharper than a step: the
width is that of the sharper ones, by least absolute deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.degradation.point_spread import FAMILIES, PointSpread

HALF = 3  # samples on either side of an edge: two of them plateau
CONTRAST_HU = 200.0
FLAT = 0.06  # of the contrast: how far the two samples of a plateau may lie apart
STEEPEST = 0.6  # mm of the axis that a surface rises over one mm across it
MIN_PROFILES = 150
MAX_PROFILES = 20_000
MAX_DEVIATION = 0.03  # mean absolute deviation from the fitted edge, of its height: more are no clean edges
MAX_SPREAD = 0.1  # standard error of the width, relative to it
WIDEST = 1.5  # FWHM in samples that an edge of HALF samples a side can show
MAX_STRIDE = 6
MAX_VOXELS = 8_000_000  # looked at; of larger scans every n-th plane
SLAB = 24  # rows of columns looked at together
BLOCKS = 8


@dataclass(frozen=True)
class PsfEstimate:
    """What the edges of a scan say of its point-spread function along one axis.

    Attributes:
        psf: family and FWHM in mm.
        error: standard error of the FWHM, mm.
        profiles: edges that it was found from.
    """

    psf: PointSpread
    error: float
    profiles: int


def estimate_psf(scan: np.ndarray, spacing: tuple[float, float, float], axis: int) -> PsfEstimate | None:
    """The point-spread function of a scan along an axis, or None where there is too little to see.

    Args:
        scan: HU, (z, y, x). spacing: mm, (z, y, x). axis: 0, 1 or 2.
    """
    columns = np.moveaxis(scan, axis, 0)
    first, second = (s for k, s in enumerate(spacing) if k != axis)
    pitch, across = spacing[axis], (first, second)
    for step in range(1, MAX_STRIDE + 1):  # overlapping slices: an edge has to end within the window
        edges = [_edges(columns[first::step], step * pitch, across) for first in range(min(step, 2))]
        offsets, values, rows = (np.concatenate(parts) for parts in zip(*edges, strict=True))
        if len(values) < MIN_PROFILES:
            continue
        found = _fit(offsets, values, rows, step * pitch)
        if found.psf.fwhm <= WIDEST * step * pitch:
            return found if _is_clean(found, offsets, values) and not _is_unresolved(found, pitch) else None
    return None


def _edges(columns: np.ndarray, pitch: float, across: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges along the first axis: mm from the surface and height, both (n, 2 HALF), and the slab that each is of."""
    found = [(np.empty((0, 2 * HALF)), np.empty((0, 2 * HALF)), np.empty(0, dtype=int))]
    stride = SLAB * max(1, -(-columns.size // MAX_VOXELS))
    if len(columns) >= 2 * HALF:
        for row in range(0, columns.shape[1], stride):
            offsets, values = _edges_of_slab(columns[:, row : row + SLAB], pitch, across)
            found.append((offsets, values, np.full(len(values), row)))
    offsets, values, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return offsets, values, rows


def _edges_of_slab(slab: np.ndarray, pitch: float, across: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    slab = np.clip(slab, -1024, 3071).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(slab, 2 * HALF, axis=0)  # (count, rows, columns, length)
    low, high = windows[..., :2].mean(-1), windows[..., -2:].mean(-1)
    contrast = np.abs(high - low)
    clear = contrast > CONTRAST_HU
    clear &= np.abs(windows[..., 0] - windows[..., 1]) < FLAT * contrast
    clear &= np.abs(windows[..., -1] - windows[..., -2]) < FLAT * contrast
    at = np.nonzero(clear)
    heights = (windows[at] - low[at][:, None]) / (high - low)[at][:, None]
    places = (np.arange(2 * HALF) - (2 * HALF - 1) / 2) * pitch
    surface = places[-1] + pitch / 2 - heights.sum(1) * pitch  # from the middle of the window
    rising = (np.diff(heights[:, 1:-1], axis=1) > -0.05).all(1) & (np.abs(surface) < pitch)
    # A surface goes on from column to column, and does not rise too steeply; noise and small things do not.
    height_map = np.full(clear.shape, np.nan, dtype=np.float32)
    kept = tuple(index[rising] for index in at)
    height_map[kept] = surface[rising] + kept[0] * pitch
    slopes = [(np.roll(height_map, -1, k) - np.roll(height_map, 1, k)) / (2 * across[k - 1]) for k in (1, 2)]
    smooth = np.hypot(*slopes)[kept] < STEEPEST  # not where a neighbour is missing, which is NaN
    return (places[None] - surface[rising, None])[smooth], heights[rising][smooth]


def _fit(offsets: np.ndarray, values: np.ndarray, rows: np.ndarray, pitch: float) -> PsfEstimate:
    if len(values) > MAX_PROFILES:
        kept = np.random.default_rng(0).choice(len(values), MAX_PROFILES, replace=False)
        offsets, values, rows = offsets[kept], values[kept], rows[kept]
    fits = [(_width(family, offsets, values, pitch), family) for family in FAMILIES]
    (_, width), family = min(fits, key=lambda fit: fit[0][0])
    psf = PointSpread(family, width)
    # Edges beside each other are one surface: what differs is told from one part of the scan to another.
    order = np.argsort(rows, kind="stable")
    parts = [part for part in np.array_split(order, BLOCKS) if len(part)]
    widths = [_width(family, offsets[part], values[part], pitch)[1] for part in parts]
    return PsfEstimate(psf, float(np.std(widths, ddof=1) / len(widths) ** 0.5), len(values))


def _width(family: str, offsets: np.ndarray, values: np.ndarray, pitch: float) -> tuple[float, float]:
    """Least mean absolute deviation and the FWHM that has it, mm."""

    def deviation(width: float) -> float:
        return float(np.abs(PointSpread(family, width).integral(offsets) - values).mean())

    widths = np.arange(0.3, 2.5, 0.1) * pitch
    best = min(widths, key=deviation)
    fine = best + np.arange(-0.09, 0.1, 0.01) * pitch
    return min((deviation(float(width)), float(width)) for width in fine)


def _is_unresolved(found: PsfEstimate, pitch: float) -> bool:
    """Whether all that can be seen is that an edge lies between two samples.

    Of a point-spread function narrower than the spacing the samples say no more, and it looks like a box as wide as
    the spacing.
    """
    return found.psf.family == "box" and found.psf.fwhm < 1.1 * pitch


def _is_clean(found: PsfEstimate, offsets: np.ndarray, values: np.ndarray) -> bool:
    deviation = float(np.abs(found.psf.integral(offsets) - values).mean())
    return deviation < MAX_DEVIATION and found.error < MAX_SPREAD * found.psf.fwhm
