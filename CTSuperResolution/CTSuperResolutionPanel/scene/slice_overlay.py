"""Overlay of a small volume over its scan in the slice views."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.util import VTKObservationMixin

from CTSuperResolutionPanel.scene import voxel_geometry
from CTSuperResolutionPanel.scene.observing import BEFORE_SELECTORS


class SliceOverlay(VTKObservationMixin):
    """Shows a cube over the scan in the slice views, and afterwards what they showed before.

    A cube that is deleted is hidden first, for Slicer would show another volume in its place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, tuple[str | None, str | None, float]] = {}
        self._shown: tuple[str, str | None] | None = None  # ids of the cube and of its scan

    def show(self, node: slicer.vtkMRMLScalarVolumeNode, scan: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Show a cube over its scan, and bring it into view where it is not."""
        self._shown = node.GetID(), None if scan is None else scan.GetID()
        self._fill(*self._shown)
        self._bring_into_view(node)
        removed = slicer.mrmlScene.NodeAboutToBeRemovedEvent
        if not self.hasObserver(slicer.mrmlScene, removed, self._on_node_removed):
            self.addObserver(slicer.mrmlScene, removed, self._on_node_removed, priority=BEFORE_SELECTORS)

    def show_again(self) -> None:
        """Show the cube in views that Slicer emptied; where they show anything else now, that stays."""
        if self._shown is None:
            return
        shown = {composite.GetForegroundVolumeID() for composite in _composites()}
        if shown <= {None, self._shown[0]}:
            self._fill(*self._shown)
        else:
            self.forget()

    def hide(self) -> None:
        """Show again what was shown before the first cube."""
        for name, (background, foreground, opacity) in self._before.items():
            composite = slicer.mrmlScene.GetNodeByID(name)
            if composite is not None:
                composite.SetBackgroundVolumeID(_existing(background))
                composite.SetForegroundVolumeID(_existing(foreground))
                composite.SetForegroundOpacity(opacity)
        self.forget()

    def forget(self) -> None:
        """Nothing is shown, and there is nothing to go back to."""
        self.removeObservers()
        self._before.clear()
        self._shown = None

    def _fill(self, cube: str, scan: str | None) -> None:
        for composite in _composites():
            layers = (
                composite.GetBackgroundVolumeID(),
                composite.GetForegroundVolumeID(),
                composite.GetForegroundOpacity(),
            )
            self._before.setdefault(composite.GetID(), layers)
            if scan is not None:
                composite.SetBackgroundVolumeID(scan)
            composite.SetForegroundVolumeID(cube)
            composite.SetForegroundOpacity(1.0)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_removed(self, scene: slicer.vtkMRMLScene, _event: str, node: slicer.vtkMRMLNode) -> None:
        if self._shown is not None and node.GetID() == self._shown[0] and not scene.IsClosing():
            self.hide()

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


def _composites() -> list[slicer.vtkMRMLSliceCompositeNode]:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def _existing(volume_id: str | None) -> str | None:
    """The id of a volume, None where it is gone."""
    return volume_id if volume_id and slicer.mrmlScene.GetNodeByID(volume_id) is not None else None
