"""Width of the panel: all of it fits beside Slicer's scroll bar, whichever parts are open."""

from __future__ import annotations

import pytest
import slicer

LEAST_WIDTH = 384
"""Pixels that Slicer's module panel leaves to a module at its usual width of 400, beside the vertical scroll bar."""


@pytest.mark.parametrize("beside_the_scale", ["axesWidget", "spacingSpinBox"])
def test_the_panel_with_all_parts_open_is_not_wider_than_slicers_module_panel(panel, scan, beside_the_scale):
    ui = panel.ui
    compare, views = (slicer.util.childWidgetVariables(place) for place in (ui.comparePlace, ui.fewerViewsPlace))
    for part in (
        ui.scanCollapsibleButton,
        ui.advancedCollapsibleButton,
        ui.previewsCollapsibleButton,
        ui.resultCollapsibleButton,
        compare.compareCollapsibleButton,
        compare.moreCollapsibleButton,
        views.fewerViewsCollapsibleButton,
    ):
        part.collapsed = False
    shown = (beside_the_scale, "problemLabel", "allowUnusualCheckBox", "straightenButton", "acquisitionLabel")
    for name in (*shown, "logButton", "logText"):
        getattr(ui, name).visible = True
    for widget in (views.logButton, views.logText, views.reconstructionsTable, views.compareButton, views.progressBar):
        widget.visible = True
    slicer.app.processEvents()
    assert panel.parent.minimumSizeHint.width() <= LEAST_WIDTH
