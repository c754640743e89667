"""Grid geometry: spacing, origin and direction of a voxel grid, with the one rule for axes that are not straight.

A grid is stated by a matrix from voxel indices to millimetres. Its axes must be at right angles. Rounding in a header
may tilt them a little, so the nearest rotation (or reflection) about the grid's centre is taken where that moves no
corner of the volume by more than :data:`CORNER_TOLERANCE` voxels along any axis. More is shear: the grid is refused,
or sheared slices are shifted upright (see :mod:`.untilting`). The rule is the same for every format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CORNER_TOLERANCE = 0.1
"""Farthest that the nearest rotation may move a corner of the volume, in voxels."""

AS_STATED = 1e-6
"""Deviation of the cosines' Gram matrix from the identity that single precision explains; nothing is moved then."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class GridGeometry:
    """Place of a voxel grid in space, as in :class:`.Volume`.

    Attributes:
        spacing: mm, (z, y, x).
        origin: LPS centre of the first voxel, mm, (x, y, z).
        direction: nine direction cosines, row by row.
    """

    spacing: Triple
    origin: Triple
    direction: tuple[float, ...]


def grid_geometry(axes: np.ndarray, origin: Sequence[float] | np.ndarray, shape: Sequence[int]) -> GridGeometry | None:
    """The geometry of a grid, straightened where that is within the tolerance; None where its axes are sheared.

    Args:
        axes: (3, 3), mm; column i is the LPS step from a voxel to the next along grid axis (x, y, z)[i].
        origin: LPS centre of the first voxel, mm, (x, y, z).
        shape: voxels along (z, y, x).
    """
    steps = np.linalg.norm(axes, axis=0)
    cosines = axes / np.where(steps > 0, steps, 1)
    if np.abs(cosines.T @ cosines - np.eye(3)).max() > AS_STATED:
        rotation = nearest_rotation(cosines)
        if not steps.all() or corner_shift(axes, rotation * steps, shape) > CORNER_TOLERANCE:
            return None
        centre = (np.array(shape[::-1]) - 1) / 2
        origin, cosines = origin + (axes - rotation * steps) @ centre, rotation
    return _plain(cosines, steps, origin)


def _plain(cosines: np.ndarray, steps: np.ndarray, origin: Sequence[float] | np.ndarray) -> GridGeometry:
    dx, dy, dz = map(float, steps)
    x, y, z = map(float, origin)
    return GridGeometry((dz, dy, dx), (x, y, z), tuple(map(float, cosines.ravel())))


def nearest_rotation(cosines: np.ndarray) -> np.ndarray:
    """The orthogonal matrix (3, 3) nearest to one of unit columns in the Frobenius norm: its polar factor."""
    left, _, right = np.linalg.svd(cosines)
    return left @ right


def corner_shift(stated: np.ndarray, straight: np.ndarray, shape: Sequence[int]) -> float:
    """How far the corners of a volume move, at most and along any axis, in voxels, if its centre stays.

    Args:
        stated, straight: columns are steps along the axes (x, y, z), mm; those of ``straight`` at right angles.
        shape: voxels along (z, y, x).
    """
    corners = np.array(np.meshgrid(*((-n / 2, n / 2) for n in reversed(shape)))).reshape(3, -1)
    moved = (stated - straight) @ corners
    steps = np.linalg.norm(straight, axis=0)
    return float(np.abs((straight / steps**2).T @ moved).max())
