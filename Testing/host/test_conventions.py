"""PythonQt's conventions, as code written for Slicer uses them."""

from __future__ import annotations

import sys

import ctk
import pytest
import qt
import slicer as slicer_module


def test_properties_are_attributes_without_parentheses():
    box = qt.QSpinBox()
    box.maximum = 7
    box.value = 9
    assert box.value == 7
    assert box.size.width() > 0
    box.name = "box"
    assert box.objectName == "box"


def test_a_function_gets_as_many_arguments_as_it_takes():
    button, seen = qt.QCheckBox(), []
    button.connect("toggled(bool)", lambda: seen.append("none"))
    button.connect("toggled(bool)", lambda on: seen.append(on))
    button.connect("toggled(bool)", lambda *all_of_them: seen.append(all_of_them))
    button.checked = True
    assert seen == ["none", True, (True,)]


def test_signals_connect_by_attribute_too_and_disconnect():
    button, seen = qt.QPushButton(), []

    def clicked(checked):
        seen.append(checked)

    button.clicked.connect(clicked)
    button.click()
    assert button.disconnect("clicked(bool)", clicked)
    assert not button.disconnect("clicked(bool)", clicked)
    button.click()
    assert seen == [False]


def test_a_signal_connects_to_a_slot_of_another_object():
    button, dialog = qt.QPushButton(), qt.QDialog()
    dialog.show()
    button.connect("clicked(bool)", dialog, "reject()")
    button.click()
    assert not dialog.visible
    dialog.show()
    assert button.disconnect("clicked(bool)", dialog, "reject()")
    button.click()
    assert dialog.visible
    dialog.close()


def test_an_error_in_a_slot_is_shown_and_does_not_stop_the_others(unseen_errors):
    button, seen = qt.QPushButton(), []
    button.connect("clicked()", lambda: 1 / 0)
    button.connect("clicked()", lambda: seen.append("second"))
    button.click()
    assert seen == ["second"]
    assert isinstance(unseen_errors.pop(), ZeroDivisionError)


def test_enumerations_are_numbers():
    assert qt.Qt.Horizontal == 1
    assert qt.QMessageBox.Ok | qt.QMessageBox.Cancel == 0x00400400
    slider = qt.QSlider(qt.Qt.Horizontal)
    assert slider.orientation == qt.Qt.Horizontal
    label = qt.QLabel("text")
    label.setAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    assert label.alignment == qt.Qt.AlignRight | qt.Qt.AlignVCenter
    with pytest.raises(AttributeError):
        qt.QProcess.ExitStatus.NormalExit  # noqa: B018 - values stand in the class


def test_objects_keep_their_identity_and_lists_are_tuples():
    panel = qt.QWidget()
    layout = qt.QVBoxLayout(panel)
    button = qt.QPushButton("here")
    layout.addWidget(button)
    assert button.parent() is panel
    assert panel.layout() is layout
    assert button in panel.children()
    assert isinstance(panel.children(), tuple)
    assert panel.findChildren(qt.QPushButton) == (button,)


def test_children_are_attributes_by_their_name():
    panel = qt.QWidget()
    button = qt.QPushButton("here", panel)
    button.objectName = "applyButton"
    assert panel.applyButton is button


def test_classes_do_not_inherit_in_python():
    button = qt.QPushButton()
    assert not isinstance(button, qt.QWidget)
    assert type(button) is qt.QPushButton
    assert button.inherits("QWidget")


def test_a_derived_class_overwrites_what_qt_calls():
    class Pad(qt.QWidget):
        def __init__(self, parent=None):
            qt.QWidget.__init__(self, parent)
            self.sizes = []

        def resizeEvent(self, event):
            self.sizes.append(event.size().width())
            qt.QWidget.resizeEvent(self, event)

    pad = Pad()
    pad.resize(123, 45)
    pad.show()
    assert pad.sizes[-1] == 123


