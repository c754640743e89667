"""Classes made with @parameterNodeWrapper."""

from __future__ import annotations

import enum
import gc
import weakref
from typing import Annotated

import ctk
import pytest
import qt
from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
from slicer_host.errors import NotBuiltInHost


@parameterNodeWrapper
class State:
    scan: vtkMRMLScalarVolumeNode
    factor: Annotated[int, WithinRange(1, 8)] = 4
    seed: int
    name: str = "SR"
    fast: bool


class StateLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return State(super().getParameterNode())


@pytest.fixture
def state(slicer):
    return StateLogic().getParameterNode()


@pytest.fixture
def volume(slicer):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")


def test_members_begin_with_their_defaults(state):
    assert state.scan is None
    assert (state.factor, state.seed, state.name, state.fast) == (4, 0, "SR", False)


def test_what_another_wrapper_writes_is_read_at_the_nodes_modified_event(state, slicer, volume):
    other = StateLogic().getParameterNode()
    was = state.StartModify()
    state.factor, state.scan = 8, volume
    assert (other.factor, other.scan) == (4, None)
    state.EndModify(was)
    assert (other.factor, other.scan) == (8, volume)


def test_two_wrappers_of_a_node_see_the_same(state, slicer, volume):
    other = StateLogic().getParameterNode()
    state.factor, state.scan = 8, volume
    assert (other.factor, other.scan) == (8, volume)


def fill(state, volume):
    state.scan, state.factor, state.seed, state.name, state.fast = volume, 2, 7, "fine", True


@pytest.mark.parametrize("ending", ["mrml", "mrb"])
def test_a_scene_saved_and_loaded_brings_everything_back(state, slicer, volume, tmp_path, ending):
    fill(state, volume)
    path = str(tmp_path / f"scene.{ending}")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    fresh = StateLogic().getParameterNode()
    assert (fresh.scan, fresh.factor) == (None, 4)
    slicer.util.loadScene(path)
    back = StateLogic().getParameterNode()
    assert back.scan.GetName() == "CT"
    assert (back.factor, back.seed, back.name, back.fast) == (2, 7, "fine", True)


@pytest.mark.parametrize("ending", ["mrml", "mrb"])
def test_a_wrapper_made_before_a_scene_is_loaded_keeps_its_old_values(state, slicer, volume, tmp_path, ending):
    """Loading writes over the node without an event, and what it refers to is right only at the end of the import."""
    fill(state, volume)
    path, seen = str(tmp_path / f"scene.{ending}"), []
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    old = StateLogic().getParameterNode()

    def note(scene, event):
        node = slicer.mrmlScene.GetSingletonNode("State", "vtkMRMLScriptedModuleNode")
        seen.append((event, node is not None and node.GetNodeReference("scan") is not None))

    scene = slicer.mrmlScene
    tags = [scene.AddObserver(event, note) for event in (scene.StartImportEvent, scene.EndImportEvent)]
    slicer.util.loadScene(path)
    for tag in tags:
        scene.RemoveObserver(tag)
    assert [there for _event, there in seen] == [False, True]
    assert (old.scan, old.factor, old.name) == (None, 4, "SR")
    new = StateLogic().getParameterNode()
    assert (new.scan.GetName(), new.factor, new.name) == ("CT", 2, "fine")
    if old.parameterNode is new.parameterNode:
        new.parameterNode.Modified()
        assert (old.scan, old.factor, old.name) == (new.scan, 2, "fine")


def test_a_wrapper_that_nobody_holds_leaves_no_observer(state, slicer):
    node = state.parameterNode
    StateLogic().getParameterNode()
    before = node.GetReferenceCount()
    for _turn in range(5):
        StateLogic().getParameterNode()
    assert node.GetReferenceCount() == before


