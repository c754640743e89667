"""Geometry of voxel grids: 4 x 4 matrices from voxel indices (x, y, z) to mm, as numpy arrays in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike

from CTSuperResolutionLib.job.target_grid import TargetGrid

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


def part(matrix: np.ndarray, start: Sequence[int]) -> np.ndarray:
    """The matrix of a part of a grid from that of the whole; ``start`` is its first voxel, (z, y, x)."""
    inner = np.eye(4)
    inner[:3, 3] = start[::-1]
    return matrix @ inner


def refined(matrix: np.ndarray, target: TargetGrid) -> np.ndarray:
    """The matrix of the finer grid over another one, from that one's."""
    inner = np.diag([*(1 / np.asarray(target.factors, dtype=np.float64)[::-1]), 1.0])
    inner[:3, 3] = target.first[::-1]
    return matrix @ inner


def farthest(first: np.ndarray, second: np.ndarray, size: Sequence[int]) -> float:
    """How far apart, in mm, two matrices put any voxel of a grid of that size (z, y, x)."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in reversed(size)])).reshape(3, -1).T
    return float(np.linalg.norm(apply(first, corners) - apply(second, corners), axis=1).max())


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """Three values, one for each axis, as a tuple."""
    first, second, third = values
    return first, second, third
