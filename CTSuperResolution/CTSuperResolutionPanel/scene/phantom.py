"""Thorax phantom as a volume of the scene."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.scene import phantom_scan, voxel_geometry


def load_phantom(
    shape: tuple[int, int, int] = phantom_scan.SHAPE, spacing: float = phantom_scan.SPACING
) -> slicer.vtkMRMLScalarVolumeNode:
    """Generate a coarse scan of the phantom and put it into the scene, which takes seconds where it is a large one.

    Args:
        shape: voxels (z, y, x).
        spacing: mm.
    """
    return add_phantom(*phantom_scan.thorax_scan(shape, spacing))


def add_phantom(voxels: np.ndarray, ijk_to_lps: np.ndarray) -> slicer.vtkMRMLScalarVolumeNode:
    """Put a scan of the phantom into the scene and show it.

    Args:
        voxels: HU, (z, y, x).
        ijk_to_lps: 4 x 4, from indices (x, y, z) to mm.
    """
    node = slicer.util.addVolumeFromArray(voxels, name=_("Thorax phantom"), nodeClassName="vtkMRMLScalarVolumeNode")
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(voxel_geometry.LPS @ ijk_to_lps))
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(1500, -300)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node
