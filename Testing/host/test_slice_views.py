"""Slice views and layouts: pictures are the reslice of Slicer's own logic, checked against numpy."""

from __future__ import annotations

import numpy as np
import pytest

LINKED = """<layout type="horizontal" split="true">
<item><view class="vtkMRMLSliceNode" singletontag="Left">
<property name="orientation" action="default">Axial</property>
<property name="viewlabel" action="default">L</property>
<property name="viewgroup" action="default">7</property></view></item>
<item><view class="vtkMRMLSliceNode" singletontag="Right">
<property name="orientation" action="default">Axial</property>
<property name="viewlabel" action="default">R</property>
<property name="viewgroup" action="default">7</property></view></item>
<item><view class="vtkMRMLViewNode" singletontag="Model"/></item>
<item><view class="vtkMRMLPlotViewNode" singletontag="Curve"/></item></layout>"""
LAYOUT = 5077


@pytest.fixture
def ct(slicer):
    values = np.random.default_rng(0).integers(-1000, 1000, (6, 9, 12)).astype(np.int16)
    matrix = np.diag([-2.0, -3.0, 4.0, 1.0])
    matrix[:3, 3] = [11.0, -7.0, 5.0]
    volume = slicer.util.addVolumeFromArray(values, ijkToRAS=matrix, name="CT")
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(2000, 0)
    volume.GetDisplayNode().SetInterpolate(False)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    slicer.app.processEvents()
    return volume


@pytest.fixture
def comparing(slicer):
    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(LAYOUT):
        node.AddLayoutDescription(LAYOUT, LINKED)
    slicer.app.layoutManager().setLayout(LAYOUT)
    slicer.app.processEvents()
    return slicer.app.layoutManager()


@pytest.mark.parametrize("view", ["Red", "Green", "Yellow"])
def test_a_view_shows_the_voxels_that_lie_in_its_plane(slicer, ct, slice_pixels, view):
    node = slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode()
    shown = slice_pixels(view)
    rows, columns = shown.shape[:2]
    assert node.GetDimensions()[:2] == (columns, rows)
    row, column = np.mgrid[:rows, :columns]
    pixels = np.stack([column, row, 0 * row, 0 * row + 1], -1)
    to_ras = slicer.util.arrayFromVTKMatrix(node.GetXYToRAS())
    import vtk

    matrix = vtk.vtkMatrix4x4()
    ct.GetRASToIJKMatrix(matrix)
    index = (pixels @ (slicer.util.arrayFromVTKMatrix(matrix) @ to_ras).T)[..., :3]
    nearest = np.rint(index).astype(int)
    values = slicer.util.arrayFromVolume(ct)
    inside = np.all((index > 0.01) & (index < np.array(values.shape[::-1]) - 1.01), axis=-1)
    clear = np.all(np.abs(index - np.floor(index) - 0.5) > 0.02, axis=-1)  # not just between two voxels
    assert (inside & clear).sum() > 5000
    hu = values[tuple(np.where(inside[..., None], nearest, 0)[..., axis] for axis in (2, 1, 0))]
    grey = np.clip((hu + 1000) / 2000 * 255, 0, 255)
    assert np.abs(shown[..., 0] - grey)[inside & clear].max() <= 1


