"""What was added to what was measured: in colours over a result, in the plot, and taken away."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer
from CTSuperResolutionPanel.compare.colors import diverging_colors
from CTSuperResolutionPanel.scene.result_volumes import MEASURED_REFERENCE
from vtk.util.numpy_support import vtk_to_numpy

SHAPE = (18, 26, 34)
ADDED = 200
"""HU, in one half of the result; a fifth of it less in the other."""


@pytest.fixture
def measured(ct):
    return ct("measured", np.full(SHAPE, 100, np.int16))


@pytest.fixture
def result(ct, measured):
    values = np.full(SHAPE, 100 - ADDED // 5, np.int16)
    values[:, :, : SHAPE[2] // 2] = 100 + ADDED
    node = ct("sr", values)
    node.SetNodeReferenceID(MEASURED_REFERENCE, measured.GetID())
    return node


@pytest.fixture
def cubic(ct):
    return ct("cubic", seed=1)


def colors(screen, view: str) -> np.ndarray:
    """Red, green and blue of the view, 0 to 1, shape (height, width, 3), first row at the bottom."""
    connection = screen.logic(view).GetImageDataConnection()
    connection.GetProducer().Update()
    image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    width, height, _depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[..., :3] / 255


def halves(screen, view: str, volume) -> list[np.ndarray]:
    """The colours in the middles of the half of the lower and of the higher columns of a volume's slice."""
    _expected, inside = screen.expected(view, volume)
    picture = colors(screen, view)
    place = screen.to_ras(view)
    found = []
    for column in (SHAPE[2] / 4, 3 * SHAPE[2] / 4):
        ras = screen.straight() @ [column, SHAPE[1] / 2, SHAPE[0] / 2, 1]
        x, y = np.rint((np.linalg.inv(place) @ ras)[:2]).astype(int)
        assert inside[y, x]
        found.append(picture[y, x])
    return found


def show(section, ui, cubic, result, wait_until) -> slicer.vtkMRMLScalarVolumeNode:
    section.show(cubic, result)
    ui.addedCheckBox.click()
    wait_until(lambda: slicer.mrmlScene.GetFirstNodeByName("sr, added"))
    return slicer.util.getNode("sr, added")


def test_the_row_is_there_only_where_it_is_known_what_was_measured(section, ui, cubic, result, ct):
    section.show(cubic, ct("another", seed=2))
    assert not ui.addedRow.visible
    section.show(cubic, result)
    assert ui.addedRow.visible and not ui.addedLegend.visible


