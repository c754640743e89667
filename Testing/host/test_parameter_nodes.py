"""Classes made with @parameterNodeWrapper."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Optional, Union

import ctk
import pytest
import qt
from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import (
    Choice,
    Default,
    FloatRange,
    Maximum,
    Minimum,
    RangeBounds,
    WithinRange,
    parameterNodeWrapper,
    parameterPack,
)
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic


class Preset(enum.Enum):
    PREVIEW = "preview"
    BEST = "best"


@parameterPack
class Window:
    center: Annotated[float, WithinRange(-1000, 3000)] = 40.0
    width: float = 400.0


@parameterNodeWrapper
class State:
    scan: vtkMRMLScalarVolumeNode
    either: Union[vtkMRMLScalarVolumeNode, vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007 - as Slicer 5.8 needs it
    factor: Annotated[int, WithinRange(1, 8)] = 4
    strength: Annotated[float, Minimum(0), Maximum(1), Default(0.5)]
    name: str = "SR"
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    preset: Preset = Preset.BEST
    fast: bool
    folder: pathlib.Path
    seed: Optional[int]  # noqa: UP045
    steps: list[int]
    nodes: list[vtkMRMLScalarVolumeNode]
    weights: dict[str, float]
    size: tuple[int, float, str]
    window: Window
    limits: Annotated[FloatRange, RangeBounds(-1000, 3000), Default(FloatRange(-500, 500))]


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
    assert (state.factor, state.strength, state.name, state.fast) == (4, 0.5, "SR", False)
    assert state.preset is Preset.BEST
    assert state.seed is None
    assert list(state.steps) == []
    assert state.size == (0, 0.0, "")
    assert (state.window.center, state.window.width) == (40.0, 400.0)
    assert (state.limits.minimum, state.limits.maximum) == (-500, 500)


def test_two_wrappers_of_a_node_see_the_same(state, slicer, volume):
    other = StateLogic().getParameterNode()
    state.factor, state.scan, state.preset = 8, volume, Preset.PREVIEW
    assert (other.factor, other.scan, other.preset) == (8, volume, Preset.PREVIEW)


def fill(state, volume):
    state.scan, state.either, state.factor, state.strength = volume, volume, 2, 0.25
    state.name, state.device, state.preset, state.fast = "fine", "cpu", Preset.PREVIEW, True
    state.folder, state.seed, state.steps, state.nodes = pathlib.Path("/data"), 7, [3, 1, 2], [volume, volume]
    state.weights, state.size = {"tv": 0.05, "ssim": 0.5}, (3, 0.5, "mm")
    state.window = Window(center=-600.0, width=1500.0)
    state.limits = FloatRange(-10, 10)


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
    assert back.scan.GetName() == back.either.GetName() == "CT"
    assert (back.factor, back.strength, back.name, back.device) == (2, 0.25, "fine", "cpu")
    assert (back.preset, back.fast, back.folder, back.seed) == (Preset.PREVIEW, True, pathlib.Path("/data"), 7)
    assert list(back.steps) == [3, 1, 2]
    assert list(back.nodes) == [back.scan, back.scan]
    assert dict(back.weights) == {"tv": 0.05, "ssim": 0.5}
    assert back.size == (3, 0.5, "mm")
    assert (back.window.center, back.window.width) == (-600.0, 1500.0)
    assert (back.limits.minimum, back.limits.maximum) == (-10, 10)


@pytest.mark.parametrize(
    "member, value, problem",
    [
        ("factor", 9, ValueError),
        ("factor", 2.5, TypeError),
        ("factor", None, ValueError),
        ("strength", -0.1, ValueError),
        ("name", 3, TypeError),
        ("device", "tpu", ValueError),
        ("preset", "best", TypeError),
        ("scan", "CT", TypeError),
        ("seed", "7", TypeError),
        ("steps", ["1"], TypeError),
    ],
)
def test_a_wrong_value_is_refused_and_the_old_one_stays(state, member, value, problem):
    before = getattr(state, member)
    with pytest.raises(problem):
        setattr(state, member, value)
    assert getattr(state, member) == before


def test_changing_a_list_a_dictionary_or_a_pack_changes_the_node(state):
    state.steps = [1]
    state.steps.append(2)
    state.weights["tv"] = 0.1
    state.window.width = 80.0
    other = StateLogic().getParameterNode()
    assert list(other.steps) == [1, 2]
    assert dict(other.weights) == {"tv": 0.1}
    assert other.window.width == 80.0
    with pytest.raises(ValueError, match="range"):
        state.window.center = 9999.0


def test_a_deleted_node_leaves_none(state, slicer, volume):
    state.scan = volume
    slicer.mrmlScene.RemoveNode(volume)
    assert state.scan is None


def test_an_unknown_type_is_refused_when_the_class_is_made():
    with pytest.raises(TypeError, match="Unable to create serializer"):
        parameterNodeWrapper(type("Bad", (), {"__annotations__": {"x": complex}}))
    with pytest.raises(TypeError, match="Optional"):
        parameterNodeWrapper(type("New", (), {"__annotations__": {"x": int | None}}))


# --- widgets ---


class Ui:
    """Widgets as childWidgetVariables gives them."""

    def __init__(self, scene):
        self.scan, self.factor, self.strength = None, qt.QSpinBox(), ctk.ctkSliderWidget()
        self.name, self.device, self.preset, self.fast = qt.QLineEdit(), qt.QComboBox(), qt.QComboBox(), qt.QCheckBox()
        self.folder, self.limits = ctk.ctkPathLineEdit(), ctk.ctkRangeWidget()
        import slicer

        self.scan = slicer.qMRMLNodeComboBox()
        self.scan.noneEnabled = True
        self.scan.setMRMLScene(scene)
        self.other = qt.QLabel("not connected")
        for name, widget in vars(self).items():
            if name != "other":
                widget.setProperty("SlicerParameterName", name)


@pytest.fixture
def ui(slicer, state):
    ui = Ui(slicer.mrmlScene)
    tag = state.connectGui(ui)
    yield ui
    state.disconnectGui(tag)


def test_widgets_show_the_node(state, ui, volume):
    fill(state, volume)
    assert ui.scan.currentNode() is volume
    assert (ui.factor.value, ui.strength.value, ui.name.text, ui.fast.checked) == (2, 0.25, "fine", True)
    assert (ui.device.currentText, ui.preset.currentText) == ("cpu", "PREVIEW")
    assert ui.folder.currentPath == "/data"
    assert (ui.limits.minimumValue, ui.limits.maximumValue) == (-10, 10)


def test_widgets_change_the_node(state, ui, volume):
    ui.scan.setCurrentNode(volume)
    ui.factor.value, ui.strength.value, ui.name.text = 3, 0.75, "sharp"
    ui.device.currentIndex, ui.preset.currentIndex = 2, 0
    ui.fast.click()
    ui.folder.currentPath = "/tmp"
    assert (state.scan, state.factor, state.strength, state.name) == (volume, 3, 0.75, "sharp")
    assert (state.device, state.preset, state.fast) == ("cuda", Preset.PREVIEW, True)
    assert state.folder == pathlib.Path("/tmp")


def test_widgets_have_the_limits_of_the_type(ui):
    assert (ui.factor.minimum, ui.factor.maximum) == (1, 8)
    assert (ui.strength.minimum, ui.strength.maximum) == (0, 1)
    assert [ui.device.itemText(index) for index in range(ui.device.count)] == ["auto", "cpu", "cuda"]


def test_a_disconnected_widget_does_nothing_any_more(state, slicer):
    ui = Ui(slicer.mrmlScene)
    state.disconnectGui(state.connectGui(ui))
    ui.factor.value = 5
    assert state.factor == 4
    state.factor = 6
    assert ui.factor.value == 5


@pytest.mark.parametrize(
    "member, widget",
    [("name", qt.QSpinBox), ("factor", qt.QLineEdit), ("name", qt.QComboBox), ("fast", ctk.ctkCollapsibleButton)],
)
def test_a_pair_that_slicer_cannot_connect_is_refused(state, member, widget):
    with pytest.raises(RuntimeError):
        state.connectParametersToGui({member: widget()})
