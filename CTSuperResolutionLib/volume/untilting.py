"""Untilting: slices that are displaced sideways, as by a tilted gantry, moved to where a straight grid has them.

Every slice stays in its plane and keeps its acquired thickness; it is only shifted within that plane by a fraction of
a pixel (cubic B-spline), on a canvas that holds all of them. Nothing is interpolated between slices. The grid that
comes out lies obliquely in the patient, along the normal of the slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.checks import AIR_HU
from CTSuperResolutionLib.volume.geometry import GridGeometry, grid_geometry

STEEPEST = 0.5**0.5
"""Least cosine of a tilt that is one: gantries lean by some 30 degrees, and nothing is gained beyond 45."""

INTEGER_TOLERANCE = 1e-3
"""Shifts this near to whole pixels are taken as those: nothing has to be interpolated."""


@dataclass(frozen=True, eq=False)
class Untilting:
    """Shifts of the slices of a volume within their planes.

    Attributes:
        shifts: (n, 2), pixels along (y, x) by which each slice is displaced on the straight grid.
        size: rows and columns of a slice.
    """

    shifts: np.ndarray
    size: tuple[int, int]

    @property
    def first(self) -> tuple[int, int]:
        """The pixel (y, x) of the straight grid where the canvas begins."""
        y, x = np.floor(self.shifts.min(0) + INTEGER_TOLERANCE)
        return int(y), int(x)

    @property
    def canvas(self) -> tuple[int, int]:
        """Rows and columns that hold all slices."""
        rows, columns = np.ceil(self.shifts.max(0) - INTEGER_TOLERANCE).astype(int) - self.first + self.size
        return int(rows), int(columns)

    def geometry(self, straight: GridGeometry) -> GridGeometry:
        """The geometry of the canvas, from that of the straight grid that the shifts are on."""
        _, dy, dx = straight.spacing
        axes = np.reshape(straight.direction, (3, 3))
        x, y, z = map(float, straight.origin + axes[:, :2] @ (np.array(self.first[::-1]) * [dx, dy]))
        return GridGeometry(straight.spacing, (x, y, z), straight.direction)

    def place(self, index: int, plane: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A slice on the canvas, and where it is outside (padding) there; all of the canvas beside the slice is.

        Args:
            index: of the slice.
            plane: its values (y, x), float32.
            outside: bool (y, x); those values take no part, and become air.
        """
        offset = self._offset(index)
        if outside.any() and not outside.all():  # no edge for the spline to ring at
            nearest = ndi.distance_transform_edt(outside, return_distances=False, return_indices=True)
            plane = plane[tuple(nearest)]
        order = 0 if np.array_equal(offset, np.round(offset)) else 3
        moved = ndi.affine_transform(plane, [1, 1], offset, self.canvas, order=order, mode="nearest")
        beside = self.place_mask(index, outside, beyond=True)
        return np.where(beside, np.float32(AIR_HU), moved), beside

    def place_mask(self, index: int, mask: np.ndarray, *, beyond: bool) -> np.ndarray:
        """Pixels of the canvas that masked pixels (y, x) of a slice have a part in; beside it ``beyond`` says so."""
        offset = self._offset(index)
        order = 0 if np.array_equal(offset, np.round(offset)) else 1
        values, outer = mask.astype(np.float32), float(beyond)
        share = ndi.affine_transform(values, [1, 1], offset, self.canvas, order=order, mode="constant", cval=outer)
        return share > INTEGER_TOLERANCE

    def _offset(self, index: int) -> np.ndarray:
        """Pixel (y, x) of a slice where the canvas begins."""
        offset = np.array(self.first) - self.shifts[index]
        whole = np.round(offset)
        return whole if np.abs(offset - whole).max() <= INTEGER_TOLERANCE else offset


def shifts_of_shear(axes: np.ndarray, straight: GridGeometry, slices: int) -> np.ndarray:
    """The shifts (n, 2), pixels along (y, x), of slices whose step (the third column of ``axes``) is no normal."""
    _, dy, dx = straight.spacing
    directions = np.reshape(straight.direction, (3, 3))
    shift = axes[:, 2] @ directions[:, 1::-1] / [dy, dx]
    return np.outer(np.arange(slices), shift)


def upright_geometry(axes: np.ndarray, origin: np.ndarray, shape: tuple[int, int, int]) -> GridGeometry | None:
    """The straight grid of slices that are displaced sideways only, and by less than gantries can.

    None where the slices' own axes are not straight, too.

    Args:
        axes, origin, shape: as :func:`.grid_geometry` takes them.
    """
    normal = np.cross(axes[:, 0], axes[:, 1])
    length = float(np.linalg.norm(normal))
    if not length > 0 or not math.isfinite(length):
        return None
    normal /= length
    height, way = abs(float(normal @ axes[:, 2])), float(np.linalg.norm(axes[:, 2]))
    if not height > STEEPEST * way:
        return None
    upright = np.column_stack([axes[:, 0], axes[:, 1], normal * (normal @ axes[:, 2])])
    return grid_geometry(upright, origin, shape)
