"""Diverging colours for differences, and their legend."""

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

COUNT = 256
TABLE_NAME = "CT difference"


def diverging_colors(positions: np.ndarray) -> np.ndarray:
    """Red, green, blue (0 to 1), shape (n, 3), at positions from −1 to 1, shape (n,)."""
    stops = np.linspace(-1, 1, len(COLORS))
    return np.stack([np.interp(positions, stops, channel) for channel in COLORS.T], axis=-1)


def difference_table() -> slicer.vtkMRMLColorTableNode:
    """The scene's table of diverging colours, made on first use."""
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        if node.GetName() == TABLE_NAME:
            return node
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", TABLE_NAME)
    table.SetTypeToUser()
    table.SetNumberOfColors(COUNT)
    for index, color in enumerate(diverging_colors(np.linspace(-1, 1, COUNT))):
        table.SetColor(index, *color, 1.0)
    return table


def show_legend(volume: slicer.vtkMRMLScalarVolumeNode, view_ids: list[str]) -> None:
    """Show the legend of a difference volume in these views, and only there."""
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
