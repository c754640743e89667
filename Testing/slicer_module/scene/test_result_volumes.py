"""Result volumes lie where their scan does: turned, mirrored, anisotropic, transformed, or in part; and regions do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import vtk
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.scene import region_of_interest, result_volumes, voxel_geometry

from CTSuperResolutionLib.job.method import Method

# Indices (x, y, z) to RAS of a turned scan with voxels of 0.7 x 0.7 x 5 mm.
OBLIQUE = np.array([
    [-0.6 * 0.7, 0.8 * 0.64 * 0.7, 0.8 * 0.768375 * 5.0, 12.5],
    [-0.8 * 0.7, -0.6 * 0.64 * 0.7, -0.6 * 0.768375 * 5.0, -40.25],
    [0.0, -0.768375 * 0.7, 0.64 * 5.0, 7 / 3],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
MIRRORED = OBLIQUE @ np.diag([-1.0, 1.0, 1.0, 1.0])


@pytest.fixture
def moved(slicer):
    """moved(node): puts a volume under a turned, scaled and shifted linear transform, itself under another one."""

    def move(node, scaled=True):
        inner, outer = (slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in range(2))
        turn = vtk.vtkTransform()
        turn.Translate(10, -20, 30)
        turn.RotateWXYZ(37, 1, 2, 3)
        inner.SetMatrixTransformToParent(turn.GetMatrix())
        shift = vtk.vtkTransform()
        shift.Translate(-3, 4, 500)
        if scaled:
            shift.Scale(1.0, 1.1, 0.9)
        outer.SetMatrixTransformToParent(shift.GetMatrix())
        inner.SetAndObserveTransformNodeID(outer.GetID())
        node.SetAndObserveTransformNodeID(inner.GetID())

    return move


def world(node, index) -> np.ndarray:
    """Where Slicer itself puts a voxel index (x, y, z), transforms included."""
    local = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(local)
    point = [*local.MultiplyPoint([*index, 1.0])[:3]]
    if node.GetParentTransformNode() is not None:
        transform = vtk.vtkGeneralTransform()
        node.GetParentTransformNode().GetTransformToWorld(transform)
        point = transform.TransformPoint(point)
    return np.array(point)


CASES = {
    "plain": (None, False, (2, 2, 2)),
    "oblique": (OBLIQUE, False, (4, 1, 1)),
    "oblique, transformed": (OBLIQUE, True, (2, 2, 2)),
    "mirrored": (MIRRORED, False, (2, 2, 2)),
    "mirrored, transformed": (MIRRORED, True, (4, 1, 1)),
}


@pytest.mark.parametrize("case", CASES)
def test_landmarks_lie_where_they_are_in_the_scan(panel, make_scan, child, finish, moved, slicer, state, case):
    """A landmark half-way between voxels of the scan has another index in the result, and the same place in space."""
    matrix, transformed, factors = CASES[case]
    scan = make_scan(matrix=matrix)
    if transformed:
        moved(scan)
    child("does well")
    scale = ",".join(map(str, factors))
    part = ((1, 10), (2, 12), (3, 14))
    panel.logic.runner.start(PanelTask(scan.GetID(), "Scan", part, Method(scale, "preview"), allow_unusual=True))
    finish()
    assert panel.logic.runner.message.startswith("Done in ")
    sr = slicer.util.getNode("Scan SR*")
    start = np.array([first for first, _ in part])
    for index in itertools.product((1.0, 5.5, 9.0), (2.0, 7.25), (3.0, 13.0)):
        fine = (np.array(index) - start + 0.5) * factors - 0.5
        assert np.linalg.norm(world(scan, index[::-1]) - world(sr, fine[::-1])) < 0.01
    corner = np.array(slicer.util.arrayFromVolume(scan))[1:10, 2:12, 3:14]
    assert np.array_equal(slicer.util.arrayFromVolume(sr)[:: factors[0], :: factors[1], :: factors[2]], corner)


@pytest.mark.parametrize("part", [((0, 14), (0, 12), (0, 16)), ((1, 10), (2, 12), (3, 14))], ids=["whole", "part"])
def test_a_spacing_that_does_not_divide_the_scans_puts_a_part_where_the_whole_has_it(
    panel, make_scan, child, finish, slicer, state, part
):
    scan = make_scan(matrix=OBLIQUE, shape=(14, 12, 16))
    child("does well")
    method = Method(spacing=0.78, preset="preview")
    panel.logic.runner.start(PanelTask(scan.GetID(), "Scan", part, method, allow_unusual=True))
    finish()
    assert panel.logic.runner.message.startswith("Done in ")
    sr = slicer.util.getNode("Scan SR*")
    assert sr.GetSpacing() == pytest.approx((0.7, 0.7, 0.78))
    size = sr.GetImageData().GetDimensions()
    assert size[:2] == (part[2][1] - part[2][0], part[1][1] - part[1][0])
    slices = [world(sr, (0, 0, k)) for k in range(size[2])]
    # 89 slices of 0.78 mm fit over 70 mm, with one middle: each lies a whole number of them from it.
    middle = world(scan, (part[2][0], part[1][0], 6.5))
    normal = (world(scan, (0, 0, 1)) - world(scan, (0, 0, 0))) / 5
    places = [float(normal @ (place - middle)) for place in slices]
    steps = np.array(places) / 0.78
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert np.allclose([np.linalg.norm(s - middle) for s in slices], np.abs(places), atol=1e-3)
    low, high = (5 * (end - 7) for end in part[0])
    assert low - 1e-3 <= places[0] - 0.39 < low + 0.78 and high - 0.78 < places[-1] + 0.39 <= high + 1e-3


@pytest.mark.parametrize("preview", [False, True])
def test_what_was_measured_and_the_error_come_with_a_result_and_not_with_a_try(
    panel, make_scan, child, finish, slicer, state, preview
):
    scan = make_scan()
    child("writes what was measured")
    part = ((0, 10), (0, 12), (0, 14))
    panel.logic.runner.start(
        PanelTask(scan.GetID(), "Scan", part, Method("2", "preview"), preview=preview, allow_unusual=True)
    )
    finish()
    (sr,) = [node for name, node in slicer.util.getNodes("Scan *SR*").items()]
    found = result_volumes.measured_of(sr)
    if preview:
        assert found is None and not slicer.util.getNodes("*measured*") and not slicer.util.getNodes("*error*")
        return
    assert found.GetName() == "Scan measured 2×" and found.GetImageData().GetDimensions() == (28, 24, 20)
    assert np.array_equal(
        slicer.util.arrayFromVTKMatrix(ijk_to_ras(found)), slicer.util.arrayFromVTKMatrix(ijk_to_ras(sr))
    )
    assert result_volumes.role_of(found) == "measured"
    error = slicer.util.getNode("Scan error ± 2×")
    assert result_volumes.error_of(sr) is error
    assert result_volumes.role_of(error) == "error" and error.GetImageData().GetDimensions() == (28, 24, 20)
    assert (error.GetDisplayNode().GetWindow(), error.GetDisplayNode().GetLevel()) == (200, 100)


def ijk_to_ras(node) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


@pytest.fixture
def moves_meanwhile(panel, make_scan, child, finish, wait_until, moved, monkeypatch):
    """moves_meanwhile(change): a job in whose course the scan is changed so; gives the scan."""
    from CTSuperResolutionPanel.scene import result_volumes

    def run(change):
        scan = make_scan(matrix=OBLIQUE)
        moved(scan)
        load = result_volumes.load

        def change_and_load(*arguments):
            change(scan)
            return load(*arguments)

        monkeypatch.setattr(result_volumes, "load", change_and_load)
        child("does well")
        part = ((1, 10), (2, 12), (3, 14))
        panel.logic.runner.start(PanelTask(scan.GetID(), "Scan", part, Method("2", "preview"), allow_unusual=True))
        finish()
        return scan

    return run


MOVES = {
    "its transform is hardened": lambda scan: scan.HardenTransform(),
    "its transform is taken away": lambda scan: scan.SetAndObserveTransformNodeID(None),
    "its origin is set": lambda scan: scan.SetOrigin(50, 60, 70),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_scan_that_is_moved_during_a_job_has_its_result_with_it(panel, moves_meanwhile, slicer, move):
    scan = moves_meanwhile(MOVES[move])
    assert panel.logic.runner.message.startswith("Done in ")
    sr = slicer.util.getNode("Scan SR*")
    for index in itertools.product((1.0, 9.0), (2.0, 7.25), (3.0, 13.0)):
        fine = (np.array(index) - (1, 2, 3) + 0.5) * 2 - 0.5
        assert np.linalg.norm(world(scan, index[::-1]) - world(sr, fine[::-1])) < 0.01


def test_a_scan_that_is_cropped_during_a_job_has_its_result_where_it_was(panel, moves_meanwhile, slicer):
    places = []

    def crop(scan):
        places.append([world(scan, index) for index in ((3, 2, 1), (13, 11, 9))])
        slicer.util.updateVolumeFromArray(scan, np.zeros((8, 8, 8), np.int16))
        scan.SetOrigin(0, 0, 0)

    moves_meanwhile(crop)
    assert "other voxels now" in panel.logic.runner.message
    sr = slicer.util.getNode("Scan SR*")
    for place, fine in zip(places[0], ((0.5, 0.5, 0.5), (20.5, 18.5, 16.5)), strict=True):
        assert np.linalg.norm(place - world(sr, fine)) < 0.01


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("matrix", [None, OBLIQUE, MIRRORED], ids=["plain", "oblique", "mirrored"])
def test_a_new_box_holds_exactly_the_whole_scan(slicer, make_scan, moved, matrix, scaled):
    scan = make_scan(matrix=matrix)
    moved(scan, scaled)
    box = region_of_interest.add(scan)
    assert region_of_interest.ranges(box, scan) == region_of_interest.whole(scan)
    spacing = np.array(voxel_geometry.spacing(voxel_geometry.ijk_to_ras(scan)))[::-1]
    box.SetSize(box.GetSize() - 1.2 * spacing)
    assert region_of_interest.ranges(box, scan) == ((1, 9), (1, 11), (1, 13))
    box.SetSize(box.GetSize() + 1.2 * spacing)
    if scaled:  # then Slicer draws it only nearly so
        return
    # Its corners are the outer corners of the corner voxels, as Slicer sees the box.
    corners = [world(scan, index) for index in itertools.product((-0.5, 13.5), (-0.5, 11.5), (-0.5, 9.5))]
    half = np.array(box.GetSize()) / 2
    frame = slicer.util.arrayFromVTKMatrix(box.GetObjectToWorldMatrix())
    for point in corners:
        local = (np.linalg.inv(frame) @ [*point, 1.0])[:3]
        np.testing.assert_allclose(abs(local), half, atol=1e-3)


def test_a_smaller_box_covers_the_voxels_whose_centres_are_inside(slicer, make_scan):
    scan = make_scan(matrix=OBLIQUE)
    box = region_of_interest.add(scan)
    spacing = np.array(voxel_geometry.spacing(OBLIQUE))[::-1]
    box.SetSize(spacing * [4.2, 6.0, 2.9])  # around the middle, at index (6.5, 5.5, 4.5)
    (z, y, x) = region_of_interest.ranges(box, scan)
    assert (x, y, z) == ((5, 9), (3, 9), (4, 6))


def test_a_box_of_another_frame_still_covers_what_it_shows(slicer, make_scan, moved):
    scan = make_scan()  # 1 mm voxels along RAS
    box = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    box.SetCenter([6.0, 5.0, 4.0])
    box.SetSize([4.0, 2.0, 6.0])
    assert region_of_interest.ranges(box, scan) == ((1, 8), (4, 7), (4, 9))
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, -2.0)
    shift.SetMatrixTransformToParent(matrix)
    scan.SetAndObserveTransformNodeID(shift.GetID())
    assert region_of_interest.ranges(box, scan) == ((1, 8), (4, 7), (6, 11))
    box.SetCenter([600.0, 5.0, 4.0])
    assert region_of_interest.ranges(box, scan) is None


@pytest.mark.parametrize("point_index", [(6.0, 5.0, 4.0), (-0.4, -0.4, -0.4), (13.4, 11.4, 9.4)])
def test_a_try_is_a_cube_around_the_point_inside_the_scan(slicer, make_scan, moved, point_index):
    scan = make_scan(shape=(10, 12, 14), matrix=OBLIQUE)
    moved(scan)
    found = region_of_interest.around(world(scan, point_index), scan, side_mm=7.0)
    assert [stop - start for start, stop in found] == [8, 10, 10]  # 7 mm of 5, 0.7 and 0.7 mm, and 8 at least
    for (start, stop), i, n in zip(found, point_index[::-1], (10, 12, 14), strict=True):
        assert 0 <= start <= max(i, 0) and min(i, n - 1) <= stop - 1 < n


def test_a_point_outside_gives_no_cube(slicer, make_scan):
    assert region_of_interest.around((0, 0, 500.0), make_scan(), side_mm=7.0) is None
