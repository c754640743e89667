"""Comparison in linked views, as the user sees it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

PLANES = ("Axial", "Coronal", "Sagittal")
BUTTONS = {"Axial": "axialButton", "Coronal": "coronalButton", "Sagittal": "sagittalButton"}


@pytest.mark.parametrize("plane", PLANES)
def test_one_click_shows_the_first_volume_left_and_the_second_right(section, ui, ct, screen, plane):
    cubic, sr = ct("cubic", seed=1), ct("sr", seed=2)
    section.show(cubic, sr)
    getattr(ui, BUTTONS[plane]).click()
    assert screen.names() == [f"CTSR{plane}1", f"CTSR{plane}2"]
    assert screen.shows(f"CTSR{plane}1", cubic)
    assert screen.shows(f"CTSR{plane}2", sr)
    assert screen.node(f"CTSR{plane}1").GetOrientation() == plane


def test_the_second_is_really_to_the_right_of_the_first(section, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    screen.settle()
    left, right = (slicer.app.layoutManager().sliceWidget(name) for name in ("CTSRAxial1", "CTSRAxial2"))
    assert left.visible and right.visible
    assert left.parent().mapToGlobal(left.pos).x() < right.parent().mapToGlobal(right.pos).x()


def test_all_three_planes_fill_two_rows_of_three_views(section, ui, ct, screen):
    volumes = ct("cubic", seed=1), ct("sr", seed=2)
    section.show(*volumes)
    ui.allPlanesButton.click()
    assert screen.names() == [f"CTSR{plane}{place}" for place in (1, 2) for plane in PLANES]
    for place, volume in enumerate(volumes, 1):
        for plane in PLANES:
            assert screen.shows(f"CTSR{plane}{place}", volume)


def test_three_volumes_get_three_views(section, ui, ct, screen):
    volumes = [ct(name, seed=seed) for seed, name in enumerate(("cubic", "sr", "another"))]
    section.show(*volumes)
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2", "CTSRAxial3"]
    for place, volume in enumerate(volumes, 1):
        assert screen.shows(f"CTSRAxial{place}", volume)
    ui.thirdSelector.setCurrentNode(None)
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]


def test_an_oblique_anisotropic_scan_and_a_finer_result_show_the_same_place(section, ct, screen):
    matrix = screen.oblique()
    finer = matrix @ np.diag([0.5, 0.5, 0.25, 1.0])
    scan, sr = ct("scan", matrix=matrix), ct("sr", shape=(72, 52, 68), matrix=finer, seed=3)
    section.show(scan, sr)
    assert np.allclose(screen.to_ras("CTSRAxial1"), screen.to_ras("CTSRAxial2"))
    assert screen.shows("CTSRAxial1", scan)
    assert screen.shows("CTSRAxial2", sr)


def test_volumes_under_a_transform_are_shown_where_it_puts_them(section, ct, screen):
    turn = screen.oblique()
    turn[:3, :3] = np.linalg.qr(turn[:3, :3])[0]
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(transform, turn)
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    for volume in (cubic, sr):
        volume.SetAndObserveTransformNodeID(transform.GetID())
    section.show(cubic, sr)
    assert screen.shows("CTSRAxial1", cubic, turn @ screen.straight())
    assert screen.shows("CTSRAxial2", sr, turn @ screen.straight())


def test_scrolling_one_view_scrolls_the_other_and_not_the_users_own(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.allPlanesButton.click()
    others = screen.node("Red").GetSliceOffset(), screen.node("CTSRCoronal2").GetSliceOffset()
    logic = screen.logic("CTSRAxial1")
    for offset in (-21.0, -9.0):
        logic.StartSliceOffsetInteraction()
        logic.SetSliceOffset(offset)
        logic.EndSliceOffsetInteraction()
        assert screen.node("CTSRAxial2").GetSliceOffset() == offset
        assert screen.shows("CTSRAxial2", sr)
    assert (screen.node("Red").GetSliceOffset(), screen.node("CTSRCoronal2").GetSliceOffset()) == others


def test_zooming_and_panning_one_view_moves_the_other(section, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    node, logic = screen.node("CTSRAxial2"), screen.logic("CTSRAxial2")
    across, down, depth = node.GetFieldOfView()
    logic.StartSliceNodeInteraction(node.FieldOfViewFlag)
    node.SetFieldOfView(across / 2, down / 2, depth)
    logic.EndSliceNodeInteraction()
    logic.StartSliceNodeInteraction(node.XYZOriginFlag)
    node.SetXYZOrigin(5, -4, 0)
    logic.EndSliceNodeInteraction()
    assert np.allclose(screen.to_ras("CTSRAxial1"), screen.to_ras("CTSRAxial2"))
    assert screen.shows("CTSRAxial1", cubic)


def test_the_views_scroll_by_the_finest_slices_of_any_volume(section, ct, screen):
    scan = ct("scan", matrix=screen.straight((1.5, 1.5, 4.0)), shape=(9, 26, 34))
    sr = ct("sr", matrix=screen.straight((1.5, 1.5, 1.0)), shape=(36, 26, 34), seed=1)
    section.show(scan, sr)
    for view in ("CTSRAxial1", "CTSRAxial2"):
        assert screen.node(view).GetPrescribedSliceSpacing()[2] == pytest.approx(1.0)
        assert screen.logic(view).GetLowestVolumeSliceSpacing()[2] == pytest.approx(1.0)


def test_it_starts_at_the_slice_the_user_was_looking_at(section, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    slicer.util.setSliceViewerLayers(background=cubic, fit=True)
    screen.logic("Red").SetSliceOffset(-17.0)
    section.show(cubic, sr)
    assert screen.node("CTSRAxial1").GetSliceOffset() == pytest.approx(-17.0, abs=1.0)
    assert screen.node("CTSRAxial2").GetSliceOffset() == screen.node("CTSRAxial1").GetSliceOffset()


def test_the_slice_passes_through_voxel_centres(section, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    index = (screen.node("CTSRAxial1").GetSliceOffset() + 31.0) / 2.0
    assert index == pytest.approx(round(index))


def test_changing_the_plane_keeps_the_place(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    screen.logic("CTSRAxial1").SetSliceOffset(-11.0)
    ui.coronalButton.click()
    ui.axialButton.click()
    assert screen.node("CTSRAxial1").GetSliceOffset() == -11.0
    assert screen.node("CTSRAxial2").GetSliceOffset() == -11.0


def test_window_and_level_are_the_same_in_both_whichever_is_changed(section, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    sr.GetDisplayNode().SetWindowLevel(300, 0)
    section.show(cubic, sr)
    assert (sr.GetDisplayNode().GetWindow(), sr.GetDisplayNode().GetLevel()) == (1600, 100)
    sr.GetDisplayNode().SetWindowLevel(900, -50)
    assert (cubic.GetDisplayNode().GetWindow(), cubic.GetDisplayNode().GetLevel()) == (900, -50)
    assert screen.shows("CTSRAxial1", cubic)


@pytest.mark.parametrize(
    ("name", "window", "level"),
    [("Lung", 1500, -600), ("Bone", 1800, 400), ("Soft tissue", 400, 40), ("Brain", 80, 40)],
)
def test_a_window_preset_sets_both_volumes(section, ui, ct, screen, name, window, level):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    slicer.util.findChildren(ui.windowButtons, text=name)[0].click()
    for view, volume in (("CTSRAxial1", cubic), ("CTSRAxial2", sr)):
        display = volume.GetDisplayNode()
        assert (display.GetWindow(), display.GetLevel()) == (window, level)
        assert screen.shows(view, volume)


def test_interpolation_is_switched_in_both(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    sr.GetDisplayNode().SetInterpolate(False)
    section.show(cubic, sr)
    assert screen.shows("CTSRAxial2", sr, order=1)
    ui.smoothCheckBox.click()
    for view, volume in (("CTSRAxial1", cubic), ("CTSRAxial2", sr)):
        assert screen.shows(view, volume, order=0)
        assert not screen.shows(view, volume, order=1)


def test_the_key_exchanges_the_volumes_in_place(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.flickerButton.click()
    assert screen.names() == ["CTSRAxial1"]
    seen = [screen.pixels("CTSRAxial1").copy()]
    for volume in (sr, cubic):
        ui.exchangeButton.click()
        assert screen.shows("CTSRAxial1", volume)
        seen.append(screen.pixels("CTSRAxial1").copy())
    assert np.array_equal(seen[0], seen[2]) and not np.array_equal(seen[0], seen[1])


def test_the_key_moves_three_volumes_round(section, ui, ct, screen):
    volumes = [ct(name, seed=seed) for seed, name in enumerate(("cubic", "sr", "another"))]
    section.show(*volumes)
    ui.exchangeButton.click()
    assert [screen.shows(f"CTSRAxial{place}", volumes[place % 3]) for place in (1, 2, 3)] == [True] * 3


def test_the_crosshair_is_shown_and_hidden(section, ui, ct):
    node = slicer.util.getNodesByClass("vtkMRMLCrosshairNode")[0]
    section.show(ct("cubic"), ct("sr", seed=1))
    assert node.GetCrosshairMode() == node.ShowBasic
    ui.crosshairCheckBox.click()
    assert node.GetCrosshairMode() == node.NoCrosshair


def test_each_3d_view_renders_its_own_volume_with_the_same_colours(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.renderingButton.click()
    assert screen.names() == ["CTSR3D1", "CTSR3D2"]
    shown = {}
    for view in screen.nodes():
        for display in slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"):
            if display.GetVisibility(view.GetID()):
                shown.setdefault(view.GetLayoutName(), []).append(display)
    assert {name: [d.GetVolumeNode() for d in displays] for name, displays in shown.items()} == {
        "CTSR3D1": [cubic],
        "CTSR3D2": [sr],
    }
    first, second = shown["CTSR3D1"][0], shown["CTSR3D2"][0]
    assert first.GetVolumePropertyNode() is second.GetVolumePropertyNode()
    assert all(view.GetLinkedControl() for view in screen.nodes())
    assert len({view.GetViewGroup() for view in screen.nodes()}) == 1
    ui.sideButton.click()
    assert not slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")
    assert screen.shows("CTSRAxial1", cubic)


def test_both_3d_views_look_from_the_same_place(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    ui.renderingButton.click()
    layouts = slicer.app.layoutManager()
    cameras = [
        layouts.threeDWidget(index).threeDView().cameraNode()
        for index in range(layouts.threeDViewCount)
        if layouts.threeDWidget(index).mrmlViewNode().GetLayoutName().startswith("CTSR3D")
    ]
    poses = [(camera.GetPosition(), camera.GetFocalPoint(), camera.GetViewUp()) for camera in cameras]
    assert len(poses) == 2
    assert poses[0] == poses[1]


def share(screen, view) -> float:
    """The part of the view that the volume fills, along the axis that it fills more: 1 when it just fits."""
    width, height, _depth = screen.node(view).GetDimensions()
    pixel = np.linalg.norm(screen.to_ras(view)[:3, 0])
    return max(34 * 1.5 / (pixel * width), 26 * 1.5 / (pixel * height))


def test_the_whole_volume_fits_into_views_of_every_layout(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    for button in ("sideButton", "allPlanesButton", "swipeButton", "axialButton"):
        getattr(ui, button).click()
        assert share(screen, "CTSRAxial1") == pytest.approx(1.0)


def test_a_zoom_is_kept_from_layout_to_layout_once_the_views_have_their_sizes(section, ui, ct, screen, wait_until):
    section.show(ct("cubic"), ct("sr", seed=1))
    wait_until(lambda: not section._comparison._placement._unsettled)
    node, logic = screen.node("CTSRAxial1"), screen.logic("CTSRAxial1")
    across, down, depth = node.GetFieldOfView()
    logic.StartSliceNodeInteraction(node.FieldOfViewFlag)
    node.SetFieldOfView(across / 3, down / 3, depth)
    logic.EndSliceNodeInteraction()
    ui.allPlanesButton.click()
    assert share(screen, "CTSRAxial1") == pytest.approx(3.0)
    assert share(screen, "CTSRAxial2") == pytest.approx(3.0, rel=0.02)
    wait_until(lambda: not section._comparison._placement._unsettled)
    ui.coronalButton.click()
    wait_until(lambda: not section._comparison._placement._unsettled)
    ui.axialButton.click()
    assert share(screen, "CTSRAxial1") == pytest.approx(3.0)


def test_swapping_the_volumes_keeps_the_place(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    screen.logic("CTSRAxial1").SetSliceOffset(-11.0)
    ui.swapButton.click()
    assert screen.node("CTSRAxial1").GetSliceOffset() == screen.node("CTSRAxial2").GetSliceOffset() == -11.0


def test_volumes_elsewhere_bring_the_views_to_themselves(section, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    far = screen.straight(origin=(12.0, 9.0, 500.0))
    other = ct("cubic of the head", matrix=far), ct("sr of the head", matrix=far, seed=1)
    section.show(*other)
    assert screen.shows("CTSRAxial1", other[0]) and screen.shows("CTSRAxial2", other[1])


def test_a_new_start_is_at_the_users_slice_and_not_where_the_last_one_was(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    slicer.util.setSliceViewerLayers(background=cubic, fit=True)
    section.show(cubic, sr)
    screen.logic("CTSRAxial1").SetSliceOffset(-11.0)
    ui.compareButton.click()
    screen.logic("Red").SetSliceOffset(-5.0)
    ui.compareButton.click()
    assert screen.node("CTSRAxial1").GetSliceOffset() == -5.0


def test_a_volume_added_later_is_shown_where_the_others_look(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    screen.node("CTSRAxial1").SetXYZOrigin(6.0, -5.0, 0.0)
    ui.thirdSelector.setCurrentNode(ct("scan", seed=2))
    assert screen.node("CTSRAxial3").GetXYZOrigin() == (6.0, -5.0, 0.0)
    assert np.allclose(screen.to_ras("CTSRAxial3"), screen.to_ras("CTSRAxial1"))


def test_another_volume_takes_the_window_and_interpolation_that_are_on_the_screen(section, ui, ct, screen):
    cubic, sr, scan = ct("cubic"), ct("sr", seed=1), ct("scan", seed=2)
    scan.GetDisplayNode().SetWindowLevel(300, 0)
    scan.GetDisplayNode().SetInterpolate(False)
    section.show(cubic, sr)
    slicer.util.findChildren(ui.windowButtons, text="Bone")[0].click()
    ui.firstSelector.setCurrentNode(scan)
    for display in (scan.GetDisplayNode(), sr.GetDisplayNode()):
        assert (display.GetWindow(), display.GetLevel(), display.GetInterpolate()) == (1800, 400, 1)
    assert cubic.GetDisplayNode().GetWindow() == 1600
    section.exit()
    assert (scan.GetDisplayNode().GetWindow(), scan.GetDisplayNode().GetInterpolate()) == (300, 0)
