"""Room that the comparison takes: of the panel, and of the window."""

from __future__ import annotations

import pytest
import slicer

LAPTOP = 1280, 800
TOOLS = (
    "sideButton",
    "swipeButton",
    "flickerButton",
    "renderingButton",
    "axialButton",
    "coronalButton",
    "sagittalButton",
    "allPlanesButton",
    "exchangeButton",
    "differenceButton",
)


@pytest.fixture
def volumes(ct):
    return ct("cubic"), ct("sr", seed=1), ct("another", seed=2)


@pytest.fixture
def window(screen):
    """Slicer's window as on a small laptop; afterwards as it was."""
    window = slicer.util.mainWindow()
    before = window.width, window.height
    window.resize(*LAPTOP)
    screen.settle()
    yield window
    window.resize(*before)
    screen.settle()


def test_no_layout_makes_the_window_wider_than_a_laptop(panel, volumes, screen, window, wait_until):
    compare = panel.panel.compare
    ui = slicer.util.childWidgetVariables(compare.widget)
    compare.show(*volumes)
    for difference in (False, True):
        if difference:
            ui.sideButton.click()
            ui.differenceButton.click()
            wait_until(lambda: slicer.mrmlScene.GetFirstNodeByName("sr minus cubic") is not None)
        for kind in ("sideButton", "swipeButton", "flickerButton", "renderingButton"):
            for plane in ("axialButton", "allPlanesButton"):
                getattr(ui, kind).click()
                getattr(ui, plane).click()
                screen.settle()
                assert window.minimumSizeHint.width() <= LAPTOP[0], (kind, plane, difference)
                assert window.width <= LAPTOP[0], (kind, plane, difference)


def test_the_tools_are_one_row_of_small_buttons_that_say_what_they_do(section, ui, volumes, screen):
    section.show(*volumes)
    screen.settle()
    buttons = [getattr(ui, name) for name in TOOLS]
    assert len({button.mapToGlobal(button.rect.center()).y() for button in buttons}) == 1
    for button in buttons:
        assert button.toolTip and button.visible
        assert not button.icon.isNull() or len(button.text) <= 2
        assert button.width <= 40
    assert ui.sideButton.icon.pixmap(20, 20).toImage() != ui.swipeButton.icon.pixmap(20, 20).toImage()


def test_what_is_seldom_used_is_folded(section, ui, volumes, screen):
    section.show(*volumes[:2])
    screen.settle()
    assert ui.moreCollapsibleButton.collapsed
    folded = (ui.thirdSelector, ui.smoothCheckBox, ui.crosshairCheckBox, ui.lineSelector, ui.drawLineButton)
    assert not any(widget.visible for widget in folded)
    assert section.widget.sizeHint.height() <= 240
    ui.moreCollapsibleButton.collapsed = False
    screen.settle()
    assert all(widget.visible for widget in folded)


def test_the_third_volume_can_be_chosen_before_the_comparison_begins(section, ui, volumes):
    ui.moreCollapsibleButton.collapsed = False
    assert ui.thirdSelector.enabled and not ui.smoothCheckBox.enabled and not ui.drawLineButton.enabled


def test_a_result_brings_the_comparison_into_view(panel, volumes, screen, window, wait_until):
    """The panel is scrolled to it, and shows all of it."""
    compare = panel.panel.compare
    ui = slicer.util.childWidgetVariables(compare.widget)
    for part in (panel.ui.scanCollapsibleButton, panel.ui.advancedCollapsibleButton):
        part.collapsed = False
    screen.settle()

    def in_view(widget) -> bool:
        area = widget
        while not area.inherits("QScrollArea"):
            area = area.parentWidget()
        seen = area.viewport()
        top = seen.mapToGlobal(seen.rect.topLeft()).y()
        place = widget.mapToGlobal(widget.rect.topLeft()).y()
        return top <= place and place + widget.height <= top + seen.height

    assert not in_view(ui.compareButton)
    compare.show(*volumes[:2])
    wait_until(lambda: in_view(compare.widget))
    assert in_view(ui.compareButton) and in_view(ui.windowButtons) and in_view(ui.moreCollapsibleButton)
