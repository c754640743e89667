"""Edge profiles: columns of voxels across smooth surfaces, each with where its surface lies.

The area under a symmetric edge-spread function does not depend on its width, so a column's own samples say where its
surface is. A surface goes on from column to column, and what its neighbours say is used in place of a column's own:
the noise of a sample then moves its height but not its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONTRAST_HU = 200.0
GROUPS = 6  # of samples in a window: two plateaus of two, and two between them
FLAT = 0.06  # of the contrast: how far the two groups of a plateau may lie apart
CENTRAL = 0.75  # of the pitch from the middle of its window: an edge is in the one or two that it is in the middle of
FALL = 0.05  # of the contrast: by how much a rise may fall back
STEEPEST = 0.6  # mm of the axis that a surface rises over one mm across it
TILT = 0.4  # of the pitch that it rises over one voxel across: more, and blur across the axis passes for blur along it
FULL = 0.75  # of the pairs of neighbours that have to be there
SAGITTA = 20.0  # mm, radius of a surface that leaves its chord by a twentieth of the pitch within the reach
BLOCK_MM = 16.0  # side of a part of a surface that counts as one
MAX_VOXELS = 32_000_000  # looked at; of larger scans every n-th slab
SLAB = 48  # rows of columns looked at together


@dataclass(frozen=True, eq=False)
class EdgeProfiles:
    """Profiles of edges along one axis.

    Attributes:
        offsets: mm from the surface, (n, samples), rising.
        heights: 0 on the plateau before the edge and 1 on the one behind, (n, samples).
        blocks: which part of which surface each is of, (n,).
        rising: whether HU rise along the axis, (n,).
    """

    offsets: np.ndarray
    heights: np.ndarray
    blocks: np.ndarray
    rising: np.ndarray


def edge_profiles(
    columns: np.ndarray, valid: np.ndarray | None, spacing: tuple[float, float, float], step: int
) -> EdgeProfiles:
    """The profiles of all edges along the first axis that end within a window of GROUPS × ``step`` samples.

    Args:
        columns: HU. valid: where they were measured, bool; None for everywhere. spacing: mm, of their axes.
    """
    samples = GROUPS * step
    none = np.empty((0, samples))
    found = [EdgeProfiles(none, none, np.empty(0, int), np.empty(0, bool))]
    if len(columns) >= samples:
        for row in range(0, columns.shape[1], SLAB * max(1, -(-columns.size // MAX_VOXELS))):
            part = (slice(None), slice(row, row + SLAB))
            measured = None if valid is None else valid[part]
            found.append(_profiles_of_slab(columns[part], measured, spacing, step, row))
    joined = [np.concatenate([getattr(f, name) for f in found]) for name in EdgeProfiles.__dataclass_fields__]
    return EdgeProfiles(*joined)


def _profiles_of_slab(
    slab: np.ndarray, valid: np.ndarray | None, spacing: tuple[float, float, float], step: int, row: int
) -> EdgeProfiles:
    pitch, *across = spacing
    slab = np.clip(slab, -1024, 3071).astype(np.float32)
    at, heights, rising = _edges(slab, valid, step)
    samples = GROUPS * step
    places = (np.arange(samples) - (samples - 1) / 2) * pitch
    own = (samples / 2 - heights.sum(1)) * pitch  # from the middle of the window
    central = np.abs(own) <= CENTRAL * pitch
    at, heights, rising, own = at[:, central], heights[central], rising[central], own[central]
    surface = _Surface(at, own + at[0] * pitch, rising, slab.shape, pitch)
    limits = [min(STEEPEST, TILT * step * pitch / width) for width in across]
    slopes = [(surface.beside(*d) - surface.beside(-d[0], -d[1])) / 2 for d in ((1, 0), (0, 1))]
    tilt = np.hypot(*(slope / width / limit for slope, width, limit in zip(slopes, across, limits, strict=True)))
    position = surface.from_neighbours(across, (2 * SAGITTA * 0.05 * step * pitch) ** 0.5) - at[0] * pitch
    # Not where a neighbour is missing, which is NaN, nor where the neighbours' surface lies on a plateau of this one.
    smooth = (tilt < 1) & (np.abs(position) < step * pitch)
    at, rising = at[:, smooth], rising[smooth]
    block = [at[0] * pitch // BLOCK_MM, (at[1] + row) * across[0] // BLOCK_MM, at[2] * across[1] // BLOCK_MM]
    number = ((block[0] * 1000 + block[1]) * 1000 + block[2]) * 2 + rising
    return EdgeProfiles(places - position[smooth, None], heights[smooth], number.astype(int), rising)


def _edges(slab: np.ndarray, valid: np.ndarray | None, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows with an edge between two plateaus: index (3, n), heights (n, samples) and rising (n,)."""
    samples = GROUPS * step
    count = len(slab) - samples + 1
    means = sum(slab[k : len(slab) - step + 1 + k] for k in range(step)) / np.float32(step)
    groups = [means[k * step : k * step + count] for k in range(GROUPS)]
    at = np.array(np.nonzero(np.abs(groups[-1] + groups[-2] - groups[0] - groups[1]) > 2 * CONTRAST_HU))
    level = np.stack([group[tuple(at)] for group in groups])
    low, high = level[:2].mean(0), level[-2:].mean(0)
    level = (level - low) / (high - low)
    clear = (np.abs(level[0] - level[1]) < FLAT) & (np.abs(level[-1] - level[-2]) < FLAT)
    clear &= (np.diff(level[1:-1], axis=0) > -FALL).all(0)
    if valid is not None:
        lost = np.cumsum(np.concatenate([np.zeros_like(valid[:1], dtype=int), ~valid]), axis=0)
        clear &= lost[at[0] + samples, at[1], at[2]] == lost[tuple(at)]
    at, low, high = at[:, clear], low[clear], high[clear]
    windows = slab[at[0][:, None] + np.arange(samples), at[1][:, None], at[2][:, None]]
    return at, (windows - low[:, None]) / (high - low)[:, None], high > low


