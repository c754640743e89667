"""Colours for differences, for what was added and for errors, and their legends."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

COLORS = np.array(
    [
        [0.72, 0.90, 1.00],
        [0.20, 0.55, 0.95],
        [0.05, 0.22, 0.50],
        [0.05, 0.05, 0.05],
        [0.52, 0.18, 0.04],
        [0.95, 0.48, 0.12],
        [1.00, 0.90, 0.60],
    ]
)
"""From negative to positive, evenly spaced: blue for darker, orange for brighter than the first volume, both getting
lighter with the amount; no difference is nearly black, as the views' background is. Told apart by colour-blind eyes."""

ERROR_COLORS = np.array(
    [[0.30, 0.02, 0.42], [0.60, 0.15, 0.42], [0.86, 0.32, 0.22], [0.98, 0.62, 0.10], [0.98, 0.95, 0.60]]
)
"""From none to the largest error, evenly spaced: from violet to light yellow, lighter all the way."""

COUNT = 256
TABLE_NAME, ADDED_TABLE_NAME, ERROR_TABLE_NAME = "CT difference", "CT added", "CT error"


def diverging_colors(positions: np.ndarray) -> np.ndarray:
    """Red, green, blue (0 to 1), shape (n, 3), at positions from −1 to 1, shape (n,)."""
    return _between(COLORS, (positions + 1) / 2)


def difference_table() -> slicer.vtkMRMLColorTableNode:
    """The scene's table of diverging colours, made on first use."""
    return _find_table(TABLE_NAME) or _new_table(TABLE_NAME)


def added_table() -> slicer.vtkMRMLColorTableNode:
    """The scene's table of colours that lie over a result, made on first use."""
    return _find_table(ADDED_TABLE_NAME) or _new_table(ADDED_TABLE_NAME)


def cut_out(table: slicer.vtkMRMLColorTableNode, threshold: float) -> None:
    """Have no colours between −threshold and threshold, parts of a table's range: what lies below is seen there."""
    positions = np.linspace(-1, 1, COUNT)
    _fill(table, diverging_colors(positions), np.abs(positions) >= threshold)


def error_table() -> slicer.vtkMRMLColorTableNode:
    """The scene's table of colours for errors, made on first use."""
    return _find_table(ERROR_TABLE_NAME) or _new_table(ERROR_TABLE_NAME)


def error_colors(positions: np.ndarray) -> np.ndarray:
    """Red, green, blue (0 to 1), shape (n, 3), at positions from 0 to 1, shape (n,)."""
    return _between(ERROR_COLORS, positions)


def color_errors(table: slicer.vtkMRMLColorTableNode, threshold: float) -> None:
    """Have no colours below a threshold, a part of the table's range."""
    positions = np.linspace(0, 1, COUNT)
    _fill(table, error_colors(positions), positions >= threshold)


def new_coloured_volume(table: slicer.vtkMRMLColorTableNode) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume in these colours, still without an image: its histogram is not needed."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    display = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAutoWindowLevel(False)
    display.SetAndObserveColorNodeID(table.GetID())
    node.SetAndObserveDisplayNodeID(display.GetID())
    return node


def gradient(threshold: float = 0.0) -> str:
    """The colours of a legend as a style sheet, with a gap between −threshold and threshold, parts of its range."""
    inner = [-threshold, threshold] if threshold else []
    positions = sorted({*np.linspace(-1, 1, len(COLORS)), *inner})
    stops = []
    for position, color in zip(positions, diverging_colors(np.array(positions)), strict=True):
        rgb = ", ".join(str(round(255 * value)) for value in color)
        place = (position + 1) / 2
        if abs(position) >= threshold:
            stops.append(f"stop:{place:.4g} rgba({rgb}, 255)")
        if inner and position in inner:
            beside = place + (0.001 if position < 0 else -0.001)
            stops.append(f"stop:{beside:.4g} rgba({rgb}, 0)")
    return f"background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {', '.join(stops)});"


def _find_table(name: str) -> slicer.vtkMRMLColorTableNode | None:
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        if node.GetName() == name:
            return node
    return None


def _new_table(name: str) -> slicer.vtkMRMLColorTableNode:
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    table.SetTypeToUser()
    table.SetNumberOfColors(COUNT)
    _fill(table, diverging_colors(np.linspace(-1, 1, COUNT)), np.ones(COUNT, bool))
    return table


def _fill(table: slicer.vtkMRMLColorTableNode, colors: np.ndarray, shown: np.ndarray) -> None:
    """Give a table its colours, (COUNT, 3), those alone opaque that are shown."""
    was = table.StartModify()
    for index, (color, opaque) in enumerate(zip(colors, shown, strict=True)):
        table.SetColor(index, *color, float(opaque))
    table.EndModify(was)


def _between(colors: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Evenly spaced colours, interpolated at positions from 0 to 1."""
    stops = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(positions, stops, channel) for channel in colors.T], axis=-1)


def hide_legend(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show the legend of a volume nowhere."""
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(volume)
    if legend is not None:
        slicer.mrmlScene.RemoveNode(legend)


def show_legend(volume: slicer.vtkMRMLScalarVolumeNode, view_ids: list[str]) -> None:
    """Show the legend of a difference volume in these views, at least one, and only there."""
    logic = slicer.modules.colors.logic()
    legend = logic.GetColorLegendDisplayNode(volume)
    if legend is not None:
        if sorted(legend.GetViewNodeIDs()) == sorted(view_ids):
            return
        slicer.mrmlScene.RemoveNode(legend)  # views that are newer than a legend do not show it
    legend = logic.AddDefaultColorLegendDisplayNode(volume)
    legend.SetTitleText(_("HU"))
    legend.SetLabelFormat("%.0f")
    legend.SetViewNodeIDs(view_ids)
    legend.SetVisibility(True)
