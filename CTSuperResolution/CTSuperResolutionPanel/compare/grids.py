"""Grids of voxels of two volumes, relative to each other, parent transforms included."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from CTSuperResolutionPanel.scene.voxel_geometry import ijk_to_ras, ras_to_world

SAME_PLACE_MM = 1e-3
"""Corners of two grids closer than this coincide."""


def ijk_to_world(volume: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray | None:
    """The 4 x 4 matrix from voxel indices (x, y, z) to world mm; None if a parent transform is not linear."""
    to_world = ras_to_world(volume)
    return None if to_world is None else to_world @ ijk_to_ras(volume)


def between_voxels(
    source: slicer.vtkMRMLScalarVolumeNode, target: slicer.vtkMRMLScalarVolumeNode
) -> vtk.vtkAbstractTransform:
    """The transform from voxel indices of one volume to those of another that lie in the same place."""
    source_matrix, target_matrix = ijk_to_world(source), ijk_to_world(target)
    if source_matrix is not None and target_matrix is not None:
        # one matrix: vtkImageReslice is several times faster with it than with a chain
        linear = vtk.vtkTransform()
        linear.SetMatrix(slicer.util.vtkMatrixFromArray(np.linalg.solve(target_matrix, source_matrix)))
        return linear
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        source.GetParentTransformNode(), target.GetParentTransformNode(), between
    )
    chain = vtk.vtkGeneralTransform()
    chain.PostMultiply()
    chain.Concatenate(slicer.util.vtkMatrixFromArray(ijk_to_ras(source)))
    chain.Concatenate(between)
    chain.Concatenate(slicer.util.vtkMatrixFromArray(np.linalg.inv(ijk_to_ras(target))))
    return chain


def world_to_voxels(volume: slicer.vtkMRMLScalarVolumeNode, points: np.ndarray) -> np.ndarray:
    """Points in world mm, shape (n, 3), as fractional voxel indices (x, y, z) of the volume, shape (n, 3)."""
    matrix = ijk_to_world(volume)
    if matrix is None:
        to_local = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, volume.GetParentTransformNode(), to_local)
        points = np.array([to_local.TransformPoint(point) for point in points]).reshape(-1, 3)
        matrix = ijk_to_ras(volume)
    inverse = np.linalg.inv(matrix)
    return points @ inverse[:3, :3].T + inverse[:3, 3]


def same_grid(first: slicer.vtkMRMLScalarVolumeNode, second: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether the voxels of two volumes coincide one by one."""
    size = first.GetImageData().GetDimensions()
    if size != second.GetImageData().GetDimensions():
        return False
    same_parent = first.GetParentTransformNode() is second.GetParentTransformNode()
    one, other = ((ijk_to_ras if same_parent else ijk_to_world)(volume) for volume in (first, second))
    if one is None or other is None:
        return False
    corners = np.array([[i, j, k, 1] for i in (0, size[0]) for j in (0, size[1]) for k in (0, size[2])], float)
    return bool(np.abs(corners @ (one - other).T).max() < SAME_PLACE_MM)


def world_bounds(volume: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """The box that holds the volume in world mm, shape (3, 2): rows R, A, S, columns low, high."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return np.reshape(bounds, (3, 2))
