"""Surroundings of the views: what could distract a reader or tell of the images, hidden and given back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import slicer

WIDGETS = ("DataProbeCollapsibleWidget", "HelpCollapsibleButton")
"""Names of Slicer's own parts of the module panel: HU under the mouse, and help above the module."""

DRAWN = ("vtkMRMLMarkupsNode", "vtkMRMLModelNode", "vtkMRMLSegmentationNode")
"""What a scene may draw over the images."""


class Surroundings:
    """Tool bars, data probe and help, and what the user's scene draws over slices; hidden from its making on."""

    def __init__(self) -> None:
        self._show_again: list[Callable[[], Any]] = []
        window = slicer.util.mainWindow()
        if window is not None:
            widgets = list(window.findChildren("QToolBar"))
            for name in WIDGETS:
                widgets += slicer.util.findChildren(window, name=name)
            for widget in widgets:
                if not widget.isHidden():
                    widget.visible = False
                    self._show_again.append(partial(widget.setVisible, True))
        markups = slicer.modules.markups
        if markups.autoShowToolBar:  # the reader's first mark would bring it
            markups.autoShowToolBar = False
            self._show_again.append(partial(setattr, markups, "autoShowToolBar", True))
        for node in [node for kind in DRAWN for node in slicer.util.getNodesByClass(kind)]:
            display = node.GetDisplayNode()
            if not node.GetHideFromEditors() and display is not None and display.GetVisibility():
                display.SetVisibility(False)
                self._show_again.append(partial(display.SetVisibility, True))

    def restore(self) -> None:
        """Show again what was hidden."""
        for show in self._show_again:
            show()
        self._show_again = []
