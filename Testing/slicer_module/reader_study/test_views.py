"""What a reader sees, what is kept of it, and what is given back."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from CTReaderStudyPanel.reading.sitting import State

from CTSuperResolutionLib.study.study_files import read_study


def screen_of(slicer):
    """All that a user could miss afterwards: layout, slice views, what is hidden, nodes of the scene."""
    window, layouts = slicer.util.mainWindow(), slicer.app.layoutManager()
    views = {}
    for name in ("Red", "Yellow", "Green"):
        widget = layouts.sliceWidget(name)
        node, layers = widget.mrmlSliceNode(), widget.mrmlSliceCompositeNode()
        views[name] = (
            slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist(),
            [round(length, 6) for length in node.GetFieldOfView()],
            layers.GetBackgroundVolumeID(),
            layers.GetLinkedControl(),
        )
    hidden = {bar.objectName: bar.isHidden() for bar in window.findChildren("QToolBar")}
    for name in ("DataProbeCollapsibleWidget", "HelpCollapsibleButton"):
        (widget,) = slicer.util.findChildren(window, name=name)
        hidden[name] = widget.isHidden()
    nodes = [
        node.GetName()
        for kind in ("vtkMRMLVolumeNode", "vtkMRMLMarkupsNode", "vtkMRMLScalarVolumeDisplayNode")
        for node in slicer.util.getNodesByClass(kind)
    ]
    crosshair = slicer.util.getNodesByClass("vtkMRMLCrosshairNode")[0].GetCrosshairMode()
    return layouts.layout, views, hidden, nodes, crosshair


def shortcuts(slicer):
    return [each for each in slicer.util.mainWindow().children() if each.inherits("QShortcut") and each.enabled]


@pytest.fixture
def users_scene(slicer, make_scan):
    """A user's scene as he left it: a scan, zoomed and scrolled; a point in it; a crosshair."""
    scan = make_scan(shape=(20, 24, 28), name="My scan")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.app.processEvents()
    slicer.util.setSliceViewerLayers(background=scan, fit=True)
    red = slicer.app.layoutManager().sliceWidget("Red")
    red.sliceLogic().SetSliceOffset(7)
    across, down, deep = red.mrmlSliceNode().GetFieldOfView()
    red.mrmlSliceNode().SetFieldOfView(0.6 * across, 0.6 * down, deep)
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "My point")
    point.CreateDefaultDisplayNodes()
    point.AddControlPoint([1, 2, 3])
    slicer.util.getNodesByClass("vtkMRMLCrosshairNode")[0].SetCrosshairMode(1)
    slicer.app.processEvents()
    return scan


@pytest.mark.parametrize("way", ["button", "other module", "unload", "in a pause"])
def test_leaving_gives_the_users_screen_back(reader, make_study, users_scene, slicer, application, way):
    before, keys = screen_of(slicer), len(shortcuts(slicer))
    reader.open(make_study("prefer", "mark"))
    assert screen_of(slicer) != before
    reader.answer()
    reader.press("C", "PgUp", "PgUp")
    if way == "in a pause":
        reader.press("P")
    if way == "other module":
        slicer.util.selectModule("Data")
    elif way == "unload":
        application.unload("CTReaderStudy")
    else:
        reader.ui.leaveButton.click()
    slicer.app.processEvents()
    assert screen_of(slicer) == before
    assert len(shortcuts(slicer)) == keys
    assert slicer.util.getNode("My point").GetDisplayNode().GetVisibility()


def test_while_reading_nothing_else_is_seen(reader, make_study, users_scene, slicer):
    reader.open(make_study("prefer"))
    window, layouts = slicer.util.mainWindow(), slicer.app.layoutManager()
    assert all(bar.isHidden() for bar in window.findChildren("QToolBar"))
    assert not slicer.util.findChildren(window, name="DataProbeCollapsibleWidget")[0].visible
    assert not slicer.util.getNode("My point").GetDisplayNode().GetVisibility()
    assert not slicer.modules.markups.autoShowToolBar
    for name in ("CTSRAxial1", "CTSRAxial2"):
        widget = layouts.sliceWidget(name)
        assert widget.visible and not widget.sliceController().visible
        assert not widget.sliceView().cornerAnnotation().GetVisibility()
        assert not widget.overlayCornerAnnotation().GetVisibility()
    reader.ui.leaveButton.click()
    assert slicer.modules.markups.autoShowToolBar
    widget = layouts.sliceWidget("CTSRAxial1")  # the comparison's, too
    assert not widget.sliceController().isHidden() and widget.sliceView().cornerAnnotation().GetVisibility()


