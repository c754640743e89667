"""The scene and its logics."""

from __future__ import annotations

import numpy as np
import pytest


def turned():
    """Columns and rows run to the negative, as in a scan, turned by 20 degrees."""
    c, s = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([-1.0, -1.0, 1.0])


@pytest.fixture
def ct(slicer):
    matrix = np.eye(4)
    matrix[:3, 3] = [10, 20, -30]
    matrix[:3, :3] = turned() @ np.diag([0.7, 0.7, 2.5])
    values = np.random.default_rng(1).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)
    return slicer.util.addVolumeFromArray(values, ijkToRAS=matrix, name="CT")


def test_a_missing_file_raises(slicer):
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadScene("/nowhere/scene.mrml")


def test_volumes_are_in_the_subject_hierarchy_and_leave_it(slicer, ct):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(ct)
    assert hierarchy.GetItemName(item) == "CT"
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.SetItemParent(item, study)
    slicer.mrmlScene.RemoveNode(ct)
    assert hierarchy.GetItemByDataNode(ct) == hierarchy.GetInvalidItemID()


def hierarchy_of(slicer) -> list:
    import vtk

    hierarchy, items = slicer.mrmlScene.GetSubjectHierarchyNode(), vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    return [hierarchy.GetItemName(items.GetId(index)) for index in range(items.GetNumberOfIds())]


@pytest.mark.parametrize("clear", [True, False])
def test_a_loaded_scene_has_each_volume_once_in_the_subject_hierarchy(slicer, ct, tmp_path, clear):
    """And the names of those that were not saved."""
    other = slicer.util.addVolumeFromArray(np.zeros((3, 3, 3), np.int16), name="Other")
    other.SetSaveWithScene(False)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {"clear": clear})
    assert sorted(hierarchy_of(slicer)) == ["CT", "Other"]
    assert slicer.mrmlScene.GetFirstNodeByName("Other") is None


@pytest.mark.parametrize(
    "name, kind",
    [
        ("volumes", "vtkSlicerVolumesLogic"),
        ("markups", "vtkSlicerMarkupsLogic"),
        ("volumerendering", "vtkSlicerVolumeRenderingLogic"),
        ("cropvolume", "vtkSlicerCropVolumeLogic"),
        ("colors", "vtkSlicerColorLogic"),
    ],
)
def test_modules_have_their_real_logics(slicer, name, kind):
    assert getattr(slicer.modules, name).logic().GetClassName() == kind


def test_volume_rendering_makes_its_display(slicer, ct):
    display = slicer.modules.volumerendering.logic().CreateDefaultVolumeRenderingNodes(ct)
    assert display.GetVolumeNodeID() == ct.GetID()
    assert display.GetVolumePropertyNode() is not None


def test_a_region_is_fitted_to_a_volume(slicer, ct):
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    parameters = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCropVolumeParametersNode")
    parameters.SetInputVolumeNodeID(ct.GetID())
    parameters.SetROINodeID(roi.GetID())
    slicer.modules.cropvolume.logic().FitROIToInputVolume(parameters)
    assert min(roi.GetSize()) > 1


def test_there_are_crosshair_selection_and_interaction(slicer):
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode") is not None
    logic = slicer.app.applicationLogic()
    assert logic.GetSelectionNode() is not None
    assert logic.GetInteractionNode() is not None
    assert slicer.util.getNode("vtkMRMLColorTableNodeGrey") is not None


def test_a_closed_scene_keeps_the_views(slicer, ct):
    slicer.mrmlScene.Clear(0)
    assert set(slicer.app.layoutManager().sliceViewNames()) >= {"Red", "Green", "Yellow"}
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode") is not None
