"""Tilted scans: Slicer's own acquisition transform on them, and their straightening, against the library's reading."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from CTSuperResolutionPanel.scene import nrrd, voxel_geometry

from CTSuperResolutionLib.volume.reading import read_volume

TILT = np.array([[1.0, 0.0, 0.0, -20.0], [0.0, 1.0, 0.8, 10.0], [0.0, 0.0, 3.0, 5.0], [0.0, 0.0, 0.0, 1.0]])
"""Slices 3 mm apart, each 0.8 mm farther along y: a tilt of 14.9 degrees."""

UPRIGHT = np.diag([1.0, 1.0, 3.0, 1.0])


@pytest.fixture
def bend(slicer):
    """bend(scan, shift): a grid transform on the scan that moves voxel (x, y, z) by shift(z) mm in RAS, as Slicer's
    DICOM import makes one, of two by two points in each slice.
    """

    def put(scan, shift):
        slices, rows, columns = voxel_geometry.shape(scan)
        field = vtk.vtkImageData()
        field.SetDimensions(2, 2, slices)
        field.SetOrigin(0, 0, 0)
        field.SetSpacing(columns - 1, rows - 1, 3.0)
        field.AllocateScalars(vtk.VTK_DOUBLE, 3)
        for index in np.ndindex(2, 2, slices):
            for component, value in enumerate(shift(index)):
                field.SetScalarComponentFromDouble(*index, component, value)
        transform = slicer.vtkOrientedGridTransform()
        transform.SetDisplacementGridData(field)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Acquisition transform")
        node.SetAndObserveTransformToParent(transform)
        scan.SetAndObserveTransformNodeID(node.GetID())
        return node

    return put


@pytest.fixture
def panel_says(panel, state):
    """panel_says(scan): what the panel says against a scan."""
    panel.logic.hardware.machine = {"gpus": [], "notes": []}

    def look(scan):
        state.inputVolume, state.scale = scan, "2"
        panel.panel.refresh()
        return panel.ui.problemLabel.text if panel.ui.problemLabel.visible else ""

    return look


def test_an_acquisition_transform_of_a_micrometre_is_no_obstacle(panel, make_scan, bend, panel_says, child, finish):
    scan = make_scan(matrix=UPRIGHT)
    bend(scan, lambda index: (0.001 * (index[2] % 2), 0.002, 0.0))
    assert panel_says(scan) == "" and panel.ui.applyButton.enabled
    assert np.array_equal(voxel_geometry.ras_to_world(scan), np.eye(4))
    child("does well")
    panel.ui.applyButton.click()
    finish()
    assert panel.logic.getParameterNode().srVolume.GetTransformNodeID() == scan.GetTransformNodeID()


def test_a_transform_that_bends_is_still_refused(make_scan, bend, panel_says, panel):
    scan = make_scan(matrix=UPRIGHT)
    bend(scan, lambda index: (0.5 * (index[2] % 2), 0.0, 0.0))
    assert "non-linear transform" in panel_says(scan)
    assert not panel.ui.straightenButton.visible and not panel.ui.applyButton.enabled


@pytest.mark.parametrize("by", ["its own axes", "an acquisition transform"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_tilted_scan_is_straightened_as_the_library_untilts_it(
    panel, state, make_scan, bend, panel_says, wait_until, tmp_path, by, dtype
):
    if by == "its own axes":
        scan = make_scan(matrix=TILT, dtype=dtype)
    else:
        scan = make_scan(matrix=UPRIGHT, dtype=dtype)
        bend(scan, lambda index: (0.0, 0.8 * index[2], 0.0))
    scan.SetAttribute("DICOM.instanceUIDs", "1 2 3")
    said = panel_says(scan)
    assert "tilted by 14.9 degrees" in said and "Straighten" in said and "emove" not in said
    assert panel.ui.straightenButton.visible and not panel.ui.applyButton.enabled
    panel.ui.straightenButton.click()
    wait_until(lambda: state.inputVolume is not scan)
    panel.panel.refresh()
    straight = state.inputVolume
    assert straight.GetName() == "Scan straightened" and straight.GetAttribute("DICOM.instanceUIDs") == "1 2 3"
    assert straight.GetDisplayNode().GetWindow() == 1500
    assert panel.ui.applyButton.enabled and not panel.ui.straightenButton.visible

    import slicer

    array = slicer.util.arrayFromVolume(scan)
    matrix = voxel_geometry.LPS @ voxel_geometry.stated_grid(scan)
    list(nrrd.write(tmp_path / "tilted.nrrd", array, matrix))
    expected = read_volume(tmp_path / "tilted.nrrd", untilt=True)
    found = slicer.util.arrayFromVolume(straight)
    assert found.shape == expected.shape and found.dtype == dtype
    assert np.array_equal(found == -2000, ~expected.valid)
    tolerance = 0.5 if dtype == np.int16 else 1e-3
    assert np.abs(found - expected.array)[expected.valid].max() <= tolerance + 1e-3
    place = voxel_geometry.LPS @ voxel_geometry.ijk_to_ras(straight)
    for index in ((0, 0, 0), (9, 3, 7)):
        expected_place = expected.point(index)
        assert np.allclose(voxel_geometry.apply(place, [index[::-1]])[0], expected_place, atol=1e-6)


def test_a_scan_that_is_bent_more_than_a_tilt_is_not_offered_to_be_straightened(make_scan, panel_says, panel):
    steep = TILT.copy()
    steep[1, 2] = 5.0
    assert "right angles" in panel_says(make_scan(matrix=steep))
    assert not panel.ui.straightenButton.visible