def test_what_was_added_lies_over_the_result_in_colours_from_the_threshold_on(
    section, ui, cubic, result, measured, screen, wait_until
):
    node = show(section, ui, cubic, result, wait_until)
    values = slicer.util.arrayFromVolume(result) - slicer.util.arrayFromVolume(measured)
    assert np.array_equal(slicer.util.arrayFromVolume(node), values)
    ui.thresholdSpinBox.value, ui.addedRangeSpinBox.value = 50, 400
    brighter, darker = halves(screen, "CTSRAxial2", result)
    display = result.GetDisplayNode()
    low = display.GetLevel() - display.GetWindow() / 2
    grey = [(hu - low) / display.GetWindow() for hu in (100 + ADDED, 100 - ADDED // 5)]
    (orange,) = diverging_colors(np.array([ADDED / 400]))
    assert brighter == pytest.approx(0.7 * orange + 0.3 * grey[0], abs=0.02)
    assert darker == pytest.approx([grey[1]] * 3, abs=0.01)  # 40 HU are below the threshold
    ui.thresholdSpinBox.value = 30
    (blue,) = diverging_colors(np.array([-ADDED / 5 / 400]))
    assert halves(screen, "CTSRAxial2", result)[1] == pytest.approx(0.7 * blue + 0.3 * grey[1], abs=0.02)
    assert screen.shows("CTSRAxial1", cubic)
    assert ui.addedLegend.visible and (ui.addedLow.text, ui.addedHigh.text) == ("−400", "+400 HU")
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(node)
    shown_in = {name: legend.IsDisplayableInView(screen.node(name).GetID()) for name in ("Red", *screen.names())}
    assert shown_in == {"Red": False, "CTSRAxial1": False, "CTSRAxial2": True}
    ui.coronalButton.click()
    assert slicer.modules.colors.logic().GetColorLegendDisplayNode(node).GetViewNodeIDs() == (
        screen.node("CTSRCoronal2").GetID(),
    )
    ui.addedCheckBox.click()
    assert screen.shows("CTSRCoronal2", result)
    assert slicer.modules.colors.logic().GetColorLegendDisplayNode(node) is None


def test_the_range_never_ends_before_the_threshold(section, ui, cubic, result, wait_until):
    node = show(section, ui, cubic, result, wait_until)
    ui.addedRangeSpinBox.value, ui.thresholdSpinBox.value = 60, 150
    assert node.GetDisplayNode().GetWindow() == 300 and ui.addedHigh.text == "+150 HU"


def test_it_is_computed_again_only_where_the_result_has_changed(section, ui, cubic, result, wait_until, screen):
    node = show(section, ui, cubic, result, wait_until)
    before = node.GetImageData()
    ui.addedCheckBox.click()
    ui.addedCheckBox.click()
    assert node.GetImageData() is before and screen.layers("CTSRAxial2").GetForegroundVolumeID() == node.GetID()
    slicer.util.updateVolumeFromArray(result, slicer.util.arrayFromVolume(result) + 7)
    section.show(cubic, result)
    wait_until(lambda: slicer.util.arrayFromVolume(node).max() == ADDED + 7)


def test_in_flicker_the_colours_go_with_the_result_and_in_a_swipe_view_there_are_none(
    section, ui, cubic, result, screen, wait_until
):
    node = show(section, ui, cubic, result, wait_until)
    ui.flickerButton.click()
    assert screen.layers("CTSRAxial1").GetForegroundOpacity() == 0 and screen.shows("CTSRAxial1", cubic)
    ui.exchangeButton.click()
    assert screen.layers("CTSRAxial1").GetForegroundVolumeID() == node.GetID()
    assert screen.layers("CTSRAxial1").GetForegroundOpacity() == 0.7
    ui.swipeButton.click()
    assert screen.layers("CTSRAxial1").GetForegroundOpacity() == 0 and not ui.addedCheckBox.enabled


def test_the_key_held_shows_the_result_without_what_was_added(section, ui, cubic, result, measured, screen, wait_until):
    show(section, ui, cubic, result, wait_until)
    section.show(cubic, result)
    window = slicer.util.mainWindow()
    (key,) = [each for each in window.findChildren(qt.QShortcut) if each.key.toString() == "W"]
    key.activated()
    assert screen.shows("CTSRAxial2", measured) and screen.layers("CTSRAxial2").GetForegroundOpacity() == 0
    assert screen.shows("CTSRAxial1", cubic)
    ui.addedRangeSpinBox.value += 10  # whatever happens meanwhile
    slicer.app.sendEvent(window, qt.QKeyEvent(qt.QEvent.KeyRelease, ord("W"), qt.Qt.NoModifier, "w", True))
    assert screen.layers("CTSRAxial2").GetBackgroundVolumeID() == measured.GetID()  # a repetition, not the end
    slicer.app.sendEvent(window, qt.QKeyEvent(qt.QEvent.KeyRelease, ord("W"), qt.Qt.NoModifier))
    assert screen.layers("CTSRAxial2").GetBackgroundVolumeID() == result.GetID()
    assert screen.layers("CTSRAxial2").GetForegroundOpacity() == 0.7
    key.activated()
    section.stop()
    section.show(cubic, result)
    assert screen.layers("CTSRAxial2").GetBackgroundVolumeID() == result.GetID()


def test_the_button_held_does_the_same_in_every_arrangement(section, ui, cubic, result, measured, screen):
    section.show(cubic, result)
    ui.swipeButton.click()
    ui.withoutButton.pressed()
    assert screen.layers("CTSRAxial1").GetForegroundVolumeID() == measured.GetID()
    ui.withoutButton.released()
    assert screen.layers("CTSRAxial1").GetForegroundVolumeID() == result.GetID()


def test_what_was_measured_has_the_window_of_the_result_and_gets_its_own_back(
    section, ui, cubic, result, measured, screen
):
    measured.GetDisplayNode().SetWindowLevel(77, 7)
    section.show(cubic, result)
    result.GetDisplayNode().SetWindowLevel(900, -50)
    assert (measured.GetDisplayNode().GetWindow(), measured.GetDisplayNode().GetLevel()) == (900, -50)
    section.stop()
    assert (measured.GetDisplayNode().GetWindow(), measured.GetDisplayNode().GetLevel()) == (77, 7)


def test_the_plot_has_three_curves(section, ui, cubic, result, measured):
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "line")
    for end in (-20.0, 0.0):
        line.AddControlPointWorld(end, -10.0, -10.0)
    section.show(cubic, result)
    ui.lineSelector.setCurrentNode(line)
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    curves = [chart.GetNthPlotSeriesNode(place) for place in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [curve.GetName() for curve in curves] == ["cubic", "sr", "measured"]
    values = [slicer.util.arrayFromTableColumn(curve.GetTableNode(), curve.GetYColumnName()) for curve in curves[1:]]
    assert set(np.round(values[0])) >= {100 + ADDED} and set(np.round(values[1])) == {100}
    ui.thirdSelector.setCurrentNode(measured)
    assert chart.GetNumberOfPlotSeriesNodes() == 3


@pytest.mark.parametrize("gone", ["sr, added", "measured"])
def test_what_is_deleted_is_no_longer_shown(section, ui, cubic, result, screen, wait_until, gone):
    show(section, ui, cubic, result, wait_until)
    slicer.mrmlScene.RemoveNode(slicer.util.getNode(gone))
    slicer.app.processEvents()
    assert not ui.addedCheckBox.checked
    assert screen.shows("CTSRAxial1", cubic) and screen.shows("CTSRAxial2", result)
    assert screen.layers("CTSRAxial2").GetForegroundOpacity() == 0
    assert ui.addedRow.visible == (gone != "measured")
