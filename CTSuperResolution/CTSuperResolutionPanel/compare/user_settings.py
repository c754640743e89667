"""User settings of layout, views and displays, saved before the comparison and restored after it.

Only what differs is set, so that nothing is redrawn or reported as modified without need. Nodes are remembered by their
ids: one that the user deleted meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer

from CTSuperResolutionPanel.compare.display_link import display_node
from CTSuperResolutionPanel.compare.layouts import Arrangement, is_our_layout
from CTSuperResolutionPanel.compare.slice_view import users_slice_nodes

Reading = tuple[Callable[[], Any], Callable[[Any], None]]
"""How one setting is read, and how it is written."""


class UserSettings:
    """Layout, slice views and crosshair as they are now.

    The user's slice views are remembered although the comparison does not touch them: other code may, while it is on.
    """

    def __init__(self) -> None:
        self.layout: int = layout_node().GetViewArrangement()
        self._nodes = [_remember(node) for node in users_slice_nodes()]
        for node in users_slice_nodes():
            logic = slicer.app.applicationLogic().GetSliceLogic(node)
            if logic:
                layers = logic.GetSliceCompositeNode()
                self._nodes.append(_remember(layers))
        self._nodes.append(_remember(crosshair_node()))

    def restore(self) -> None:
        """Bring everything back. A layout that the user chose during the comparison stays."""
        if has_our_layout():
            layout_node().SetViewArrangement(self.layout)
        for node_id, values in self._nodes:
            _bring_back(node_id, values)


class DisplaySettings:
    """Window, level and interpolation of some volumes as they are now."""

    def __init__(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        self._nodes = [_remember(display_node(volume)) for volume in volumes]

    def restore(self) -> None:
        """Bring them back to the volumes that still exist."""
        for node_id, values in self._nodes:
            _bring_back(node_id, values)


def has_our_layout() -> bool:
    """Whether the layout is one of the comparison's."""
    return is_our_layout(layout_node().GetViewArrangement())


def show_arrangement(arrangement: Arrangement) -> None:
    """Show an arrangement's layout, which Slicer gets to know the first time."""
    layout = layout_node()
    if not layout.IsLayoutDescription(arrangement.number()):
        layout.AddLayoutDescription(arrangement.number(), arrangement.xml())
    if layout.GetViewArrangement() != arrangement.number():
        layout.SetViewArrangement(arrangement.number())


def leave_our_layout() -> None:
    """Show Slicer's usual layout in place of an empty one of the comparison, as a scene saved meanwhile opens with."""
    if has_our_layout():
        layout_node().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)


def layout_node() -> slicer.vtkMRMLLayoutNode:
    """The scene's layout node."""
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()


def crosshair_node() -> slicer.vtkMRMLCrosshairNode:
    """The scene's crosshair."""
    return slicer.util.getNodesByClass("vtkMRMLCrosshairNode")[0]


def _remember(node: slicer.vtkMRMLNode) -> tuple[str, list[Any]]:
    return node.GetID(), [read() for read, _write in _readings(node)]


def _bring_back(node_id: str, values: list[Any]) -> None:
    node = slicer.mrmlScene.GetNodeByID(node_id)
    if node is None:
        return
    was = node.StartModify()
    for (read, write), value in zip(_readings(node), values, strict=True):
        if read() != value:
            write(value)
    node.EndModify(was)


def _readings(node: slicer.vtkMRMLNode) -> list[Reading]:
    if node.IsA("vtkMRMLSliceNode"):
        return _slice_readings(node)
    if node.IsA("vtkMRMLSliceCompositeNode"):
        return _layer_readings(node)
    if node.IsA("vtkMRMLCrosshairNode"):
        return _crosshair_readings(node)
    return _display_readings(node)


def _slice_readings(node: slicer.vtkMRMLSliceNode) -> list[Reading]:
    """Position and zoom of a slice view. The matrix comes first: setting it updates the others."""

    def write_position(rows: list[list[float]]) -> None:
        node.GetSliceToRAS().DeepCopy([value for row in rows for value in row])
        node.UpdateMatrices()

    return [
        (lambda: slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist(), write_position),
        (lambda: tuple(node.GetFieldOfView()), lambda value: node.SetFieldOfView(*value)),
        (lambda: tuple(node.GetXYZOrigin()), lambda value: node.SetXYZOrigin(*value)),
        (node.GetSliceSpacingMode, node.SetSliceSpacingMode),
        (lambda: tuple(node.GetPrescribedSliceSpacing()), lambda value: node.SetPrescribedSliceSpacing(*value)),
    ]


def _layer_readings(node: slicer.vtkMRMLSliceCompositeNode) -> list[Reading]:
    def existing(write: Callable[[str | None], None]) -> Callable[[str | None], None]:
        return lambda volume_id: write(volume_id if volume_id and slicer.mrmlScene.GetNodeByID(volume_id) else None)

    return [
        (node.GetBackgroundVolumeID, existing(node.SetBackgroundVolumeID)),
        (node.GetForegroundVolumeID, existing(node.SetForegroundVolumeID)),
        (node.GetLabelVolumeID, existing(node.SetLabelVolumeID)),
        (node.GetForegroundOpacity, node.SetForegroundOpacity),
        (node.GetLabelOpacity, node.SetLabelOpacity),
        (node.GetLinkedControl, node.SetLinkedControl),
        (node.GetHotLinkedControl, node.SetHotLinkedControl),
    ]


def _crosshair_readings(node: slicer.vtkMRMLCrosshairNode) -> list[Reading]:
    return [(node.GetCrosshairMode, node.SetCrosshairMode)]


def _display_readings(node: slicer.vtkMRMLScalarVolumeDisplayNode) -> list[Reading]:
    """Window last but one, automatic window last: turning it on computes the window again."""
    return [
        (node.GetInterpolate, node.SetInterpolate),
        (lambda: (node.GetWindow(), node.GetLevel()), lambda value: node.SetWindowLevel(*value)),
        (node.GetAutoWindowLevel, node.SetAutoWindowLevel),
    ]
