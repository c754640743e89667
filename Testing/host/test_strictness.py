"""Refusal, in a sentence, of names and calls that Slicer does not have."""

from __future__ import annotations

from pathlib import Path

import ctk
import pytest
import qt
import slicer
from slicer_host.errors import NotBuiltInHost


@pytest.mark.parametrize(
    "use",
    [
        lambda: qt.QPushButton().caption,
        lambda: qt.QPushButton().setCaption("x"),
        lambda: qt.QPushButton().isVisibel(),
        lambda: ctk.ctkSliderWidget().step,
        lambda: slicer.qMRMLNodeComboBox().currentNodeName,
        lambda: slicer.app.settingsPath,
        lambda: slicer.app.layoutManager().sliceViews,
        lambda: slicer.app.layoutManager().sliceWidget("Red").sliceView().image,
        lambda: slicer.util.showVolume,
        lambda: slicer.modules.superresolution,
        lambda: slicer.loadVolume,
        lambda: slicer.vtkMRMLCTVolumeNode,
        lambda: slicer.qMRMLVolumeComboBox,
        lambda: qt.QThread,
        lambda: qt.Signal,
        lambda: qt.QTextCodec,
        lambda: ctk.ctkSlider,
        lambda: qt.Qt.AlignMiddle,
        lambda: setattr(qt.QPushButton(), "caption", "x"),
        lambda: setattr(qt.QPushButton(), "width", 3),
        lambda: setattr(qt.QPushButton(), "click", print),
        lambda: setattr(qt.QSpinBox(), "value", "many"),
        lambda: setattr(ctk.ctkCollapsibleButton(), "colapsed", True),
    ],
)
def test_an_unknown_name_or_a_wrong_value_raises(use):
    with pytest.raises(AttributeError) as problem:
        use()
    assert str(problem.value)


@pytest.mark.parametrize("signal", ["clickd()", "clicked(int)", "clicked", "valueChanged(int)"])
def test_an_unknown_signal_raises_and_names_the_known_ones(signal):
    with pytest.raises(ValueError, match=r"signal") as problem:
        qt.QPushButton().connect(signal, print)
    assert "clicked" in str(problem.value)


def test_a_signal_that_qt_6_does_not_have_raises():
    with pytest.raises(ValueError, match="Qt 6"):
        qt.QComboBox().connect("currentIndexChanged(QString)", print)


def test_a_value_that_qt_6_does_not_have_raises():
    with pytest.raises(AttributeError, match="Qt 6"):
        qt.Qt.MidButton  # noqa: B018


@pytest.mark.parametrize(
    "call",
    [
        lambda: qt.QPushButton().setText("a", "b"),
        lambda: qt.QPushButton().setText(text="a"),
        lambda: qt.QPushButton(text="a"),
        lambda: qt.QTimer().start("soon"),
        lambda: slicer.qMRMLNodeComboBox().setCurrentNode(),
        lambda: slicer.qMRMLNodeComboBox().setCurrentNode("vtkMRMLScalarVolumeNode1"),
        lambda: qt.QFile(Path("scan.nrrd")),
    ],
)
def test_a_call_with_a_wrong_signature_raises(call):
    with pytest.raises(ValueError, match=r"\w"):
        call()


def test_a_property_is_not_called_and_a_method_is():
    with pytest.raises(TypeError):
        qt.QSpinBox().value()
    assert qt.QPushButton().isChecked() is False
    assert callable(qt.QPushButton().isChecked)


def test_what_slicer_has_and_the_host_lacks_says_so():
    with pytest.raises(NotBuiltInHost, match="test host"):
        slicer.qMRMLTransformSliders  # noqa: B018
    with pytest.raises(NotBuiltInHost, match="test host"):
        slicer.modules.segmenteditor  # noqa: B018


def test_newer_functions_and_arguments_of_slicer_util_are_refused():
    with pytest.raises(AttributeError):
        slicer.util.executePythonModule  # noqa: B018
    with pytest.raises(TypeError, match=r"5\.8"):
        slicer.util.findChild(qt.QWidget(), "a", properties={})


def test_pip_does_not_touch_the_python_of_the_tests():
    with pytest.raises(RuntimeError, match="replace"):
        slicer.util.pip_install("left-pad")


def test_a_python_class_derived_from_qt_may_have_attributes_of_its_own():
    class Row(qt.QWidget):
        pass

    row = Row()
    row.volume = "CT"
    assert row.volume == "CT"
