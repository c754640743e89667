"""The difference volume: second minus first."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import slicer
import vtk
from CTSuperResolutionPanel.compare import difference as module
from CTSuperResolutionPanel.compare.colors import diverging_colors
from CTSuperResolutionPanel.compare.difference import Difference
from scipy.ndimage import map_coordinates


def computed(first, second) -> np.ndarray:
    difference = Difference(first, second)
    difference.run()
    return difference.values


def resampled(volume, to_world, grid_shape, grid_to_world) -> np.ndarray:
    """A volume at the voxels of a grid, trilinear, NaN outside: the reference."""
    index = np.indices(grid_shape).reshape(3, -1)[::-1]
    index = np.vstack([index, np.ones(index.shape[1])])
    there = (np.linalg.inv(to_world) @ grid_to_world @ index)[2::-1]
    values = slicer.util.arrayFromVolume(volume).astype(float)
    sampled = map_coordinates(values, there, order=1, mode="nearest")
    outside = np.any((there < 0) | (there > np.array(values.shape)[:, None] - 1), axis=0)
    sampled[outside] = np.nan
    return sampled.reshape(grid_shape)


def test_it_is_positive_where_the_second_is_brighter(ct, screen):
    first, second = ct("cubic", seed=1), ct("sr", seed=2)
    values = computed(first, second)
    arrays = [slicer.util.arrayFromVolume(volume).astype(int) for volume in (first, second)]
    assert values.dtype == np.int16
    assert np.array_equal(values, arrays[1] - arrays[0])


def test_it_does_not_wrap_around_at_the_ends_of_int16(ct):
    low, high = np.full((8, 8, 8), -32768, np.int16), np.full((8, 8, 8), 32767, np.int16)
    assert np.all(computed(ct("low", low), ct("high", high)) == 32767)
    assert np.all(computed(ct("high", high), ct("low", low)) == -32768)


def test_fractions_of_hu_are_kept_when_one_volume_has_them(ct):
    first = ct("whole", np.zeros((8, 9, 10), np.int16))
    second = ct("fractions", np.full((8, 9, 10), 0.25, np.float32))
    assert np.all(computed(first, second) == np.float32(0.25))


@pytest.mark.parametrize("finer_first", [False, True])
def test_a_coarse_scan_is_resampled_on_the_finer_grid(ct, screen, finer_first):
    coarse_matrix = screen.oblique()
    fine_matrix = coarse_matrix @ np.array([[0.5, 0, 0, 3.25], [0, 0.5, 0, 2.25], [0, 0, 0.5, 1.25], [0, 0, 0, 1]])
    coarse, fine = ct("scan", matrix=coarse_matrix), ct("sr", shape=(24, 32, 40), matrix=fine_matrix, seed=2)
    pair = (fine, coarse) if finer_first else (coarse, fine)
    values = computed(*pair)
    expected = slicer.util.arrayFromVolume(fine) - resampled(coarse, coarse_matrix, (24, 32, 40), fine_matrix)
    assert np.abs(values - (-expected if finer_first else expected)).max() <= 0.52


def test_voxels_that_the_other_volume_does_not_cover_are_zero(ct, screen):
    matrix = screen.straight()
    moved = matrix @ np.array([[1, 0, 0, 20.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    first, second = ct("part", shape=(18, 26, 20), matrix=moved), ct("whole", matrix=matrix, seed=3)
    values = computed(first, second)
    assert np.all(values[:, :, :19] == 0)
    first_array, second_array = (slicer.util.arrayFromVolume(volume).astype(int) for volume in (first, second))
    assert np.abs(values[:, :, 20:] - (second_array[:, :, 20:] - first_array[:, :, :14])).max() <= 1


def test_volumes_under_different_transforms_are_compared_where_they_lie(ct, screen):
    matrix = screen.straight()
    shift = np.eye(4)
    shift[:3, 3] = [3.1, -2.4, 1.3]
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(transform, shift)
    first, second = ct("scan", seed=1), ct("moved", seed=2, shape=(20, 26, 34))
    second.SetAndObserveTransformNodeID(transform.GetID())
    values = computed(first, second)
    expected = slicer.util.arrayFromVolume(second) - resampled(first, matrix, (20, 26, 34), shift @ matrix)
    inside = np.isfinite(expected)
    assert inside.sum() > 5000
    assert np.abs((values - expected)[inside]).max() <= 0.52


def test_a_volume_under_a_non_linear_transform_is_compared_where_it_lies(ct, screen):
    """A displacement field of one constant vector is a shift, which has a plain reference."""
    shift = np.array([1.5, -3.0, 2.0])
    grid = vtk.vtkImageData()
    grid.SetDimensions(4, 4, 4)
    grid.SetOrigin(-200, -200, -200)
    grid.SetSpacing(140, 140, 140)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for component in range(3):
        grid.GetPointData().GetScalars().FillComponent(component, shift[component])
    field = slicer.vtkOrientedGridTransform()
    field.SetDisplacementGridData(grid)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    transform.SetAndObserveTransformToParent(field)
    moved = np.eye(4)
    moved[:3, 3] = shift
    first, second = ct("scan", seed=1), ct("warped", seed=2, shape=(20, 26, 34))
    second.SetAndObserveTransformNodeID(transform.GetID())
    values = computed(first, second)
    matrix = screen.straight()
    expected = slicer.util.arrayFromVolume(second) - resampled(first, matrix, (20, 26, 34), moved @ matrix)
    inside = np.isfinite(expected)
    assert inside.sum() > 5000
    assert np.abs((values - expected)[inside]).max() <= 0.6


def test_it_is_computed_in_pieces_of_bounded_size(ct, monkeypatch):
    monkeypatch.setattr(module, "STEP_VOXELS", 2000)
    first, second = ct("cubic", seed=1), ct("sr", seed=2)
    work = Difference(first, second)
    parts = list(work.steps())
    assert parts == pytest.approx([2 / 18 * n for n in range(1, 10)])
    whole = slicer.util.arrayFromVolume(second) - slicer.util.arrayFromVolume(first)
    assert np.array_equal(work.values, whole)


@pytest.mark.parametrize(("largest", "limit"), [(3, 10), (17, 20), (70, 100), (130, 200), (900, 1000)])
def test_the_range_of_colours_is_a_round_number(ct, largest, limit):
    values = np.linspace(-largest, largest, 8000).round().astype(np.int16).reshape(20, 20, 20)
    work = Difference(ct("zero", np.zeros_like(values)), ct("change", values))
    work.run()
    assert work.usual_range() == limit


def test_colours_are_dark_at_zero_and_of_different_hue_on_both_sides():
    colors = diverging_colors(np.array([-1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0]))
    lightness = colors.sum(axis=1)
    assert np.all(np.diff(lightness[:4]) < 0) and np.all(np.diff(lightness[3:]) > 0)
    assert np.all(colors[:3, 2] > colors[:3, 0]) and np.all(colors[4:, 0] > colors[4:, 2])


def test_asking_for_it_adds_a_view_with_a_legend(section, ui, ct, screen, wait_until):
    cubic, sr = ct("cubic", seed=1), ct("sr", seed=2)
    section.show(cubic, sr)
    ui.differenceButton.click()
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2", "CTSRAxial2-1"]
    wait_until(lambda: screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    node = slicer.mrmlScene.GetNodeByID(screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    assert node.GetName() == "sr minus cubic"
    assert np.array_equal(
        slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(sr) - slicer.util.arrayFromVolume(cubic)
    )
    display = node.GetDisplayNode()
    assert display.GetLevel() == 0 and display.GetWindow() == 2 * ui.rangeSpinBox.value
    assert ui.legend.visible and ui.legendHigh.text == f"+{ui.rangeSpinBox.value} HU"
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(node)
    in_views = {name: legend.IsDisplayableInView(screen.node(name).GetID()) for name in ("Red", *screen.names())}
    assert in_views == {"Red": False, "CTSRAxial1": False, "CTSRAxial2": False, "CTSRAxial2-1": True}
    ui.coronalButton.click()
    (legend,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    assert legend.GetViewNodeIDs() == (screen.node("CTSRCoronal2-1").GetID(),)
    ui.rangeSpinBox.value = 321
    assert display.GetWindow() == 642 and display.GetLevel() == 0
    assert (cubic.GetDisplayNode().GetWindow(), sr.GetDisplayNode().GetWindow()) == (1600, 1600)


def test_it_is_not_computed_twice_and_is_computed_again_when_a_volume_changed(section, ui, ct, screen, wait_until):
    cubic, sr = ct("cubic", seed=1), ct("sr", seed=2)
    section.show(cubic, sr)
    ui.differenceButton.click()
    wait_until(lambda: screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    node = slicer.mrmlScene.GetNodeByID(screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    image = node.GetImageData()
    ui.coronalButton.click()
    assert screen.layers("CTSRCoronal2-1").GetBackgroundVolumeID() == node.GetID()
    assert node.GetImageData() is image
    slicer.util.updateVolumeFromArray(sr, slicer.util.arrayFromVolume(sr) + 7)
    ui.axialButton.click()
    wait_until(lambda: node.GetImageData() is not image)
    assert np.array_equal(
        slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(sr) - slicer.util.arrayFromVolume(cubic)
    )
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 3


def test_what_it_was_computed_with_is_let_go(section, ui, ct, screen, wait_until):
    section.show(ct("cubic", seed=1), ct("sr", seed=2))
    ui.differenceButton.click()
    wait_until(lambda: screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Difference)]


def test_deleting_it_leaves_the_comparison_on(section, ui, ct, screen, wait_until):
    cubic, sr = ct("cubic", seed=1), ct("sr", seed=2)
    section.show(cubic, sr)
    ui.differenceButton.click()
    wait_until(lambda: screen.layers("CTSRAxial2-1").GetBackgroundVolumeID())
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("sr minus cubic"))
    slicer.app.processEvents()
    assert screen.names() == ["CTSRAxial1", "CTSRAxial2"]
    assert not ui.differenceButton.checked
    assert screen.shows("CTSRAxial1", cubic)


def test_swapping_the_volumes_turns_its_sign(section, ui, ct, screen, wait_until):
    cubic, sr = ct("cubic", seed=1), ct("sr", seed=2)
    section.show(cubic, sr)
    ui.differenceButton.click()
    wait_until(lambda: slicer.mrmlScene.GetFirstNodeByName("sr minus cubic"))
    ui.swapButton.click()
    wait_until(lambda: slicer.mrmlScene.GetFirstNodeByName("cubic minus sr"))
    arrays = [slicer.util.arrayFromVolume(slicer.util.getNode(name)) for name in ("sr minus cubic", "cubic minus sr")]
    assert np.array_equal(arrays[0], -arrays[1])
    assert screen.shows("CTSRAxial1", sr)