@pytest.mark.parametrize(
    "member, value, problem",
    [
        ("factor", 9, ValueError),
        ("factor", 2.5, TypeError),
        ("factor", None, ValueError),
        ("name", 3, TypeError),
        ("scan", "CT", TypeError),
        ("seed", "7", TypeError),
    ],
)
def test_a_wrong_value_is_refused_and_the_old_one_stays(state, member, value, problem):
    before = getattr(state, member)
    with pytest.raises(problem):
        setattr(state, member, value)
    assert getattr(state, member) == before


def test_a_deleted_node_leaves_none(state, slicer, volume):
    state.scan = volume
    slicer.mrmlScene.RemoveNode(volume)
    assert state.scan is None


def made_with(kind):
    return parameterNodeWrapper(type("Made", (), {"__annotations__": {"x": kind}}))


def test_an_unknown_type_is_refused_when_the_class_is_made():
    with pytest.raises(TypeError, match="Unable to create serializer"):
        made_with(complex)
    with pytest.raises(TypeError, match="Optional"):
        made_with(int | None)


@pytest.mark.parametrize("kind", [float, list[int], enum.Enum("Preset", "PREVIEW BEST")])
def test_a_type_that_slicer_has_and_the_host_lacks_says_so(kind):
    with pytest.raises(NotBuiltInHost, match="test host"):
        made_with(kind)


# --- widgets ---


class Ui:
    """Widgets as childWidgetVariables gives them."""

    def __init__(self, scene):
        import slicer

        self.scan, self.factor, self.fast = slicer.qMRMLNodeComboBox(), qt.QSpinBox(), qt.QCheckBox()
        self.scan.noneEnabled = True
        self.scan.setMRMLScene(scene)
        self.other = qt.QLabel("not connected")
        for name, widget in vars(self).items():
            if name != "other":
                widget.setProperty("SlicerParameterName", name)


def named(ui):
    return {name: getattr(ui, name) for name in ("scan", "factor", "fast")}


@pytest.fixture
def ui(slicer, state):
    ui = Ui(slicer.mrmlScene)
    tag = state.connectParametersToGui(named(ui))
    yield ui
    state.disconnectGui(tag)


def test_widgets_show_the_node(state, ui, volume):
    fill(state, volume)
    assert ui.scan.currentNode() is volume
    assert (ui.factor.value, ui.fast.checked) == (2, True)


def test_widgets_change_the_node(state, ui, volume):
    ui.scan.setCurrentNode(volume)
    ui.factor.value = 3
    ui.fast.click()
    assert (state.scan, state.factor, state.fast) == (volume, 3, True)


def test_widgets_have_the_limits_of_the_type(ui):
    assert (ui.factor.minimum, ui.factor.maximum) == (1, 8)


def test_a_disconnected_widget_does_nothing_any_more(state, slicer):
    ui = Ui(slicer.mrmlScene)
    state.disconnectGui(state.connectParametersToGui(named(ui)))
    ui.factor.value = 5
    assert state.factor == 4
    state.factor = 6
    assert ui.factor.value == 5


def test_a_ui_is_connected_by_the_names_in_it_and_the_tag_is_lost(state, slicer):
    """As up to Slicer 5.8: nothing undoes it."""
    ui = Ui(slicer.mrmlScene)
    tag = state.connectGui(ui)
    assert tag is None
    state.disconnectGui(tag)
    ui.factor.value = 5
    assert state.factor == 5


def test_a_connection_keeps_its_wrapper_alive(state, slicer):
    """Its observer holds it, and is not removed."""
    node, other = state.parameterNode, StateLogic().getParameterNode()
    other.disconnectGui(other.connectParametersToGui(named(Ui(slicer.mrmlScene))))
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is not None
    node.RemoveAllObservers()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "member, widget",
    [("name", qt.QSpinBox), ("factor", qt.QLineEdit), ("name", qt.QComboBox), ("fast", ctk.ctkCollapsibleButton)],
)
def test_a_pair_that_slicer_cannot_connect_is_refused(state, member, widget):
    with pytest.raises(RuntimeError):
        state.connectParametersToGui({member: widget()})
