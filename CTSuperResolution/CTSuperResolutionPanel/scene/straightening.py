"""Straightening of a tilted scan: a new volume whose slices are shifted within their planes to a straight grid.

As the library does it where a user asks for it, see :mod:`CTSuperResolutionLib.volume.untilting`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.volume.checks import PADDING_HU
from CTSuperResolutionPanel.scene import voxel_geometry
from CTSuperResolutionPanel.scene.result_volumes import show_as

OUTSIDE = -2000
"""Value of what lies beside a slice: below all that a scanner measures, so that it is taken for padding."""


def tilt(matrix: np.ndarray, shape: Sequence[int]) -> float | None:
    """Degrees between the way from slice to slice and their normal; None where slices are not merely displaced.

    Args:
        matrix: 4 x 4, from indices (x, y, z) to mm. shape: voxels (z, y, x).
    """
    from CTSuperResolutionLib.volume.untilting import upright_geometry  # with SciPy: only for scans that need it

    axes = matrix[:3, :3]
    if upright_geometry(axes, matrix[:3, 3], voxel_geometry.triple(shape)) is None:
        return None
    normal = np.cross(axes[:, 0], axes[:, 1])
    cosine = abs(normal @ axes[:, 2]) / (np.linalg.norm(normal) * np.linalg.norm(axes[:, 2]))
    return math.degrees(math.acos(min(1.0, float(cosine))))


def straighten(
    volume: slicer.vtkMRMLScalarVolumeNode,
) -> Generator[float, None, slicer.vtkMRMLScalarVolumeNode]:
    """Put a straightened copy of a volume into the scene, by steps, each of a slice.

    The copy has the volume's window and colours, and its DICOM instances: its slices are theirs.

    Raises:
        ValueError: its slices are not merely displaced.
    """
    from CTSuperResolutionLib.volume.untilting import Untilting, shifts_of_shear, upright_geometry

    matrix, shape = voxel_geometry.stated_grid(volume), voxel_geometry.shape(volume)
    upright = None if matrix is None else upright_geometry(matrix[:3, :3], matrix[:3, 3], shape)
    if matrix is None or upright is None:
        raise ValueError("the slices are not merely displaced sideways")
    slices, rows, columns = shape
    untilting = Untilting(shifts_of_shear(matrix[:3, :3], upright, slices), (rows, columns))
    voxels = slicer.util.arrayFromVolume(volume)
    kind = np.int16 if np.issubdtype(voxels.dtype, np.integer) else np.float32
    array = np.empty((slices, *untilting.canvas), dtype=kind)
    for index, plane in enumerate(voxels):
        moved, beside = untilting.place(index, plane.astype(np.float32), plane < PADDING_HU)
        moved = moved if kind is np.float32 else np.rint(moved).clip(-32768, 32767)
        array[index] = np.where(beside, OUTSIDE, moved)
        yield (index + 1) / slices
    grid = untilting.geometry(upright)
    straight = np.eye(4)
    straight[:3, :3] = np.reshape(grid.direction, (3, 3)) * grid.spacing[::-1]
    straight[:3, 3] = grid.origin
    return _add(volume, array, straight)


def _add(
    volume: slicer.vtkMRMLScalarVolumeNode, array: np.ndarray, matrix: np.ndarray
) -> slicer.vtkMRMLScalarVolumeNode:
    """A new volume beside another one."""
    name = slicer.mrmlScene.GenerateUniqueName(_("{scan} straightened").format(scan=volume.GetName()))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    show_as(node, volume)
    slicer.util.updateVolumeFromArray(node, array)
    if voxel_geometry.is_linear(volume):  # otherwise what the transform does is in the matrix
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetAttribute("DICOM.instanceUIDs", volume.GetAttribute("DICOM.instanceUIDs"))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, beside = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(volume)
    if item and beside:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(beside))
    return node