def seen_of(slicer, volume):
    """All that the scene says of a volume but its voxels and the number at the end of its ids."""
    display, matrix = volume.GetDisplayNode(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    found = {}
    for node in (volume, display):
        kept = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        found[node.GetClassName()] = (
            node.GetName(), node.GetDescription(), kept, node.GetSaveWithScene(), node.GetHideFromEditors(),
            node.GetNumberOfNodeReferenceRoles(), node.GetSelectable(),
        )  # fmt: skip
    return (
        found,
        slicer.util.arrayFromVTKMatrix(matrix).tolist(),
        volume.GetImageData().GetDimensions(),
        volume.GetImageData().GetScalarType(),
        volume.GetStorageNode(),
        (display.GetWindow(), display.GetLevel(), display.GetInterpolate(), display.GetColorNodeID()),
        (display.GetAutoWindowLevel(), display.GetApplyThreshold()),
    )


def test_the_scene_tells_no_method(reader, make_study, key, slicer):
    """But for the voxels, everything that the scene has of the images is the same for all of them."""
    folder = make_study("grade", "prefer")
    reader.open(folder)
    seen, methods = [], set()
    while reader.sitting.state is not State.DONE:
        known = key(folder)["trials"][reader.trial.id]
        methods |= set(known["methods"])
        seen += [seen_of(slicer, volume) for volume in reader.volumes()]
        texts = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLNode")] + [
            widget.text for widget in vars(reader.ui).values() if hasattr(widget, "text")
        ]
        images = [name for name in read_study(folder).images]
        assert not [text for text in texts if text in ("cubic", "sr", "truth", *images)]
        reader.answer()
    assert methods == {"cubic", "sr"} and len(seen) > 10
    assert all(each == seen[0] for each in seen)


def test_the_order_of_loading_goes_by_place_and_not_by_method(reader, make_study, slicer):
    reader.open(make_study("prefer"))
    while reader.sitting.state is not State.DONE:
        left, right = reader.volumes()
        assert int(left.GetID()[len("vtkMRMLScalarVolumeNode") :]) < int(
            right.GetID()[len("vtkMRMLScalarVolumeNode") :]
        )
        reader.answer()


def test_the_window_is_locked_where_the_study_says_so(reader, make_study, slicer):
    reader.open(make_study("prefer"))
    left, right = reader.volumes()
    for volume in (left, right):
        volume.GetDisplayNode().SetWindowLevel(100, 0)
        volume.GetDisplayNode().SetInterpolate(False)
        volume.GetDisplayNode().SetAutoWindowLevel(True)
    reader.press("W")
    for volume in (left, right):
        display = volume.GetDisplayNode()
        assert (display.GetWindow(), display.GetLevel()) == (1500, -600)
        assert display.GetInterpolate() and not display.GetAutoWindowLevel()
    assert not reader.ui.windowButtons.visible


def test_a_free_window_is_the_same_for_both_images_and_is_kept_in_the_log(reader, make_study, entries):
    folder = make_study("prefer", window_locked=False)
    reader.open(folder)
    left, right = reader.volumes()
    right.GetDisplayNode().SetWindowLevel(300, 50)
    right.GetDisplayNode().SetInterpolate(False)
    assert (left.GetDisplayNode().GetWindow(), left.GetDisplayNode().GetLevel()) == (300, 50)
    assert right.GetDisplayNode().GetInterpolate() and left.GetDisplayNode().GetInterpolate()
    reader.press("W")  # from the first preset to the second: bone
    assert (left.GetDisplayNode().GetWindow(), left.GetDisplayNode().GetLevel()) == (1800, 400)
    reader.answer()
    assert entries(folder)[0]["view"]["windows"] == [[-600, 1500], [50, 300], [400, 1800]]
    assert reader.volumes()[0].GetDisplayNode().GetWindow() == 1500  # every case begins with the study's


def test_the_views_go_together_and_the_log_keeps_what_was_seen(reader, make_study, entries, slicer):
    folder = make_study("prefer")
    reader.open(folder)
    reader.press("PgUp", "PgUp", "PgDown", "S", "PgDown")
    nodes = [slicer.app.layoutManager().sliceWidget(f"CTSRSagittal{side}").mrmlSliceNode() for side in "12"]
    one, two = (slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()) for node in nodes)
    assert np.allclose(one, two) and nodes[0].GetFieldOfView() == pytest.approx(nodes[1].GetFieldOfView())
    assert reader.ui.sliceLabel.text == "Slice 16 of 32"
    reader.answer()
    view = entries(folder)[0]["view"]
    assert view["slices"] == {"Axial": [[4, 6]], "Sagittal": [[15, 16]]}
    assert view["zoom_mm"] == pytest.approx(nodes[0].GetFieldOfView()[0] / nodes[0].GetDimensions()[0], rel=0.01)
    assert view["view_pixels"][0][0] > 50 and view["window_size"] == [
        slicer.util.mainWindow().width,
        slicer.util.mainWindow().height,
    ]


