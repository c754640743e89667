"""Marks in an image: points where something looks invented or is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from CTSuperResolutionPanel.compare.grids import world_to_voxels
from slicer.i18n import tr as _

from CTReaderStudyPanel.reading.trial_images import remove_with_display
from CTSuperResolutionLib.study.protocol import MARKS

COLORS = {"invented": (1.0, 0.55, 0.1), "missing": (0.3, 0.7, 1.0)}
GLYPH_SIZE, TEXT_SIZE = 2.0, 3.0  # percent of the view


class Marks:
    """Points in one image, in the order in which they were made.

    Args:
        volume: the image.
    """

    def __init__(self, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._volume = volume
        self._made: list[tuple[str, list[float]]] = []
        self._nodes = {kind: _node(kind) for kind in MARKS}

    def add(self, kind: str, ras: Sequence[float]) -> bool:
        """Mark a place, RAS in mm; says whether it lies in the image."""
        voxel = world_to_voxels(self._volume, np.reshape(ras, (1, 3)))[0]
        size = self._volume.GetImageData().GetDimensions()
        if not all(-0.5 <= index <= count - 0.5 for index, count in zip(voxel, size, strict=True)):
            return False
        self._nodes[kind].AddControlPoint(list(ras))
        number = self._nodes[kind].GetNumberOfControlPoints()
        self._nodes[kind].SetNthControlPointLabel(number - 1, f"{_titles()[kind]} {number}")
        self._made.append((kind, [round(float(index), 2) for index in voxel[::-1]]))
        return True

    def remove_last(self) -> None:
        """Take the mark back that was made last, where there is one."""
        if self._made:
            kind, _voxel = self._made.pop()
            self._nodes[kind].RemoveNthControlPoint(self._nodes[kind].GetNumberOfControlPoints() - 1)

    def count(self, kind: str) -> int:
        """How many marks of a kind there are."""
        return sum(made == kind for made, _voxel in self._made)

    def to_list(self) -> list[dict[str, Any]]:
        """The marks as an answer has them: kind and voxel (z, y, x)."""
        return [{"kind": kind, "voxel": voxel} for kind, voxel in self._made]

    def show(self, shown: bool) -> None:
        """Show or hide the marks."""
        for node in self._nodes.values():
            node.GetDisplayNode().SetVisibility(shown)

    def remove(self) -> None:
        """Take them out of the scene."""
        for node in self._nodes.values():
            remove_with_display(node)


def _titles() -> dict[str, str]:
    """What is written beside the marks."""
    return dict(zip(MARKS, (_("invented"), _("missing")), strict=True))


def _node(kind: str) -> slicer.vtkMRMLMarkupsFiducialNode:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", kind)
    node.SetLocked(True)  # a click makes a mark, and moves none
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*COLORS[kind])
    display.SetSelectedColor(*COLORS[kind])
    display.SetGlyphScale(GLYPH_SIZE)
    display.SetTextScale(TEXT_SIZE)
    for each in (node, display):
        each.SetSaveWithScene(False)
    return node
