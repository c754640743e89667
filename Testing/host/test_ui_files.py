"""Loading .ui files made with Designer."""

from __future__ import annotations

import pytest
import qt
import slicer

SKELETON = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Panel</class>
<widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout" name="verticalLayout">
<item><widget class="ctkCollapsibleButton" name="section"><property name="text"><string>Inputs</string></property>
<layout class="QFormLayout" name="form"><item row="0" column="1">{widget}</item></layout></widget></item></layout>
</widget>
<customwidgets>{custom}</customwidgets><connections>{connections}</connections></ui>
"""
CUSTOM = "".join(
    f"<customwidget><class>{name}</class><extends>QWidget</extends><header>{name}.h</header>"
    f"<container>{int(name != 'qMRMLNodeComboBox')}</container></customwidget>"
    for name in ("qMRMLWidget", "ctkCollapsibleButton", "qMRMLNodeComboBox", "ctkPathLineEdit", "qMRMLVolumeSelector")
)
SELECTOR = """<widget class="qMRMLNodeComboBox" name="selector">
<property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
<property name="noneEnabled"><bool>true</bool></property>
<property name="SlicerParameterName" stdset="0"><string>inputVolume</string></property></widget>"""
LINE = """<widget class="Line" name="line">
<property name="orientation"><enum>Qt::Horizontal</enum></property></widget>"""
CONNECTION = """<connection><sender>Panel</sender><signal>{signal}</signal><receiver>selector</receiver>
<slot>{slot}</slot></connection>"""


@pytest.fixture
def load(tmp_path):
    def load(widget=SELECTOR, connections=""):
        path = tmp_path / "Panel.ui"
        path.write_text(SKELETON.format(widget=widget, custom=CUSTOM, connections=connections))
        return slicer.util.loadUI(str(path))

    return load


def test_the_scene_goes_from_the_panel_to_its_widgets(load):
    connection = CONNECTION.format(signal="mrmlSceneChanged(vtkMRMLScene*)", slot="setMRMLScene(vtkMRMLScene*)")
    panel = load(connections=connection)
    ui = slicer.util.childWidgetVariables(panel)
    assert ui.selector.mrmlScene() is None
    panel.setMRMLScene(slicer.mrmlScene)
    assert ui.selector.mrmlScene() is slicer.mrmlScene
    assert ui.selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    assert ui.selector.property("SlicerParameterName") == "inputVolume"
    assert ui.section.text == "Inputs"


def test_enumerations_of_widgets_written_in_python_arrive(load):
    widget = """<widget class="ctkPathLineEdit" name="path">
    <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable</set></property></widget>"""
    ui = slicer.util.childWidgetVariables(load(widget))
    assert ui.path.filters == 0x001 | 0x020


@pytest.mark.parametrize(
    "widget, problem",
    [
        (SELECTOR.replace("noneEnabled", "noneAllowed"), "no property noneAllowed"),
        (SELECTOR.replace("qMRMLNodeComboBox", "qMRMLVolumeSelector"), "no class of Slicer's"),
        (LINE.replace("Qt::Horizontal", "Qt::Orientation::Horizontal"), "Qt 5"),
        ('<widget class="QLabel" name="a"><property name="caption"><string>x</string></property></widget>', "caption"),
    ],
)
def test_what_slicer_does_not_have_is_refused(load, widget, problem):
    with pytest.raises(ValueError, match=problem):
        load(widget)


@pytest.mark.parametrize(
    "signal, slot",
    [("sceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)"), ("mrmlSceneChanged(vtkMRMLScene*)", "setScene()")],
)
def test_unknown_signals_and_slots_are_refused(load, signal, slot):
    with pytest.raises((ValueError, AttributeError), match="has no"):
        load(connections=CONNECTION.format(signal=signal, slot=slot))


def test_designers_line_is_a_frame(load):
    ui = slicer.util.childWidgetVariables(load(LINE))
    assert type(ui.line) is qt.QFrame
    assert ui.line.frameShape == qt.QFrame.HLine


def test_a_missing_file_is_said_to_be_missing():
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI("/nowhere/Panel.ui")