def test_the_picture_on_the_screen_is_that_of_the_logic(slicer, ct, slice_pixels):
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    picture = view.grab().toImage()
    shown = slice_pixels("Red")
    rows, columns = shown.shape[:2]
    assert (picture.width(), picture.height()) == (columns, rows)
    for row, column in [(rows // 2, columns // 2), (rows // 3, columns // 3), (rows // 2, columns // 4)]:
        assert picture.pixelColor(column, rows - 1 - row).red() == shown[row, column, 0]


def test_a_layout_makes_the_views_that_its_xml_names(comparing, slicer):
    assert {"Left", "Right"} <= set(comparing.sliceViewNames())
    left = comparing.sliceWidget("Left")
    assert left.visible
    assert not comparing.sliceWidget("Red").visible
    assert left.mrmlSliceNode().GetViewGroup() == 7
    assert left.mrmlSliceNode().GetOrientation() == "Axial"
    assert left.sliceController().mrmlSliceNode() is left.mrmlSliceNode()
    names = [comparing.threeDWidget(index).mrmlViewNode().GetLayoutName() for index in range(comparing.threeDViewCount)]
    assert "Model" in names
    plots = [comparing.plotWidget(index).mrmlPlotViewNode().GetLayoutName() for index in range(comparing.plotViewCount)]
    assert "Curve" in plots


def test_linked_views_move_together_and_others_stay(comparing, slicer, ct):
    left, right = (comparing.sliceWidget(name).sliceLogic() for name in ("Left", "Right"))
    for logic in (left, right):
        logic.GetSliceCompositeNode().SetLinkedControl(True)
        logic.GetSliceCompositeNode().SetHotLinkedControl(True)
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(ct.GetID())
        logic.FitSliceToBackground()
    before = comparing.sliceWidget("Red").sliceLogic().GetSliceOffset()
    left.StartSliceOffsetInteraction()
    left.SetSliceOffset(13.0)
    left.EndSliceOffsetInteraction()
    assert right.GetSliceOffset() == pytest.approx(13.0)
    assert comparing.sliceWidget("Red").sliceLogic().GetSliceOffset() == before


def layers(slicer, view):
    node = slicer.app.layoutManager().sliceWidget(view).mrmlSliceCompositeNode()
    return node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity()


def test_deleting_what_a_linked_view_shows_puts_the_next_volume_into_all_of_them(comparing, slicer, ct):
    """By the selectors in the views' bars, which choose the next node and tell whom they are linked to."""
    other = slicer.util.addVolumeFromArray(np.zeros((3, 3, 3), np.int16), name="Other")
    last = slicer.util.addVolumeFromArray(np.zeros((3, 3, 3), np.int16), name="Last")
    for view, volume in (("Left", ct), ("Right", last)):
        composite = comparing.sliceWidget(view).mrmlSliceCompositeNode()
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)
        composite.SetBackgroundVolumeID(volume.GetID())
    slicer.mrmlScene.RemoveNode(last)
    assert layers(slicer, "Right")[0] == layers(slicer, "Left")[0] == other.GetID()


def test_a_view_that_shows_nothing_passes_no_deletion_on(comparing, slicer, ct):
    last = slicer.util.addVolumeFromArray(np.zeros((3, 3, 3), np.int16), name="Last")
    for view, volume in (("Left", ct), ("Right", last)):
        composite = comparing.sliceWidget(view).mrmlSliceCompositeNode()
        composite.SetLinkedControl(True)
        composite.SetBackgroundVolumeID(volume.GetID())
    comparing.sliceWidget("Right").mrmlSliceCompositeNode().SetBackgroundVolumeID(None)
    slicer.mrmlScene.RemoveNode(last)
    assert layers(slicer, "Left")[0] == ct.GetID() and layers(slicer, "Right")[0] is None


def test_importing_a_scene_empties_the_layers_and_leaves_their_opacity(slicer, ct, import_more):
    other = slicer.util.addVolumeFromArray(np.zeros((3, 3, 3), np.int16), name="Other")
    slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.75)
    assert layers(slicer, "Red") == (ct.GetID(), other.GetID(), 0.75)
    import_more()
    assert layers(slicer, "Red") == (None, None, 0.75)


def test_a_scene_loaded_in_place_of_this_one_comes_with_its_layers(slicer, ct, tmp_path):
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert layers(slicer, "Red")[0] is None
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert layers(slicer, "Red")[0] == slicer.util.getNode("CT").GetID()


def test_a_view_is_as_wide_as_the_bar_of_slicers_unless_told_otherwise(slicer, comparing):
    left, views = comparing.sliceWidget("Left"), comparing.viewport()
    before = views.minimumSizeHint.width()
    assert left.minimumSizeHint.width() >= 280
    left.minimumWidth = 100
    slicer.app.processEvents()
    assert views.minimumSizeHint.width() == before - (left.minimumSizeHint.width() - 100)
    left.minimumWidth = 0


def test_an_unknown_layout_is_refused(slicer):
    with pytest.raises(ValueError, match="layout"):
        slicer.app.layoutManager().setLayout(987654)


def test_the_layout_manager_tells_that_the_layout_changed(slicer):
    seen, manager = [], slicer.app.layoutManager()
    manager.connect("layoutChanged(int)", seen.append)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    manager.disconnect("layoutChanged(int)", seen.append)
    assert seen == [slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView]
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_events_sent_to_the_interactor_arrive(slicer, ct):
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    seen, interactor = [], view.interactor()
    tag = interactor.AddObserver("LeftButtonPressEvent", lambda *_: seen.append(interactor.GetEventPosition()))
    interactor.SetEventPosition(40, 30)
    interactor.LeftButtonPressEvent()
    interactor.LeftButtonReleaseEvent()
    interactor.RemoveObserver(tag)
    assert seen == [(40, 30)]


def test_positions_go_from_the_screen_to_the_patient_and_back(slicer, ct):
    view = slicer.app.layoutManager().sliceWidget("Green").sliceView()
    ras = view.convertXYZToRAS([17, 23, 0])
    assert view.convertRASToXYZ(ras) == pytest.approx((17, 23, 0))


def test_a_plot_view_paints_its_curves(comparing, slicer):
    widget = next(
        comparing.plotWidget(index)
        for index in range(comparing.plotViewCount)
        if comparing.plotWidget(index).mrmlPlotViewNode().GetLayoutName() == "Curve"
    )
    nodes = {}
    slicer.util.plot(np.column_stack([np.arange(30), np.arange(30) ** 2]), 0, ["x", "y"], show=False, nodes=nodes)
    nodes["series"][0].SetColor(1, 0, 0)
    widget.mrmlPlotViewNode().SetPlotChartNodeID(nodes["chart"].GetID())
    picture = widget.grab().toImage()
    colors = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
    assert "#ff0000" in colors
