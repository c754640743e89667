"""Geometry of voxel grids: 4 x 4 matrices from voxel indices (x, y, z) to mm, as numpy arrays in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike

VoxelRanges: TypeAlias = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Part of a volume: first voxel and the one after the last, along (z, y, x)."""

T = TypeVar("T")

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS, as Slicer counts, to LPS, as files do, and back."""


def ijk_to_ras(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """From indices to the RAS space that the volume's own parent transform, if any, then moves."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def ras_to_world(node: slicer.vtkMRMLTransformableNode) -> np.ndarray | None:
    """What the parent transforms of a node add; None where they are not linear."""
    parent = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if parent is not None and not parent.GetMatrixTransformToWorld(matrix):
        return None
    return slicer.util.arrayFromVTKMatrix(matrix)


def world_to_ijk(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """From points of the world, as cross-hair and regions are in, to indices. The transform must be linear."""
    return np.linalg.inv(ras_to_world(volume) @ ijk_to_ras(volume))


def apply(matrix: np.ndarray, points: ArrayLike) -> np.ndarray:
    """Points, (n, 3), through a matrix."""
    return np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def shape(volume: slicer.vtkMRMLVolumeNode) -> tuple[int, int, int]:
    """Voxels along (z, y, x); zeros where there is no image."""
    image = volume.GetImageData()
    return (0, 0, 0) if image is None else triple(image.GetDimensions()[::-1])


def spacing(matrix: np.ndarray) -> tuple[float, float, float]:
    """Distance of voxel centres in mm along (z, y, x)."""
    return triple(float(length) for length in np.linalg.norm(matrix[:3, :3], axis=0)[::-1])


def refined(matrix: np.ndarray, start: Sequence[int], factors: Sequence[int]) -> np.ndarray:
    """The matrix of a part of a grid, refined.

    Fine voxel j covers [j, j + 1] / s coarse ones: its centre lies at coarse index start + (j + 1/2) / s - 1/2.

    Args:
        matrix: of the whole grid.
        start: first voxel of the part, (z, y, x).
        factors: how many times finer it is, (z, y, x).
    """
    steps = 1 / np.asarray(factors, dtype=np.float64)[::-1]
    inner = np.diag([*steps, 1.0])
    inner[:3, 3] = np.asarray(start, dtype=np.float64)[::-1] + (steps - 1) / 2
    return matrix @ inner


def farthest(first: np.ndarray, second: np.ndarray, size: Sequence[int]) -> float:
    """How far apart, in mm, two matrices put any voxel of a grid of that size (z, y, x)."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in reversed(size)])).reshape(3, -1).T
    return float(np.linalg.norm(apply(first, corners) - apply(second, corners), axis=1).max())


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """Three values, one for each axis, as a tuple."""
    first, second, third = values
    return first, second, third
