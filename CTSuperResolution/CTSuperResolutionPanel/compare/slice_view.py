"""Slice views of the comparison: their nodes and logics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import slicer

from CTSuperResolutionPanel.compare.grids import world_bounds
from CTSuperResolutionPanel.compare.layouts import VIEW_GROUP, Cell, is_our_view


class SliceView:
    """One slice view of the comparison: its node, its layers' node and its logic.

    Made after Slicer has built the layout that holds the view.
    """

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.node: slicer.vtkMRMLSliceNode = slicer.mrmlScene.GetSingletonNode(cell.view, "vtkMRMLSliceNode")
        self.logic: slicer.vtkMRMLSliceLogic = slicer.app.applicationLogic().GetSliceLogic(self.node)
        self.layers: slicer.vtkMRMLSliceCompositeNode = self.logic.GetSliceCompositeNode()

    def prepare(self) -> None:
        """Give the view its plane, its group and its links, and keep it out of saved scenes."""
        self.node.SetViewGroup(VIEW_GROUP)
        self.node.SetOrientation(self.cell.plane)
        self.layers.SetLinkedControl(True)
        self.layers.SetHotLinkedControl(True)
        self.layers.SetDoPropagateVolumeSelection(False)  # a volume loaded meanwhile must not appear here
        for node in (self.node, self.layers):
            node.SetSaveWithScene(False)

    def show(
        self, volume: slicer.vtkMRMLNode | None, over: slicer.vtkMRMLNode | None = None, *, opacity: float = 0.0
    ) -> None:
        """Show a volume, and a second one over it; without opacity that is kept ready for the swipe view."""
        was = self.layers.StartModify()
        self.layers.SetBackgroundVolumeID(volume.GetID() if volume else None)
        self.layers.SetForegroundVolumeID(over.GetID() if over else None)
        self.layers.SetForegroundOpacity(opacity)
        self.layers.SetLabelVolumeID(None)
        self.layers.EndModify(was)

    def go_to(self, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Centre the volume, at the slice of the user's own view of this plane, or at the middle if that is outside."""
        width, height, _depth = self.node.GetDimensions()
        self.logic.FitSliceToVolume(volume, width, height)
        self.node.SetXYZOrigin(0, 0, 0)
        low, high = self._bounds(volume)[2]
        offset = users_offset(self.cell.plane)
        self.logic.SetSliceOffset(offset if offset is not None and low < offset < high else (low + high) / 2)
        self.logic.SnapSliceOffsetToIJK()

    def looks_into(self, volume: slicer.vtkMRMLScalarVolumeNode) -> bool:
        """Whether the middle of the view lies in the box around the volume."""
        middle = self.node.GetSliceToRAS().MultiplyPoint((*self.node.GetXYZOrigin(), 1))[:3]
        low, high = world_bounds(volume).T
        return bool(np.all((low <= middle) & (middle <= high)))

    def zoom(self) -> float:
        """Size of a pixel in mm."""
        width, height, _depth = self.node.GetDimensions()
        across, down, _depth = self.node.GetFieldOfView()
        return max(across / width, down / height)

    def fitting_zoom(self, volume: slicer.vtkMRMLScalarVolumeNode) -> float:
        """Size of a pixel in mm that shows the volume as large as the view allows."""
        width, height, _depth = self.node.GetDimensions()
        across, down, _through = (high - low for low, high in self._bounds(volume))
        return max(across / width, down / height)

    def set_zoom(self, zoom: float) -> None:
        """Set the size of a pixel in mm; the view is one slice deep."""
        width, height, _depth = self.node.GetDimensions()
        self.node.SetFieldOfView(zoom * width, zoom * height, self.node.GetPrescribedSliceSpacing()[2])

    def follow(self, leader: SliceView) -> None:
        """Take another view's position and zoom."""
        self.node.GetSliceToRAS().DeepCopy(leader.node.GetSliceToRAS())
        self.node.SetXYZOrigin(*leader.node.GetXYZOrigin())
        self.set_zoom(leader.zoom())
        self.node.UpdateMatrices()

    def slice_spacing(self, volume: slicer.vtkMRMLScalarVolumeNode) -> float:
        """Distance in mm between the slices of a volume across the view's plane."""
        return self.logic.GetVolumeSliceSpacing(volume)[2]

    def set_spacing(self, spacing: float) -> None:
        """Scroll by this many mm."""
        self.node.SetSliceSpacingModeToPrescribed()
        self.node.SetPrescribedSliceSpacing(*self.node.GetPrescribedSliceSpacing()[:2], spacing)

    def _bounds(self, volume: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
        """The box around a volume along the view's axes, in mm, shape (3, 2): across, down, through; low, high."""
        bounds = [0.0] * 6
        self.logic.GetVolumeSliceBounds(volume, bounds)
        return np.reshape(bounds, (3, 2))


def users_slice_nodes() -> Iterator[slicer.vtkMRMLSliceNode]:
    """All slice nodes of the scene but the comparison's."""
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        if not is_our_view(node.GetLayoutName()):
            yield node


def users_offset(plane: str) -> float | None:
    """Where the user's own view of a plane stands, in mm; None where no such view shows anything."""
    for node in users_slice_nodes():
        logic = slicer.app.applicationLogic().GetSliceLogic(node)
        if node.GetOrientation() == plane and logic and logic.GetSliceCompositeNode().GetBackgroundVolumeID():
            return logic.GetSliceOffset()
    return None
