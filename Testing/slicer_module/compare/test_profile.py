"""Values along a drawn line."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from CTSuperResolutionPanel.compare.profile import line_points, sample
from scipy.ndimage import map_coordinates

START, END = np.array([-30.0, -25.0, -28.0]), np.array([5.0, 4.0, -2.0])


def reference(volume, to_world, points) -> np.ndarray:
    """Trilinear values at points, by another implementation; NaN outside the outermost voxel centres."""
    values = slicer.util.arrayFromVolume(volume).astype(float)
    index = (np.linalg.inv(to_world) @ np.vstack([points.T, np.ones(len(points))]))[2::-1]
    return map_coordinates(values, index, order=1, mode="constant", cval=np.nan)


def same(values, expected):
    assert np.array_equal(np.isnan(values), np.isnan(expected))
    assert np.isfinite(values).sum() > 20
    assert np.allclose(values, expected, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("kind", ["straight", "oblique"])
def test_values_are_interpolated_along_all_three_axes(ct, screen, kind):
    matrix = getattr(screen, kind)()
    volume = ct("scan", matrix=matrix)
    _distance, points = line_points(START, END, 0.7)
    same(sample(volume, points), reference(volume, matrix, points))


def test_values_are_taken_where_the_transforms_put_the_volume(ct, screen):
    inner, outer = np.eye(4), screen.oblique()
    inner[:3, 3] = [2.0, -1.5, 3.5]
    outer[:3, :3] = np.linalg.qr(outer[:3, :3])[0]
    nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _each in (inner, outer)]
    for node, matrix in zip(nodes, (inner, outer), strict=True):
        slicer.util.updateTransformMatrixFromArray(node, matrix)
    nodes[0].SetAndObserveTransformNodeID(nodes[1].GetID())
    volume = ct("scan")
    volume.SetAndObserveTransformNodeID(nodes[0].GetID())
    to_world = outer @ inner @ screen.straight()
    _distance, points = line_points(*(to_world @ np.array([[-2, 36], [3, 20], [1, 16], [1, 1]]))[:3].T, 0.5)
    same(sample(volume, points), reference(volume, to_world, points))


def test_values_of_a_volume_under_a_non_linear_transform(ct, screen):
    import vtk

    shift = np.array([4.0, -2.0, 1.0])
    grid = vtk.vtkImageData()
    grid.SetDimensions(3, 3, 3)
    grid.SetOrigin(-300, -300, -300)
    grid.SetSpacing(300, 300, 300)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for component in range(3):
        grid.GetPointData().GetScalars().FillComponent(component, shift[component])
    field = slicer.vtkOrientedGridTransform()
    field.SetDisplacementGridData(grid)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(field)
    volume = ct("scan")
    volume.SetAndObserveTransformNodeID(transform.GetID())
    moved = np.eye(4)
    moved[:3, 3] = shift
    _distance, points = line_points(START + shift, END + shift, 0.7)
    expected = reference(volume, moved @ screen.straight(), points)
    values = sample(volume, points)
    both = np.isfinite(values) & np.isfinite(expected)
    assert both.sum() > 20
    assert np.allclose(values[both], expected[both], atol=2.0)  # the field's inverse is iterative


def test_distances_are_millimetres_from_the_first_end():
    distance, points = line_points(START, END, 0.7)
    assert distance[0] == 0 and distance[-1] == pytest.approx(np.linalg.norm(END - START))
    assert np.allclose(np.linalg.norm(points - START, axis=1), distance)
    assert np.diff(distance).max() <= 0.35


def test_a_line_of_no_length_is_no_error(ct):
    distance, points = line_points(START, START, 1.0)
    assert np.all(distance == 0) and np.all(points == START)


def drawn(line, *ends):
    line.RemoveAllControlPoints()
    for end in ends:
        line.AddControlPointWorld(*end)


@pytest.fixture
def line(slicer):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "across the bronchus")
    drawn(node, START, END)
    return node


def columns(chart) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, distances and values of every curve that the chart plots."""
    curves = []
    for index in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(index)
        table = series.GetTableNode()
        pair = [
            np.array(slicer.util.arrayFromTableColumn(table, name))
            for name in (series.GetXColumnName(), series.GetYColumnName())
        ]
        curves.append((series.GetName(), *pair))
    return curves


