"""Geometry of voxel grids: 4 x 4 matrices from voxel indices (x, y, z) to mm, as numpy arrays in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import slicer
import vtk
from numpy.typing import ArrayLike

from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.volume.geometry import CORNER_TOLERANCE

SAMPLED_SLICES = 33
"""Slices of a volume, at most, in which it is looked what a transform does to them."""

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
    """What the parent transforms of a node add; None where they are not linear.

    What they do to all voxels of a volume may be linear all the same, within a tenth of a voxel: Slicer puts a grid
    transform of its own on DICOM volumes whose slices lie a micrometre beside a straight grid, or are tilted.
    """
    matrix = vtk.vtkMatrix4x4()
    if is_linear(node):
        if node.GetParentTransformNode() is not None:
            node.GetParentTransformNode().GetMatrixTransformToWorld(matrix)
        return slicer.util.arrayFromVTKMatrix(matrix)
    return _linear_over_voxels(node) if node.IsA("vtkMRMLVolumeNode") else None


def is_linear(node: slicer.vtkMRMLTransformableNode) -> bool:
    """Whether the parent transforms of a node, if any, are linear everywhere."""
    parent = node.GetParentTransformNode()
    return parent is None or bool(parent.IsTransformToWorldLinear())


def stated_grid(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray | None:
    """From indices to where the slices are: RAS, or the world where a transform that is not linear has to put them.

    None where that transform does more than a matrix.
    """
    own = ijk_to_ras(volume)
    if is_linear(volume):
        return own
    above = ras_to_world(volume)
    return None if above is None else above @ own


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


def _linear_over_voxels(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray | None:
    """The matrix that does to the voxels what the transforms above them do; None where that takes more than one."""
    size, own = shape(volume), ijk_to_ras(volume)
    if min(size) < 2:
        return None
    bend = vtk.vtkGeneralTransform()
    volume.GetParentTransformNode().GetTransformToWorld(bend)
    nz, ny, nx = size
    slices = np.unique(np.linspace(0, nz - 1, min(nz, SAMPLED_SLICES)).round())
    rows, columns = (np.linspace(0, n - 1, 3) for n in (ny, nx))
    indices = np.array(np.meshgrid(columns, rows, slices)).reshape(3, -1).T
    before = apply(own, indices)
    after = np.array([bend.TransformPoint(point) for point in before])
    tolerance = CORNER_TOLERANCE * min(spacing(own))
    if np.linalg.norm(after - before, axis=1).max() <= tolerance:
        return np.eye(4)
    middle = before.mean(axis=0)
    fit, *_rest = np.linalg.lstsq(np.column_stack([before - middle, np.ones(len(before))]), after, rcond=None)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = fit[:3].T, fit[3] - fit[:3].T @ middle
    return matrix if np.linalg.norm(apply(matrix, before) - after, axis=1).max() <= tolerance else None


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """Three values, one for each axis, as a tuple."""
    first, second, third = values
    return first, second, third
