"""Overlay of a small volume over its scan in the slice views."""

from __future__ import annotations

import numpy as np
import slicer

from CTSuperResolutionPanel.scene import voxel_geometry


class SliceOverlay:
    """Shows a cube over the scan in the slice views, and afterwards what they showed before."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[str | None, str | None, float]] = {}

    def show(self, node: slicer.vtkMRMLScalarVolumeNode, scan: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Show a cube over its scan, and bring it into view where it is not."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            layers = (
                composite.GetBackgroundVolumeID(),
                composite.GetForegroundVolumeID(),
                composite.GetForegroundOpacity(),
            )
            self._before.setdefault(composite.GetID(), layers)
            if scan is not None:
                composite.SetBackgroundVolumeID(scan.GetID())
            composite.SetForegroundVolumeID(node.GetID())
            composite.SetForegroundOpacity(1.0)
        self._bring_into_view(node)

    def hide(self) -> None:
        """Show again what was shown before the first cube."""
        for name, (background, foreground, opacity) in self._before.items():
            composite = slicer.mrmlScene.GetNodeByID(name)
            if composite is not None:
                composite.SetBackgroundVolumeID(background)
                composite.SetForegroundVolumeID(foreground)
                composite.SetForegroundOpacity(opacity)
        self._before.clear()

    def forget(self) -> None:
        """The scene is closed: there is nothing to go back to."""
        self._before.clear()

    def _bring_into_view(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        size = voxel_geometry.shape(node)
        world = voxel_geometry.ras_to_world(node) @ voxel_geometry.ijk_to_ras(node)
        corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in reversed(size)])).reshape(3, -1).T
        points = voxel_geometry.apply(world, corners)
        low, high = points.min(axis=0), points.max(axis=0)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            matrix = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
            along = matrix[:3, 2] @ (points - matrix[:3, 3]).T
            if along.min() > 0 or along.max() < 0:
                view.JumpSlice(*((low + high) / 2))
