"""How large the error of a result may be, in colours over it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from CTSuperResolutionPanel.compare.colors import error_colors
from CTSuperResolutionPanel.scene.result_volumes import ERROR_REFERENCE, MEASURED_REFERENCE
from vtk.util.numpy_support import vtk_to_numpy

SHAPE = (18, 26, 34)
LARGE, SMALL = 150, 40
"""HU, in one half of the result and in the other."""


@pytest.fixture
def error(ct):
    values = np.full(SHAPE, SMALL, np.int16)
    values[:, :, : SHAPE[2] // 2] = LARGE
    node = ct("error", values)
    node.GetDisplayNode().SetWindowLevel(200, 100)
    return node


@pytest.fixture
def result(ct, error):
    node = ct("sr", np.full(SHAPE, 100, np.int16))
    node.SetNodeReferenceID(ERROR_REFERENCE, error.GetID())
    return node


@pytest.fixture
def cubic(ct):
    return ct("cubic", seed=1)


def halves(screen, view: str, volume) -> list[np.ndarray]:
    """Red, green and blue, 0 to 1, in the middles of the half of the lower and of the higher columns of a slice."""
    connection = screen.logic(view).GetImageDataConnection()
    connection.GetProducer().Update()
    image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    width, height, _depth = image.GetDimensions()
    picture = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[..., :3] / 255
    found = []
    for column in (SHAPE[2] / 4, 3 * SHAPE[2] / 4):
        ras = screen.straight() @ [column, SHAPE[1] / 2, SHAPE[0] / 2, 1]
        x, y = np.rint((np.linalg.inv(screen.to_ras(view)) @ ras)[:2]).astype(int)
        found.append(picture[y, x])
    return found


def test_the_row_is_there_only_where_the_error_is_known(section, ui, cubic, result, ct):
    section.show(cubic, ct("another", seed=2))
    assert not ui.errorRow.visible
    section.show(cubic, result)
    assert ui.errorRow.visible and not ui.errorThresholdSpinBox.visible


def test_errors_lie_over_the_result_in_colours_from_the_threshold_on(section, ui, cubic, result, error, screen):
    section.show(cubic, result)
    ui.errorCheckBox.click()
    ui.errorThresholdSpinBox.value = 100
    large, small = halves(screen, "CTSRAxial2", result)
    display = result.GetDisplayNode()
    grey = (100 - display.GetLevel() + display.GetWindow() / 2) / display.GetWindow()
    (color,) = error_colors(np.array([LARGE / 200]))
    assert large == pytest.approx(0.7 * color + 0.3 * grey, abs=0.02)
    assert small == pytest.approx([grey] * 3, abs=0.01)
    ui.errorThresholdSpinBox.value = 20
    (color,) = error_colors(np.array([SMALL / 200]))
    assert halves(screen, "CTSRAxial2", result)[1] == pytest.approx(0.7 * color + 0.3 * grey, abs=0.02)
    ui.errorThresholdSpinBox.value = 140  # the colours end at twice that
    (color,) = error_colors(np.array([LARGE / 280]))
    assert halves(screen, "CTSRAxial2", result)[0] == pytest.approx(0.7 * color + 0.3 * grey, abs=0.02)
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(error)
    assert legend.GetViewNodeIDs() == (screen.node("CTSRAxial2").GetID(),)
    assert screen.shows("CTSRAxial1", cubic)


@pytest.mark.parametrize("end", ["unchecked", "stopped"])
def test_its_volume_has_its_own_colours_again(section, ui, cubic, result, error, screen, end):
    display = error.GetDisplayNode()
    before = display.GetColorNodeID(), display.GetWindow(), display.GetLevel()
    section.show(cubic, result)
    ui.errorCheckBox.click()
    ui.errorThresholdSpinBox.value = 300
    assert (display.GetColorNodeID(), display.GetWindow(), display.GetLevel()) != before
    ui.errorCheckBox.click() if end == "unchecked" else section.stop()
    assert (display.GetColorNodeID(), display.GetWindow(), display.GetLevel()) == before
    assert slicer.modules.colors.logic().GetColorLegendDisplayNode(error) is None
    if end == "unchecked":
        assert screen.shows("CTSRAxial2", result)
    else:
        section.show(cubic, result)  # what was asked for is shown again
        assert screen.layers("CTSRAxial2").GetForegroundVolumeID() == error.GetID()


def test_of_the_error_and_what_was_added_one_is_shown(section, ui, cubic, result, error, screen, ct, wait_until):
    result.SetNodeReferenceID(MEASURED_REFERENCE, ct("measured", np.full(SHAPE, 50, np.int16)).GetID())
    section.show(cubic, result)
    ui.errorCheckBox.click()
    ui.addedCheckBox.click()
    assert not ui.errorCheckBox.checked
    wait_until(lambda: slicer.mrmlScene.GetFirstNodeByName("sr, added"))
    added = slicer.util.getNode("sr, added")
    assert screen.layers("CTSRAxial2").GetForegroundVolumeID() == added.GetID()
    ui.errorCheckBox.click()
    assert not ui.addedCheckBox.checked
    assert screen.layers("CTSRAxial2").GetForegroundVolumeID() == error.GetID()


def test_in_a_swipe_view_there_is_none(section, ui, cubic, result, screen):
    section.show(cubic, result)
    ui.errorCheckBox.click()
    ui.swipeButton.click()
    assert screen.layers("CTSRAxial1").GetForegroundOpacity() == 0 and not ui.errorCheckBox.enabled


def test_a_deleted_one_is_no_longer_shown(section, ui, cubic, result, error, screen):
    section.show(cubic, result)
    ui.errorCheckBox.click()
    slicer.mrmlScene.RemoveNode(error)
    slicer.app.processEvents()
    assert not ui.errorCheckBox.checked and not ui.errorRow.visible
    assert screen.shows("CTSRAxial2", result)
    assert screen.layers("CTSRAxial2").GetForegroundOpacity() == 0