class _Surface:
    """Where surfaces cross the columns, and what lies beside them."""

    def __init__(
        self, at: np.ndarray, height: np.ndarray, rising: np.ndarray, shape: tuple[int, ...], pitch: float
    ) -> None:
        self._at, self._height, self._rising, self._pitch = at, height, rising, pitch
        self._number = np.full(shape, -1, dtype=np.int32)
        self._number[tuple(at)] = np.arange(at.shape[1])

    def beside(self, rows: int, columns: int) -> np.ndarray:
        """Height, mm, of the same surface so many columns away, (n,); NaN where it does not go on."""
        index, row, column = self._at[0], self._at[1] + rows, self._at[2] + columns
        inside = (row >= 0) & (row < self._number.shape[1]) & (column >= 0) & (column < self._number.shape[2])
        nearest = np.full(len(index), np.nan)
        span = int(np.ceil(2 * STEEPEST / self._pitch)) + 1
        for shift in sorted(range(-span, span + 1), key=abs):
            there = inside & (index + shift >= 0) & (index + shift < len(self._number))
            number = np.where(there, self._number[index + shift * there, row * there, column * there], -1)
            same = (number >= 0) & (self._rising[number] == self._rising)
            nearest = np.where(same & np.isnan(nearest), self._height[number], nearest)
        return nearest

    def from_neighbours(self, across: list[float], reach: float) -> np.ndarray:
        """Mean height, mm, of the pairs of columns that lie opposite each other within ``reach``, mm, (n,).

        A plane gives its own height; noise of the column itself has no part in it. NaN where pairs are missing.
        """
        reach = max(reach, min(across) * 1.01)
        spans = [min(3, int(reach / width)) for width in across]
        total, count, pairs = np.zeros(len(self._height)), np.zeros(len(self._height)), 0
        for rows in range(spans[0] + 1):
            for columns in range(-spans[1] if rows else 1, spans[1] + 1):
                if np.hypot(rows * across[0], columns * across[1]) > reach:
                    continue
                pair = (self.beside(rows, columns) + self.beside(-rows, -columns)) / 2
                there = np.isfinite(pair)
                total[there] += pair[there]
                count += there
                pairs += 1
        return np.where(count >= FULL * pairs, total / np.maximum(count, 1), np.nan)