def chart_on_screen(screen):
    view = next(node for node in screen.nodes() if node.IsA("vtkMRMLPlotViewNode"))
    return view.GetPlotChartNode()


def test_a_chosen_line_is_plotted_below_the_views_through_all_volumes(section, ui, ct, screen, line):
    volumes = [ct(name, seed=seed) for seed, name in enumerate(("cubic", "sr", "scan"))]
    section.show(*volumes)
    ui.lineSelector.setCurrentNode(line)
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2", "CTSRAxial3", "CTSRProfile"]
    chart = chart_on_screen(screen)
    assert (chart.GetXAxisTitle(), chart.GetYAxisTitle()) == ("Distance [mm]", "HU")
    curves = columns(chart)
    assert [name for name, _x, _y in curves] == ["cubic", "sr", "scan"]
    for (_name, distance, values), volume in zip(curves, volumes, strict=True):
        points = START + distance[:, None] / np.linalg.norm(END - START) * (END - START)
        same(values, reference(volume, screen.straight(), points))
    ui.lineSelector.setCurrentNode(None)
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2", "CTSRAxial3"]


def test_the_plot_follows_the_line_and_the_volume(section, ui, ct, screen, line):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.lineSelector.setCurrentNode(line)
    chart = chart_on_screen(screen)
    line.SetNthControlPointPositionWorld(1, [0.0, 0.0, -10.0])
    _name, distance, values = columns(chart)[0]
    assert distance[-1] == pytest.approx(np.linalg.norm(START - [0, 0, -10]))
    slicer.util.updateVolumeFromArray(cubic, slicer.util.arrayFromVolume(cubic) + 100)
    assert np.allclose(columns(chart)[0][2] - values, 100, equal_nan=True)
    section.exit()
    line.SetNthControlPointPositionWorld(1, [5.0, 0.0, -10.0])
    assert np.array_equal(columns(chart)[0][1], distance)


def test_drawing_a_line_asks_for_its_two_points(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    ui.drawLineButton.click()
    line = ui.lineSelector.currentNode()
    logic = slicer.app.applicationLogic()
    assert logic.GetSelectionNode().GetActivePlaceNodeID() == line.GetID()
    assert logic.GetInteractionNode().GetCurrentInteractionMode() == logic.GetInteractionNode().Place
    assert all(len(values) == 0 for _name, _x, values in columns(chart_on_screen(screen)))
    line.AddControlPointWorld(*START)
    assert all(len(values) == 0 for _name, _x, values in columns(chart_on_screen(screen)))
    line.AddControlPointWorld(*END)
    assert all(len(values) >= 50 for _name, _x, values in columns(chart_on_screen(screen)))
    section.exit()
    assert logic.GetInteractionNode().GetCurrentInteractionMode() == logic.GetInteractionNode().ViewTransform


def test_deleting_the_line_closes_the_plot(section, ui, ct, screen, line):
    section.show(ct("cubic"), ct("sr", seed=1))
    ui.lineSelector.setCurrentNode(line)
    slicer.mrmlScene.RemoveNode(line)
    slicer.app.processEvents()
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]


def test_volumes_of_the_same_name_have_curves_of_their_own(section, ui, ct, screen, line):
    section.show(ct("CT"), ct("CT", seed=1))
    ui.lineSelector.setCurrentNode(line)
    (_a, _x, first), (_b, _x2, second) = columns(chart_on_screen(screen))
    assert not np.allclose(first, second, equal_nan=True)


def test_closing_the_scene_forgets_the_plot(section, ui, state, ct, screen, line):
    section.show(ct("cubic"), ct("sr", seed=1))
    ui.lineSelector.setCurrentNode(line)
    slicer.mrmlScene.Clear(0)
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode")
    drawn(other, START, END)
    section.show(ct("cubic"), ct("sr", seed=1))
    ui.lineSelector.setCurrentNode(other)
    assert len(columns(chart_on_screen(screen))) == 2
