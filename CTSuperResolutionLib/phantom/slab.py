"""A stack of axial slices that anatomy is painted into, with anti-aliased edges.

Anatomy frame: millimetres in LPS (x to the patient's left, y to the back, z to the head), origin at the phantom's
centre. Arrays are (z, y, x). A shape is a signed distance in mm, negative inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

Box: TypeAlias = tuple[slice, slice, slice]
Coordinates: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]
"""z (n, 1, 1), y (1, n, 1) and x (1, 1, n) in mm: they broadcast."""

AIR = -1000.0


class Slab:
    """HU (z, y, x) float32 of some slices of a grid with `spacing` mm cubic voxels, starting as air."""

    def __init__(self, z: np.ndarray, y: np.ndarray, x: np.ndarray, spacing: float) -> None:
        self.axes = tuple(np.asarray(axis, dtype=np.float32) for axis in (z, y, x))
        self.spacing = float(spacing)
        self.hu = np.full([len(axis) for axis in self.axes], AIR, dtype=np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.hu.shape

    def coordinates(self, box: Box | None = None) -> Coordinates:
        """z, y, x in mm of the voxels in `box`, as arrays that broadcast to its shape."""
        z, y, x = self.axes if box is None else (axis[part] for axis, part in zip(self.axes, box, strict=True))
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def box(self, low: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray) -> Box | None:
        """Voxels within [low, high] mm, both (z, y, x), and one voxel around; None when there are none."""
        parts = []
        for axis, start, stop in zip(self.axes, low, high, strict=True):
            first = int(np.searchsorted(axis, start - self.spacing))
            last = int(np.searchsorted(axis, stop + self.spacing, side="right"))
            if first >= last:
                return None
            parts.append(slice(first, last))
        z, y, x = parts
        return z, y, x

    def occupancy(self, distance: np.ndarray) -> np.ndarray:
        """Share of a voxel that lies inside a surface at signed `distance` mm from its centre, in [0, 1]."""
        return np.clip(0.5 - distance / np.float32(self.spacing), 0.0, 1.0)

    def paint(self, distance: np.ndarray, value: np.ndarray | float, box: Box | None = None) -> None:
        """Fill the shape with `value` HU; voxels on its surface mix with what is already there."""
        self.blend(self.occupancy(distance), value, box)

    def blend(self, share: np.ndarray, value: np.ndarray | float, box: Box | None = None) -> None:
        """Replace `share` (0 to 1) of each voxel by `value` HU."""
        target = self.hu if box is None else self.hu[box]
        target += share * (value - target)
