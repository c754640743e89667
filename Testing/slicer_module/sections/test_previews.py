"""“Try here”: cubes around the crosshair, their settings, and flipping between them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from CTSuperResolutionPanel.scene import previews
from CTSuperResolutionPanel.scene.result_volumes import role_of


@pytest.fixture(autouse=True)
def known_machine(panel):
    panel.logic.hardware.machine = {"gpus": [], "notes": []}


@pytest.fixture
def large_scan(panel, make_scan, state, slicer):
    """A scan of 60 x 50 x 40 voxels (x, y, z), 1 mm, with the crosshair in it."""
    node = make_scan(shape=(40, 50, 60))
    state.inputVolume, state.scale, state.previewVoxels = node, "2", 64
    put_crosshair(slicer, 20.0, 30.0, 10.0)
    panel.panel.refresh()
    return node


@pytest.fixture
def preview_once(panel, child, finish, state):
    """preview_once(preset="paper"): a preview with that changed."""

    def once(**changes) -> None:
        child("does well")
        for name, value in changes.items():
            setattr(state, name, value)
        panel.panel.refresh()
        panel.ui.previewButton.click()
        finish()
        panel.panel.refresh()

    return once


def put_crosshair(slicer, *point) -> None:
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS(list(point))


def layers(slicer, name="Red"):
    composite = slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()


def titles(panel) -> list[str]:
    return [panel.ui.previewsList.item(row).text() for row in range(panel.ui.previewsList.count)]


def test_a_preview_is_the_part_of_the_scan_around_the_crosshair(panel, large_scan, preview_once, slicer):
    assert panel.ui.previewHintLabel.text.startswith("32 × 32 × 32 voxels of the scan, about ")
    preview_once()
    (one,) = previews.find_previews()
    assert slicer.util.arrayFromVolume(one.sr).shape == (64, 64, 64)
    part = slicer.util.arrayFromVolume(large_scan)[0:32, 14:46, 4:36]
    assert np.array_equal(slicer.util.arrayFromVolume(one.sr)[::2, ::2, ::2], part)
    assert (role_of(one.sr), role_of(one.cubic)) == ("preview-sr", "preview-cubic")
    assert panel.logic.getParameterNode().srVolume is None  # a preview is no result


def test_a_preview_is_shown_over_the_scan_and_goes_when_told(panel, large_scan, preview_once, slicer):
    before = layers(slicer)
    preview_once()
    (one,) = previews.find_previews()
    assert layers(slicer) == (large_scan.GetID(), one.sr.GetID(), 1.0)
    panel.ui.hidePreviewsButton.click()
    assert layers(slicer) == before and panel.ui.previewsList.currentRow == -1


def test_leaving_the_module_gives_the_views_back(panel, large_scan, preview_once, slicer):
    before = layers(slicer)
    preview_once()
    slicer.util.selectModule("Data")
    assert layers(slicer) == before


def test_a_preview_that_ends_in_another_module_leaves_the_views_alone(panel, large_scan, child, finish, slicer):
    before = layers(slicer)
    child("does well")
    panel.ui.previewButton.click()
    slicer.util.selectModule("Data")
    finish()
    assert layers(slicer) == before
    slicer.util.selectModule("CTSuperResolution")
    assert layers(slicer) == before and titles(panel) == ["Cubic", "1  2× · balanced"]


def test_the_list_tells_the_previews_apart_and_flips_between_them(panel, large_scan, preview_once, slicer):
    preview_once(preset="preview")
    preview_once(settings=json.dumps({"pixel_width": 0.6}), seed=3)
    assert titles(panel) == ["Cubic", "1  2× · preview", "2  2× · preview · seed 3 · pixel width 0.6"]
    first, second = previews.find_previews()
    for row, node in ((1, first.sr), (2, second.sr), (0, second.cubic), (1, first.sr), (0, first.cubic)):
        panel.ui.previewsList.currentRow = row
        assert layers(slicer)[1] == node.GetID()


def test_a_cube_out_of_sight_is_brought_into_view(panel, large_scan, preview_once, slicer):
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    red.JumpSlice(0, 0, 39)
    preview_once()
    assert -0.5 <= red.GetSliceOffset() <= 31.5
    red.JumpSlice(0, 0, 5)
    panel.ui.previewsList.currentRow = 0
    assert red.GetSliceOffset() == pytest.approx(5, abs=0.6)  # it was in sight


def test_the_settings_of_a_preview_can_be_taken_up(panel, large_scan, preview_once, state):
    state.factorX = state.factorY = state.factorZ = 3
    preview_once(preset="paper", settings=json.dumps({"views": 20}), seed=5, scale="axes")
    state.preset, state.settings, state.seed, state.scale, state.factorX = "preview", "{}", 0, "4", 1
    panel.ui.previewsList.currentRow = 1
    panel.ui.usePreviewButton.click()
    assert (state.preset, json.loads(state.settings), state.seed) == ("paper", {"views": 20}, 5)
    assert (state.scale, state.factorX, state.factorY, state.factorZ) == ("axes", 3, 3, 3)


def test_the_spacing_of_a_preview_can_be_taken_up(panel, large_scan, preview_once, state):
    preview_once(scale="spacing", spacing="0.62")
    state.scale, state.spacing = "4", "1"
    panel.ui.previewsList.currentRow = 1
    assert panel.ui.previewsList.item(1).text().startswith("1  1.61×")
    panel.ui.usePreviewButton.click()
    assert (state.scale, state.spacing) == ("spacing", "0.62")


def test_only_the_last_previews_are_kept(panel, large_scan, preview_once, monkeypatch, slicer):
    monkeypatch.setattr(previews, "LATEST", 2)
    for seed in (1, 2, 3):
        preview_once(seed=seed)
    assert [one.report["seed"] for one in previews.find_previews()] == [2, 3]
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1 + 2 * 2
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeDisplayNode")) == 1 + 2 * 2


def test_a_preview_can_be_removed(panel, large_scan, preview_once, slicer):
    preview_once()
    preview_once(seed=2)
    panel.ui.previewsList.currentRow = 1
    panel.ui.removePreviewButton.click()
    assert titles(panel) == ["Cubic", "1  2× · balanced · seed 2"]
    slicer.mrmlScene.RemoveNode(previews.find_previews()[0].sr)
    panel.panel.refresh()
    assert titles(panel) == []


def test_previews_are_saved_with_the_scene(panel, large_scan, preview_once, slicer, tmp_path):
    """If they are kept."""
    preview_once(seed=2)
    panel.ui.keepPreviewButton.click()
    assert panel.ui.keepPreviewButton.checked
    assert titles(panel) == ["Cubic", "1  2× · balanced · seed 2 · kept"]
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert titles(panel) == []
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    panel.panel.refresh()
    assert titles(panel) == ["Cubic", "1  2× · balanced · seed 2 · kept"]
    panel.ui.previewsList.currentRow = 0
    assert layers(slicer)[1] == previews.find_previews()[0].cubic.GetID()


def test_previews_that_are_not_kept_are_not_saved(panel, large_scan, preview_once, slicer, tmp_path, wait_until):
    """Nor is anything of them: no volume, no display, no folder."""
    preview_once(seed=1)
    panel.ui.keepPreviewButton.click()
    panel.ui.keepPreviewButton.click()
    assert not panel.ui.keepPreviewButton.checked
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert titles(panel) == [] and previews.find_previews() == []
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeDisplayNode")) == 1
    assert layers(slicer)[1] is None
    wait_until(lambda: not slicer.mrmlScene.GetSubjectHierarchyNode().GetItemByName("Scan, super-resolved"))


def test_kept_previews_stay_however_many_come(panel, large_scan, preview_once, monkeypatch):
    monkeypatch.setattr(previews, "LATEST", 1)
    preview_once(seed=1)
    panel.ui.keepPreviewButton.click()
    for seed in (2, 3):
        preview_once(seed=seed)
    assert [one.report["seed"] for one in previews.find_previews()] == [1, 3]


def test_a_shown_preview_that_is_deleted_elsewhere_leaves_the_views_as_they_were(
    panel, large_scan, preview_once, slicer
):
    """Slicer would show the next volume in its place, over the scan."""
    before = layers(slicer)
    preview_once(seed=1)
    preview_once(seed=2)
    (first, second) = previews.find_previews()
    slicer.mrmlScene.RemoveNode(second.sr)
    assert layers(slicer) == before
    panel.panel.refresh()
    panel.ui.previewsList.currentRow = 1
    assert layers(slicer)[1] == first.sr.GetID()


def test_a_list_that_changes_keeps_what_is_chosen(panel, large_scan, preview_once, slicer):
    for seed in (1, 2, 3):
        preview_once(seed=seed)
    panel.ui.previewsList.currentRow = 2
    first, second, _third = previews.find_previews()
    slicer.mrmlScene.RemoveNode(first.sr)
    panel.panel.refresh()
    assert panel.ui.previewsList.currentRow == 1 and layers(slicer)[1] == second.sr.GetID()
    panel.ui.hidePreviewsButton.click()
    assert panel.ui.previewsList.currentRow == -1


def test_previews_lie_in_a_folder_of_the_scan_by_clear_names(panel, large_scan, preview_once, slicer):
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    preview_once(seed=1)
    preview_once(seed=2)
    nodes = [node for one in previews.find_previews() for node in (one.sr, one.cubic)]
    assert [node.GetName() for node in nodes] == [
        "Scan try 1 SR 2×", "Scan try 1 cubic 2×", "Scan try 2 SR 2×", "Scan try 2 cubic 2×"
    ]  # fmt: skip
    (folder,) = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes}
    assert hierarchy.GetItemName(folder) == "Tries"
    above = hierarchy.GetItemParent(folder)
    assert hierarchy.GetItemName(above) == "Scan, super-resolved"
    assert hierarchy.GetItemParent(above) == hierarchy.GetItemParent(hierarchy.GetItemByDataNode(large_scan))
    for _each in range(2):
        panel.ui.previewsList.currentRow = 1
        panel.ui.removePreviewButton.click()
    assert not hierarchy.GetItemByName("Tries") and not hierarchy.GetItemByName("Scan, super-resolved")


def test_a_crosshair_outside_is_said(panel, large_scan, slicer):
    put_crosshair(slicer, 0.0, 0.0, 500.0)
    panel.panel.refresh()
    assert not panel.ui.previewButton.enabled
    assert "outside the scan" in panel.ui.previewHintLabel.text


def test_more_that_is_loaded_leaves_a_shown_preview_to_be_taken_away(
    panel, large_scan, preview_once, slicer, import_more
):
    before = layers(slicer)
    preview_once()
    (one,) = previews.find_previews()
    import_more()
    assert layers(slicer) != before
    assert layers(slicer) == (large_scan.GetID(), one.sr.GetID(), 1.0)
    assert panel.ui.previewsList.currentRow == 1
    panel.ui.hidePreviewsButton.click()
    assert layers(slicer) == before


def test_more_that_is_loaded_leaves_a_comparison_running(panel, large_scan, child, finish, slicer, import_more):
    child("does well")
    panel.ui.applyButton.click()
    finish()
    layout = slicer.app.layoutManager().layout
    button = panel.ui.comparePlace.findChild("QPushButton", "compareButton")
    assert button.checked
    import_more()
    assert button.checked and slicer.app.layoutManager().layout == layout


@pytest.fixture
def sketching(panel, large_scan, child, finish):
    """The box is ticked, and the first sketch is there."""
    child("does well")
    panel.ui.sketchCheckBox.setChecked(True)
    finish()
    return panel.logic.runner


def shown_sketch(panel):
    """The last preview, which is a sketch and is shown."""
    last = previews.find_previews()[-1]
    assert last.is_sketch and panel.ui.previewsList.currentRow == panel.ui.previewsList.count - 1
    return last


def test_a_sketch_follows_every_change_and_only_the_last_one_stays(
    panel, sketching, state, finish, slicer, job_folders
):
    first = shown_sketch(panel)
    assert first.report["job"]["settings"]["residual"] == "grid" and "sketch" in titles(panel)[1]
    assert layers(slicer)[1] == first.sr.GetID() and not panel.ui.usePreviewButton.enabled
    panel.panel.refresh()
    assert not sketching.busy  # nothing has changed
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    for changes in ({"seed": 4}, {"settings": json.dumps({"damping": 0.2})}):
        for name, value in changes.items():
            setattr(state, name, value)
        panel.panel.refresh()
        assert sketching.sketching and panel.ui.applyButton.text == "Apply"
        finish()
    job = shown_sketch(panel).report["job"]
    assert job["seed"] == 4 and job["settings"]["damping"] == 0.2
    assert len(previews.find_previews()) == 1 and slicer.mrmlScene.GetNumberOfNodes() == nodes
    put_crosshair(slicer, 25.0, 25.0, 15.0)
    panel.panel.refresh()
    finish()
    assert not np.array_equal(shown_sketch(panel).sr.GetOrigin(), first.sr.GetOrigin())


def test_a_change_takes_the_place_of_the_sketch_before_in_the_same_process(
    panel, sketching, state, child, finish, wait_until, job_folders
):
    process = sketching._worker._process
    child("works until cancelled")
    state.seed = 1
    panel.panel.refresh()
    wait_until(lambda: sketching.progress.stage == "fit")
    for seed in (2, 3):
        child("does well")
        state.seed = seed
        panel.panel.refresh()
    finish()
    assert shown_sketch(panel).report["job"]["seed"] == 3 and sketching._worker._process is process
    assert len(previews.find_previews()) == 1


@pytest.mark.parametrize("ending", ["apply", "shut down", "crash"])
def test_what_comes_in_place_of_a_sketch_leaves_nothing_of_it(
    panel, sketching, state, child, finish, wait_until, job_folders, ending
):
    child("works until cancelled")
    state.seed = 1
    panel.panel.refresh()
    wait_until(lambda: sketching.progress.stage == "fit")
    child("crashes" if ending == "crash" else "does well")
    if ending == "shut down":
        state.seed = 2
        panel.panel.refresh()
        panel.logic.shut_down()
        assert job_folders() == []
        return
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancel" and not sketching.sketching
    finish()
    assert (state.srVolume is None) is (ending == "crash")
    assert sketching.message.startswith("The background process crashed" if ending == "crash" else "Done in ")


def test_a_sketch_is_of_the_quickest_settings_but_for_what_the_user_set(panel, large_scan, state):
    from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement
    from CTSuperResolutionPanel.sections.choices import NotReady, sketch_task

    state.preset, state.settings = "balanced", json.dumps({"views": 50})
    point = (30.0, 25.0, 20.0)
    numbers = sketch_task(state, point).method.parameters
    assert (numbers.views, numbers.slice_axes, numbers.residual, numbers.slice_gain) == (50, 1, "grid", 1.0)
    state.settings = json.dumps({"gaussians": 9_000})
    numbers = sketch_task(state, point).method.parameters
    assert (numbers.residual, numbers.gaussians, numbers.iterations) == ("gaussians", 9_000, 30)
    task = sketch_task(state, point)
    grown = [(outer.stop - outer.start) - side for outer, side in
             zip(task.exported(ScanPlacement.of(large_scan)), task.shape, strict=True)]  # fmt: skip
    assert max(grown) == 4  # two voxels on each side, as far as the scan goes
    state.settings = json.dumps({"max_gaussians": 500})
    with pytest.raises(NotReady):
        sketch_task(state, point)
