"""User settings are restored after a comparison, however it ends."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk


@pytest.fixture
def volumes(ct):
    return ct("cubic"), ct("sr", seed=1)


@pytest.fixture
def crosshair():
    return slicer.util.getNodesByClass("vtkMRMLCrosshairNode")[0]


def users_view(screen) -> dict:
    """All that the user sees and set in the red view."""
    node, layers = screen.node("Red"), screen.layers("Red")
    return {
        "layout": screen.layout(),
        "position": slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist(),
        "zoom": node.GetFieldOfView(),
        "pan": node.GetXYZOrigin(),
        "group": node.GetViewGroup(),
        "volumes": (layers.GetBackgroundVolumeID(), layers.GetForegroundVolumeID(), layers.GetForegroundOpacity()),
        "links": (layers.GetLinkedControl(), layers.GetHotLinkedControl()),
    }


def test_leaving_the_module_gives_layout_and_slice_settings_back(section, ui, volumes, ct, screen, crosshair):
    other = ct("another", seed=5)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    slicer.util.setSliceViewerLayers(background=other, foreground=volumes[0], foregroundOpacity=0.3, fit=True)
    logic, node = screen.logic("Red"), screen.node("Red")
    logic.SetSliceOffset(-13.0)
    node.SetFieldOfView(70.0, 70.0 * node.GetDimensions()[1] / node.GetDimensions()[0], 2.0)
    node.SetXYZOrigin(3.0, 4.0, 0.0)
    screen.layers("Red").SetLinkedControl(True)
    crosshair.SetCrosshairMode(crosshair.ShowIntersection)
    slicer.app.processEvents()
    before = users_view(screen)
    section.show(*volumes)
    ui.allPlanesButton.click()
    slicer.util.setSliceViewerLayers(background=volumes[1], foreground=None, fit=True)
    assert users_view(screen) != before
    section.exit()
    assert users_view(screen) == before
    assert crosshair.GetCrosshairMode() == crosshair.ShowIntersection


def test_leaving_the_module_gives_window_and_interpolation_back(section, ui, volumes):
    displays = [volume.GetDisplayNode() for volume in volumes]
    displays[0].SetWindowLevel(700, 70)
    displays[1].SetInterpolate(False)
    section.show(*volumes)
    ui.smoothCheckBox.click()
    slicer.util.findChildren(ui.windowButtons, text="Lung")[0].click()
    section.exit()
    assert [(d.GetWindow(), d.GetLevel(), d.GetInterpolate()) for d in displays] == [(700, 70, 1), (1600, 100, 0)]
    displays[0].SetWindowLevel(10, 10)
    assert displays[1].GetWindow() == 1600  # no longer linked


def test_an_automatic_window_is_automatic_again(section, volumes):
    display = volumes[0].GetDisplayNode()
    display.SetAutoWindowLevel(True)
    window = display.GetWindow()
    section.show(*volumes)
    volumes[1].GetDisplayNode().SetWindowLevel(10, 0)
    section.exit()
    assert display.GetAutoWindowLevel() and display.GetWindow() == window


def test_coming_back_resumes_the_comparison_as_it_was_left(section, ui, volumes, screen):
    section.show(*volumes)
    ui.coronalButton.click()
    slicer.util.findChildren(ui.windowButtons, text="Bone")[0].click()
    screen.logic("CTSRCoronal1").SetSliceOffset(-3.0)
    section.exit()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    section.enter()
    assert screen.names() == ["CTSRCoronal1", "CTSRCoronal2"]
    assert screen.node("CTSRCoronal2").GetSliceOffset() == -3.0
    assert volumes[1].GetDisplayNode().GetWindow() == 1800
    assert ui.compareButton.checked
    section.exit()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    assert volumes[1].GetDisplayNode().GetWindow() == 1600


def test_what_was_not_running_is_not_started_by_coming_back(section, volumes, screen, ui):
    section.show(*volumes)
    ui.compareButton.click()
    section.exit()
    section.enter()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert not ui.compareButton.checked


def test_the_button_starts_and_ends_it(section, ui, volumes, screen):
    ui.firstSelector.setCurrentNode(volumes[0])
    ui.secondSelector.setCurrentNode(volumes[1])
    ui.compareButton.click()
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]
    ui.compareButton.click()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert not ui.controls.enabled


def test_choosing_another_layout_ends_the_comparison_and_stays(section, ui, volumes, screen, crosshair):
    section.show(*volumes)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert not ui.compareButton.checked
    assert crosshair.GetCrosshairMode() == crosshair.NoCrosshair
    section.exit()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    section.enter()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


@pytest.mark.parametrize("place", [0, 1])
def test_deleting_a_compared_volume_ends_it_and_says_so(section, ui, volumes, screen, place):
    section.show(*volumes)
    name = volumes[place].GetName()
    slicer.mrmlScene.RemoveNode(volumes[place])
    slicer.app.processEvents()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert ui.messageLabel.text == f"{name} was deleted, so the comparison ended."
    assert not ui.compareButton.checked


def test_deleting_the_third_volume_goes_on_with_two(section, ui, volumes, ct, screen):
    third = ct("another", seed=7)
    section.show(*volumes, third)
    slicer.mrmlScene.RemoveNode(third)
    slicer.app.processEvents()
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]
    assert screen.shows("CTSRAxial2", volumes[1])
    section.exit()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


@pytest.mark.parametrize("kind", ["sideButton", "swipeButton", "flickerButton", "renderingButton"])
def test_closing_the_scene_ends_it_and_the_next_comparison_works(section, ui, state, volumes, ct, screen, kind):
    section.show(*volumes)
    getattr(ui, kind).click()
    ui.differenceButton.click()
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    state.compareKind = "side"
    section.set_state(state)
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert not ui.compareButton.checked and not ui.compareButton.enabled
    ui.differenceButton.checked = False
    new = ct("cubic", seed=3), ct("sr", seed=4)
    section.show(*new)
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]
    assert screen.shows("CTSRAxial1", new[0]) and screen.shows("CTSRAxial2", new[1])
    logic = screen.logic("CTSRAxial1")
    logic.StartSliceOffsetInteraction()
    logic.SetSliceOffset(-7.0)
    logic.EndSliceOffsetInteraction()
    assert screen.node("CTSRAxial2").GetSliceOffset() == -7.0


def test_the_users_volume_rendering_is_hidden_meanwhile_and_shown_again(section, ui, volumes):
    rendering = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGPURayCastVolumeRenderingDisplayNode")
    volumes[0].AddAndObserveDisplayNodeID(rendering.GetID())
    rendering.SetVisibility(True)
    section.show(*volumes)
    ui.renderingButton.click()
    assert not rendering.GetVisibility()
    section.exit()
    assert rendering.GetVisibility()
    assert slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode") == [rendering]


def test_a_scene_saved_meanwhile_has_none_of_these_views_and_opens_in_a_usual_layout(
    section, state, volumes, screen, tmp_path
):
    section.show(*volumes)
    for volume in volumes:
        volume.SetSaveWithScene(False)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    assert "CTSRAxial" not in (tmp_path / "scene.mrml").read_text()
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))
    slicer.app.processEvents()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    assert not section._comparison.running


def test_a_volume_loaded_meanwhile_does_not_push_into_the_comparison(section, volumes, ct, screen):
    section.show(*volumes)
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(ct("loaded", seed=9).GetID())
    logic.PropagateVolumeSelection()
    assert screen.shows("CTSRAxial1", volumes[0]) and screen.shows("CTSRAxial2", volumes[1])


def test_our_views_keep_their_own_group_and_names(section, volumes, screen):
    section.show(*volumes)
    groups = {node.GetLayoutName(): node.GetViewGroup() for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")}
    assert groups["CTSRAxial1"] == groups["CTSRAxial2"] != groups["Red"]


def test_a_view_that_changes_its_size_keeps_the_zoom_of_the_other(section, volumes, screen):
    section.show(*volumes)
    screen.logic("CTSRAxial2").ResizeSliceNode(311, 107)
    slicer.app.processEvents()
    zooms = [np.linalg.norm(screen.to_ras(view)[:3, :2], axis=0) for view in ("CTSRAxial1", "CTSRAxial2")]
    assert np.allclose(zooms[0], zooms[1])


def test_nothing_is_observed_any_more_after_leaving(section, volumes):
    layout = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    display = volumes[0].GetDisplayNode()
    observed = [node.HasObserver(vtk.vtkCommand.ModifiedEvent) for node in (layout, display)]
    events = [slicer.mrmlScene.HasObserver(event) for event in (slicer.mrmlScene.StartSaveEvent,)]
    section.show(*volumes)
    section.exit()
    assert [node.HasObserver(vtk.vtkCommand.ModifiedEvent) for node in (layout, display)] == observed
    assert [slicer.mrmlScene.HasObserver(event) for event in (slicer.mrmlScene.StartSaveEvent,)] == events


def test_a_result_that_comes_while_another_module_is_open_is_compared_on_coming_back(section, volumes, screen):
    section.exit()
    section.show(*volumes)
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    section.enter()
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]
    assert screen.shows("CTSRAxial2", volumes[1])


def test_a_saved_scene_brings_its_choice_of_volumes_back(panel, ct, tmp_path):
    compare = panel.panel.compare
    compare.show(ct("scan"), ct("sr", seed=1))
    ui = slicer.util.childWidgetVariables(compare.widget)
    ui.sagittalButton.click()
    ui.swipeButton.click()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    assert ui.firstSelector.currentNode() is None
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    assert [selector.currentNode().GetName() for selector in (ui.firstSelector, ui.secondSelector)] == ["scan", "sr"]
    assert ui.sagittalButton.checked and ui.swipeButton.checked
    assert ui.compareButton.enabled and not ui.compareButton.checked


@pytest.mark.parametrize("kind", ["sideButton", "swipeButton", "allPlanesButton", "renderingButton"])
def test_more_that_is_loaded_leaves_the_comparison_as_it_is(section, ui, state, volumes, ct, screen, import_more, kind):
    """Slicer empties every selector and every view's layers at an import."""
    third = ct("another", seed=3)
    section.show(*volumes, third)
    getattr(ui, kind).click()
    views, layout = screen.names(), screen.layout()
    import_more()
    slicer.app.processEvents()
    assert ui.compareButton.checked and screen.layout() == layout and screen.names() == views
    chosen = [selector.currentNode() for selector in (ui.firstSelector, ui.secondSelector, ui.thirdSelector)]
    assert chosen == [*volumes, third] == [state.compareFirst, state.compareSecond, state.compareThird]
    if kind == "sideButton":
        for place, volume in enumerate(chosen, 1):
            assert screen.shows(f"CTSRAxial{place}", volume)
    if kind == "swipeButton":
        assert screen.layers("CTSRAxial1").GetForegroundVolumeID() == volumes[1].GetID()


