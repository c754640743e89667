"""Opening the module."""

from __future__ import annotations


def test_the_panel_opens_on_an_empty_scene(panel, slicer):
    assert slicer.util.selectedModule() == "CTSuperResolution"
    assert slicer.modules.ctsuperresolution.title == "CT Super-Resolution"
    assert panel.parent.visible