def test_an_event_filter_sees_events():
    class Filter(qt.QObject):
        def eventFilter(self, watched, event):
            if event.type() == qt.QEvent.EnabledChange:
                seen.append(watched)
            return False

    seen, watcher, button = [], Filter(), qt.QPushButton()
    button.installEventFilter(watcher)
    button.enabled = False
    assert seen == [button]


def test_an_object_without_parent_and_reference_is_deleted(wait_until):
    seen = []
    timer = qt.QTimer()
    timer.connect("timeout()", lambda: seen.append("kept"))
    timer.start(1)
    lost = qt.QTimer()
    lost.connect("timeout()", lambda: seen.append("lost"))
    lost.start(1)
    del lost
    wait_until(lambda: len(seen) >= 3)
    assert set(seen) == {"kept"}


def test_a_deleted_object_is_false_and_says_so():
    button = qt.QPushButton("gone")
    button.delete()
    assert not button
    with pytest.raises(ValueError, match="destroyed QPushButton"):
        button.text  # noqa: B018
    with pytest.raises(ValueError, match="destroyed QPushButton"):
        button.click()


def test_a_process_runs_beside_the_event_loop(wait_until):
    process, ends = qt.QProcess(), []
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: ends.append((code, status)))
    process.start(sys.executable, ["-c", "import sys; print(sys.stdin.readline().strip()); sys.exit(3)"])
    assert process.waitForStarted(5000)
    assert process.state() == qt.QProcess.Running
    process.write(b"cancel\n")
    wait_until(lambda: ends)
    assert ends == [(3, qt.QProcess.NormalExit)]
    assert process.readAllStandardOutput().data() == b"cancel\n"


def test_a_file_dialog_answers_with_the_path_alone(monkeypatch):
    from PySide6.QtWidgets import QFileDialog

    monkeypatch.setattr(QFileDialog, "getOpenFileName", staticmethod(lambda *_: ("/tmp/scan.nrrd", "all (*)")))
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "*.nrrd") == "/tmp/scan.nrrd"


def test_settings_do_not_leave_the_temporary_folder():
    settings = slicer_module.app.settings()
    settings.setValue("CTSuperResolution/python", "/usr/bin/python3")
    assert slicer_module.util.settingsValue("CTSuperResolution/python", "") == "/usr/bin/python3"
    assert "slicer-host-" in settings.fileName()


def test_a_slider_of_ctk_holds_decimals():
    slider, seen = ctk.ctkSliderWidget(), []
    slider.minimum, slider.maximum, slider.singleStep, slider.decimals = -1, 1, 0.01, 2
    slider.connect("valueChanged(double)", seen.append)
    slider.value = 0.25
    slider.value = 7
    assert seen == [0.25, 1.0]


def test_a_folded_section_hides_what_is_in_it():
    section = ctk.ctkCollapsibleButton()
    section.text = "Advanced"
    inside = qt.QLabel("deep")
    qt.QVBoxLayout(section).addWidget(inside)
    seen = []
    section.connect("contentsCollapsed(bool)", seen.append)
    section.show()
    section.collapsed = True
    assert seen == [True]
    assert not inside.visible
    section.collapsed = False
    assert inside.visible


def test_plain_bool_none_survive_many_signals():
    box, seen = ctk.ctkPathLineEdit(), []
    box.connect("validInputChanged(bool)", seen.append)
    before = sys.getrefcount(True)
    for index in range(50):
        box.currentPath = f"/nowhere/{index}"
    assert seen == [False] * 50
    assert sys.getrefcount(True) > before - 1000 or sys.version_info >= (3, 12)


def test_what_is_shown_or_hidden_in_a_folded_section_is_so_once_it_is_opened(slicer):
    """As CTK does it: otherwise hints that come while a section is folded would push the others away."""
    section = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(section)
    hidden, shown = qt.QLabel("a"), qt.QLabel("b")
    layout.addWidget(hidden)
    layout.addWidget(shown)
    hidden.visible = False
    section.show()
    section.collapsed = True
    folded = layout.sizeHint().height()
    hidden.visible, shown.visible = True, False
    assert not hidden.visible and layout.sizeHint().height() == folded
    section.collapsed = False
    assert hidden.visible and not shown.visible
