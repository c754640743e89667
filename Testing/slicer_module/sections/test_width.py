"""Width of the panel: all of it fits beside Slicer's scroll bar, whichever parts are open."""

from __future__ import annotations

import slicer

LEAST_WIDTH = 384
"""Pixels that Slicer's module panel leaves to a module at its usual width of 400, beside the vertical scroll bar."""


def test_the_panel_with_all_parts_open_is_not_wider_than_slicers_module_panel(panel, scan):
    ui = panel.ui
    compare = slicer.util.childWidgetVariables(ui.comparePlace)
    for part in (
        ui.scanCollapsibleButton,
        ui.advancedCollapsibleButton,
        ui.previewsCollapsibleButton,
        ui.resultCollapsibleButton,
        compare.compareCollapsibleButton,
        compare.moreCollapsibleButton,
    ):
        part.collapsed = False
    for widget in (ui.axesWidget, ui.problemLabel, ui.allowUnusualCheckBox, ui.logButton, ui.logText):
        widget.visible = True
    slicer.app.processEvents()
    assert panel.parent.minimumSizeHint.width() <= LEAST_WIDTH