def test_scrolling_ends_at_the_last_slice(reader, make_study):
    reader.open(make_study("grade"))
    reader.press(*["PgUp"] * 9)
    assert reader.ui.sliceLabel.text == "Slice 8 of 8"
    reader.press(*["PgDown"] * 12)
    assert reader.ui.sliceLabel.text == "Slice 1 of 8"
    reader.press("R")
    assert reader.ui.sliceLabel.text == "Slice 5 of 8"


def click(slicer, view, ras):
    """Click into a view where a place of the world, RAS in mm, is shown; says whether Slicer would hear of it."""
    widget = slicer.app.layoutManager().sliceWidget(view).sliceView()
    interactor, heard = widget.interactor(), []
    tag = interactor.AddObserver("LeftButtonPressEvent", lambda *_event: heard.append(True), -1.0)
    column, row = (round(value) for value in widget.convertRASToXYZ(list(ras))[:2])
    interactor.SetEventInformation(column, row, 0, 0, "\0", 0, None)
    interactor.LeftButtonPressEvent()
    interactor.LeftButtonReleaseEvent()
    interactor.RemoveObserver(tag)
    return bool(heard)


def test_marks_are_made_by_clicks_and_saved_as_voxels(reader, make_study, entries, slicer):
    folder = make_study("mark")
    reader.open(folder)
    (volume,) = reader.volumes()
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    places = [matrix.MultiplyPoint((*index, 1))[:3] for index in ((10, 8, 4), (20, 12, 4), (25, 3, 4))]
    assert not click(slicer, "CTSRAxial1", places[0])
    reader.press("M")
    click(slicer, "CTSRAxial1", places[1])
    click(slicer, "CTSRAxial1", places[2])
    reader.press("Del")
    outside = matrix.MultiplyPoint((-3, 8, 4, 1))[:3]
    assert click(slicer, "CTSRAxial1", outside)
    points = slicer.util.getNode("invented")
    assert points.GetNumberOfControlPoints() == 1 and points.GetLocked()
    assert np.allclose(points.GetNthControlPointPositionWorld(0), places[0], atol=0.5)
    reader.press("Space")
    reader.settle()
    marks = entries(folder)[0]["answer"]["marks"]
    assert [mark["kind"] for mark in marks] == ["invented", "missing"]
    assert np.allclose([mark["voxel"] for mark in marks], [(4, 8, 10), (4, 12, 20)], atol=0.2)
    assert [node.GetNumberOfControlPoints() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")] == [
        0,
        0,
    ]


def test_in_other_tasks_the_mouse_is_slicers_but_for_double_clicks(reader, make_study, slicer):
    reader.open(make_study("prefer"))
    (left, _right) = reader.volumes()
    assert click(slicer, "CTSRAxial1", (-10, -10, 10))
    interactor = slicer.app.layoutManager().sliceWidget("CTSRAxial1").sliceView().interactor()
    heard = []
    interactor.AddObserver("LeftButtonDoubleClickEvent", lambda *_event: heard.append(True), -1.0)
    interactor.InvokeEvent("LeftButtonDoubleClickEvent")
    assert not heard and left is not None


def test_another_layout_is_a_pause(reader, make_study, slicer, entries):
    folder = make_study("prefer")
    reader.open(folder)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert reader.sitting.state is State.PAUSED and len(entries(folder, kind="pause")) == 1
    reader.press("Space")
    assert reader.sitting.state is State.LOOKING and None not in reader.volumes()


def test_a_closed_scene_ends_the_reading(reader, make_study, slicer, entries):
    folder = make_study("prefer")
    reader.open(folder)
    reader.answer()
    slicer.mrmlScene.Clear(0)
    assert reader.sitting.state is State.CLOSED and "what you saved is there" in reader.ui.problemLabel.text
    reader.open(folder)
    assert reader.sitting.reading.answered == 1


def test_while_images_are_loaded_none_is_seen(reader, make_study, users_scene):
    reader.open(make_study("prefer"))
    study = reader.sitting.reading.study
    reader.sitting._images.want([study.image_path(name) for name in reader.trial.images], study.window)
    for key in ("Left", "1", "Space"):  # with the next case not there yet
        reader.section.press(key)
    assert reader.sitting.state is State.LOADING and reader.volumes() == [None, None]
    reader.settle()
    assert reader.sitting.state is State.LOOKING and None not in reader.volumes()


def test_the_next_case_is_there_before_it_is_asked_for(reader, make_study, wait_until):
    reader.open(make_study("prefer"))
    images = reader.sitting._images
    wait_until(lambda: images.of(reader.sitting.reading.next_trial.images) is not None)
    reader.press("Left", "1", "Space")
    assert reader.sitting.state is State.LOOKING  # at once, without a turn of the event loop
    assert len(images._nodes) <= 4
