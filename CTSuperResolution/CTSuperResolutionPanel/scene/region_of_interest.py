"""Region of interest: a box in the views, and the voxels that it covers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.volume.checks import MIN_SIDE
from CTSuperResolutionPanel.scene import voxel_geometry
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges, triple

ROUNDING = 1e-3
"""Voxels by which a box may miss a voxel's centre and still cover it."""


def whole(volume: slicer.vtkMRMLVolumeNode) -> VoxelRanges:
    """All of a volume."""
    return triple((0, n) for n in voxel_geometry.shape(volume))


def add(volume: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLMarkupsROINode:
    """A new box around a volume, with handles to drag."""
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLMarkupsROINode", slicer.mrmlScene.GenerateUniqueName(_("Region to super-resolve"))
    )
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetFillOpacity(0.08)
    display.SetPropertiesLabelVisibility(False)
    display.SetHandlesInteractive(True)
    fit(node, volume)
    return node


def fit(node: slicer.vtkMRMLMarkupsROINode, volume: slicer.vtkMRMLVolumeNode) -> None:
    """Put the box around a volume: along its axes, to the outer faces of its voxels, under its transform."""
    shape, matrix = voxel_geometry.shape(volume), voxel_geometry.ijk_to_ras(volume)
    spacing = voxel_geometry.spacing(matrix)
    middle = voxel_geometry.apply(matrix, [[(n - 1) / 2 for n in reversed(shape)]])[0]
    box = np.eye(4)
    box[:3, :3] = matrix[:3, :3] / spacing[::-1]
    if np.linalg.det(box) < 0:
        box[:3, 2] *= -1  # a box has no left and right, and its frame may not be mirrored
    box[:3, 3] = middle
    was = node.StartModify()
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(box))
    node.SetCenter(middle)
    node.SetSize([n * s for n, s in zip(reversed(shape), reversed(spacing), strict=True)])
    node.EndModify(was)


def ranges(node: slicer.vtkMRMLMarkupsROINode, volume: slicer.vtkMRMLVolumeNode) -> VoxelRanges | None:
    """The voxels of a volume whose centres are in the box, or in the smallest box of voxels around it where the two
    are turned against each other; None where there are none.
    """
    half = np.array(node.GetSize()) / 2
    corners = np.array(list(itertools.product(*[(-h, h) for h in half])))
    # Not by the node's own ObjectToWorld, which leaves out what a transform scales and shears.
    above = voxel_geometry.ras_to_world(node)
    if above is None:
        return None
    world = voxel_geometry.apply(above @ slicer.util.arrayFromVTKMatrix(node.GetObjectToNodeMatrix()), corners)
    indices = voxel_geometry.apply(voxel_geometry.world_to_ijk(volume), world)[:, ::-1]
    return _inside(indices.min(axis=0), indices.max(axis=0), voxel_geometry.shape(volume))


def around(point: Sequence[float], volume: slicer.vtkMRMLVolumeNode, side_mm: float) -> VoxelRanges | None:
    """A cube of voxels of about that side around a point of the world, moved to lie inside the volume.

    It has at least as many voxels along each axis as a job needs. None where the point is outside.
    """
    shape = voxel_geometry.shape(volume)
    index = voxel_geometry.apply(voxel_geometry.world_to_ijk(volume), [point])[0][::-1]
    if not all(-0.5 <= i <= n - 0.5 for i, n in zip(index, shape, strict=True)):
        return None
    found = []
    for i, n, spacing in zip(index, shape, voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume)), strict=True):
        side = min(max(round(side_mm / spacing), MIN_SIDE), n)
        start = min(max(round(i - (side - 1) / 2), 0), n - side)
        found.append((start, start + side))
    return triple(found)


def _inside(low: Sequence[float], high: Sequence[float], shape: Sequence[int]) -> VoxelRanges | None:
    found = []
    for least, most, n in zip(low, high, shape, strict=True):
        start, stop = max(math.ceil(least - ROUNDING), 0), min(math.floor(most + ROUNDING) + 1, n)
        if start >= stop:
            return None
        found.append((start, stop))
    return triple(found)
