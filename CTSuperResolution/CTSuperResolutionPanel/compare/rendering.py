"""Rendering of the compared volumes beside each other, under one set of colours and one camera."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from CTSuperResolutionPanel.compare.layouts import VIEW_GROUP, Cell

ON_GPU = "vtkMRMLGPURayCastVolumeRenderingDisplayNode"
"""Slicer's usual way of rendering, where the user chose none."""

POSE = ("Position", "FocalPoint", "ViewUp")
"""What a camera's pose consists of."""


class Renderings:
    """Volume renderings of the comparison, apart from the user's own, which are hidden meanwhile."""

    def __init__(self) -> None:
        self._displays: list[slicer.vtkMRMLVolumeRenderingDisplayNode] = []
        self._properties: slicer.vtkMRMLVolumePropertyNode | None = None
        self._hidden: list[slicer.vtkMRMLVolumeRenderingDisplayNode] = []

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode], cells: Sequence[Cell]) -> None:
        """Render each volume in its own view. One node holds the colours of all: the same tissue looks the same."""
        self.hide()
        logic = slicer.modules.volumerendering.logic()
        for display in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"):
            if display.GetVisibility():
                display.SetVisibility(False)
                self._hidden.append(display)
        scene = slicer.mrmlScene
        self._properties = scene.AddNewNodeByClass("vtkMRMLVolumePropertyNode", "CTSRRendering")
        for volume, cell in zip(volumes, cells, strict=True):
            display = scene.AddNewNodeByClass(logic.GetDefaultRenderingMethod() or ON_GPU)
            display.SetAndObserveVolumePropertyNodeID(self._properties.GetID())
            display.AddViewNodeID(view_node(cell).GetID())
            volume.AddAndObserveDisplayNodeID(display.GetID())
            self._displays.append(display)
        # colours by the first volume's range of values: for CT, Slicer's preset for chest CT
        if not logic.SetRecommendedVolumeRenderingProperties(self._displays[0]):
            logic.CopyDisplayToVolumeRenderingDisplayNode(self._displays[0])
        for display in (*self._displays, self._properties):
            display.SetSaveWithScene(False)
        for display in self._displays:
            display.SetVisibility(True)

    def hide(self) -> None:
        """Take the renderings away and show the user's own again."""
        for node in (*self._displays, self._properties):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        for display in self._hidden:
            if slicer.mrmlScene.IsNodePresent(display):
                display.SetVisibility(True)
        self._displays, self._properties, self._hidden = [], None, []


def view_node(cell: Cell) -> slicer.vtkMRMLViewNode:
    """The 3D view's node, made by the layout."""
    return slicer.mrmlScene.GetSingletonNode(cell.view, "vtkMRMLViewNode")


def link_cameras(cells: Sequence[Cell], views: Sequence[slicer.qMRMLThreeDView], *, reset: bool) -> None:
    """Let all 3D views move together.

    Args:
        cells: the views' names.
        views: their ``qMRMLThreeDView``s.
        reset: look at everything from the front first.
    """
    for cell in cells:
        node = view_node(cell)
        node.SetViewGroup(VIEW_GROUP)
        node.SetLinkedControl(True)
        node.SetSaveWithScene(False)
    if reset:
        views[0].resetFocalPoint()
        views[0].resetCamera()
    leader = views[0].cameraNode()
    for view in views[1:]:
        camera = view.cameraNode()
        was = camera.StartModify()
        for name in POSE:
            getattr(camera, f"Set{name}")(getattr(leader, f"Get{name}")())
        camera.SetViewAngle(leader.GetViewAngle())
        camera.ResetClippingRange()
        camera.EndModify(was)