def test_more_that_is_loaded_leaves_difference_and_profile(section, ui, volumes, screen, import_more, wait_until):
    section.show(*volumes)
    ui.differenceButton.click()
    wait_until(lambda: screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Line")
    ui.lineSelector.setCurrentNode(line)
    difference = slicer.util.getNode("sr minus cubic")
    views = screen.names()
    assert "CTSRProfile" in views
    import_more()
    assert screen.names() == views and ui.lineSelector.currentNode() is line
    assert screen.layers("CTSRAxial2-1").GetBackgroundVolumeID() == difference.GetID()
    assert ui.differenceButton.checked and ui.legend.visible


def test_a_scene_with_a_layout_of_its_own_ends_the_comparison(section, ui, volumes, screen, tmp_path):
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    for volume in volumes:
        volume.SetSaveWithScene(False)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    section.show(*volumes)
    slicer.util.loadScene(str(tmp_path / "scene.mrml"), {"clear": False})
    slicer.app.processEvents()
    assert screen.layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert not ui.compareButton.checked and not section._comparison.running


def test_a_comparison_that_waits_for_the_module_survives_more_that_is_loaded(section, ui, volumes, screen, import_more):
    section.show(*volumes)
    section.exit()
    import_more()
    section.enter()
    assert ui.compareButton.checked and screen.shows("CTSRAxial1", volumes[0])


@pytest.mark.parametrize("kind", ["sideButton", "swipeButton", "flickerButton"])
def test_deleting_what_is_no_longer_shown_changes_no_view(section, ui, volumes, ct, screen, kind):
    """A view that is not on the screen would still choose another volume, for all that are linked to it."""
    third = ct("another", seed=3)
    section.show(*volumes, third)
    getattr(ui, kind).click()
    ui.thirdSelector.setCurrentNode(None)
    slicer.mrmlScene.RemoveNode(third)
    slicer.app.processEvents()
    assert screen.layers("CTSRAxial1").GetBackgroundVolumeID() == volumes[0].GetID()
    if kind == "sideButton":
        assert screen.shows("CTSRAxial1", volumes[0]) and screen.shows("CTSRAxial2", volumes[1])


def test_the_first_view_stays_when_the_third_volume_is_deleted(section, ui, volumes, ct, screen):
    third = ct("another", seed=7)
    section.show(*volumes, third)
    slicer.mrmlScene.RemoveNode(third)
    slicer.app.processEvents()
    assert screen.shows("CTSRAxial1", volumes[0]) and screen.shows("CTSRAxial2", volumes[1])
