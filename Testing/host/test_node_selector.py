"""qMRMLNodeComboBox."""

from __future__ import annotations

import pytest


@pytest.fixture
def selector(slicer):
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.noneEnabled = True
    return box


@pytest.fixture
def volumes(slicer):
    return [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in ("one", "two", "three")]


def test_it_lists_the_nodes_of_its_classes_that_are_not_hidden(slicer, selector, volumes):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "model")
    volumes[1].SetHideFromEditors(True)
    assert not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    names = [selector.nodeFromIndex(index).GetName() for index in range(selector.nodeCount())]
    assert names == ["one", "three", "labels"]
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 2
    volumes[1].SetHideFromEditors(False)
    assert selector.nodeCount() == 3


def test_choosing_tells_with_the_node_and_its_id(slicer, selector, volumes):
    selector.setMRMLScene(slicer.mrmlScene)
    nodes, there, identifiers = [], [], []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    selector.connect("currentNodeChanged(bool)", there.append)
    selector.connect("currentNodeIDChanged(QString)", identifiers.append)
    selector.setCurrentNode(volumes[1])
    selector.setCurrentNode(volumes[1])
    selector.setCurrentNode(None)
    assert nodes == [volumes[1], None]
    assert there == [True, False]
    assert identifiers == [volumes[1].GetID(), ""]


def test_without_none_the_first_is_chosen_with_the_scene(slicer, selector, volumes):
    selector.noneEnabled = False
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is volumes[0]


def test_a_node_asked_for_before_the_scene_is_chosen_with_it(slicer, selector, volumes):
    selector.setCurrentNode(volumes[2])
    assert selector.currentNode() is None
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is volumes[2]


def test_deleting_the_chosen_node_chooses_the_next(slicer, selector, volumes):
    selector.setMRMLScene(slicer.mrmlScene)
    selector.setCurrentNode(volumes[1])
    slicer.mrmlScene.RemoveNode(volumes[1])
    assert selector.currentNode() is volumes[2]
    slicer.mrmlScene.RemoveNode(volumes[2])
    slicer.mrmlScene.RemoveNode(volumes[0])
    assert selector.currentNode() is None


def test_closing_the_scene_leaves_nothing_chosen(slicer, selector, volumes):
    selector.setMRMLScene(slicer.mrmlScene)
    selector.setCurrentNode(volumes[1])
    slicer.mrmlScene.Clear(0)
    assert selector.currentNode() is None
    assert selector.nodeCount() == 0


@pytest.mark.parametrize(("none", "actions"), [(True, False), (True, True), (False, True)])
def test_importing_a_scene_beside_this_one_loses_the_choice_and_says_so(
    slicer, selector, volumes, import_more, none, actions
):
    selector.noneEnabled, selector.addEnabled, selector.removeEnabled = none, actions, actions
    selector.setMRMLScene(slicer.mrmlScene)
    selector.setCurrentNode(volumes[1])
    told = []
    selector.connect(
        "currentNodeChanged(vtkMRMLNode*)", lambda node: told.append((node, slicer.mrmlScene.IsImporting()))
    )
    import_more()
    assert told == [(None, False)]
    assert selector.currentNode() is None and selector.nodeCount() == 3


def test_importing_a_scene_makes_a_selector_with_nothing_but_nodes_take_the_first(
    slicer, selector, volumes, import_more
):
    selector.noneEnabled = selector.addEnabled = selector.removeEnabled = False
    selector.setMRMLScene(slicer.mrmlScene)
    selector.setCurrentNode(volumes[1])
    import_more()
    assert selector.currentNode() is volumes[0]


def test_a_node_made_here_has_the_base_name_and_is_chosen(slicer, selector):
    selector.setMRMLScene(slicer.mrmlScene)
    selector.baseName = "Region"
    made = []
    selector.connect("nodeAddedByUser(vtkMRMLNode*)", made.append)
    node = selector.addNode()
    assert node.GetName() == "Region"
    assert selector.currentNode() is node
    assert made == [node]


def test_a_selector_that_is_gone_does_not_watch_the_scene(slicer, selector):
    selector.setMRMLScene(slicer.mrmlScene)
    selector.delete()
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
