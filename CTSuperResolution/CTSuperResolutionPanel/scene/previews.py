"""Previews: small super-resolved cubes in the scene, each with the settings that it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer

from CTSuperResolutionPanel.scene.result_folders import remove_empty_folders
from CTSuperResolutionPanel.scene.result_volumes import (
    CUBIC,
    PREVIEW_CUBIC,
    PREVIEW_SR,
    SR,
    report_of,
    role_of,
    set_saved,
)

LATEST = 8
"""Previews in the scene beside those that are kept; an older one goes when another comes."""

CUBIC_REFERENCE = "CTSuperResolution.cubic"
"""Node reference from a preview's super-resolved cube to its cubic one."""

SKETCH = "CTSuperResolution.sketch"
"""Attribute of the super-resolved cube of a sketch."""


@dataclass(frozen=True, eq=False)
class Preview:
    """Super-resolved and cubic upsampling of one small cube. The user may have removed the latter."""

    sr: slicer.vtkMRMLScalarVolumeNode
    cubic: slicer.vtkMRMLScalarVolumeNode | None

    @property
    def report(self) -> dict[str, Any]:
        """The report of the job that made it."""
        return report_of(self.sr)

    @property
    def is_sketch(self) -> bool:
        """Whether it was made by what is quickest, while the user was choosing."""
        return self.sr.GetAttribute(SKETCH) is not None

    @property
    def kept(self) -> bool:
        """Whether it is saved with the scene, and stays however many come after it."""
        return bool(self.sr.GetSaveWithScene())


def find_previews() -> list[Preview]:
    """The previews in the scene, oldest first."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [Preview(node, node.GetNodeReference(CUBIC_REFERENCE)) for node in nodes if role_of(node) == PREVIEW_SR]


def add(placed: dict[str, slicer.vtkMRMLScalarVolumeNode], *, sketch: bool) -> None:
    """Make a preview, or a sketch of one, of new volumes; the oldest one goes where there are too many."""
    if sketch:
        placed[SR].SetAttribute(SKETCH, "1")
    placed[SR].SetNodeReferenceID(CUBIC_REFERENCE, placed[CUBIC].GetID())
    for old in [preview for preview in find_previews() if not preview.kept][:-LATEST]:
        remove(old)


def keep(preview: Preview, kept: bool) -> None:
    """Have a preview saved with the scene, or not."""
    for node in (preview.sr, preview.cubic):
        if node is not None:
            set_saved(node, kept)


def remove(preview: Preview) -> None:
    """Take a preview out of the scene."""
    for node in (preview.cubic, preview.sr):
        if node is not None and role_of(node) in (PREVIEW_SR, PREVIEW_CUBIC):
            if node.GetDisplayNode() is not None:
                slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
            slicer.mrmlScene.RemoveNode(node)
    remove_empty_folders()
