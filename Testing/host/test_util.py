"""slicer.util's dialogs and helpers, which are Slicer's own code on top of the host's qt and app."""

from __future__ import annotations

import logging

import pytest
import qt


@pytest.fixture
def answer(slicer):
    """Press a button of the next dialog, as soon as it is there."""

    def press(name):
        dialog = slicer.app.activeModalWidget()
        if dialog is None:
            qt.QTimer.singleShot(10, lambda: press(name))
        else:
            dialog.button(name).click()

    return lambda name: qt.QTimer.singleShot(10, lambda: press(name))


def test_a_message_box_waits_for_its_answer(slicer, answer):
    answer(qt.QMessageBox.Cancel)
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.text, box.standardButtons = "Install torch?", qt.QMessageBox.Ok | qt.QMessageBox.Cancel
    assert box.exec_() == qt.QMessageBox.Cancel


def test_messages_are_only_logged_while_testing(slicer, caplog):
    with caplog.at_level(logging.INFO):
        slicer.util.errorDisplay("Out of memory")
        assert slicer.util.confirmOkCancelDisplay("2 GB to download") is not None
    assert "Out of memory" in caplog.text


def test_an_error_is_shown_and_goes_on(slicer):
    with pytest.raises(ZeroDivisionError), slicer.util.tryWithErrorDisplay("Could not load", waitCursor=True):
        1 / 0  # noqa: B018


def test_progress_dialog_and_status_bar(slicer):
    dialog = slicer.util.createProgressDialog(labelText="Installing", maximum=10)
    dialog.value = 3
    assert (dialog.maximum, dialog.labelText) == (10, "Installing")
    dialog.close()
    slicer.util.showStatusMessage("Loading the result")
    assert slicer.util.mainWindow().statusBar().currentMessage() == "Loading the result"


def test_an_observer_mixin_lets_go(slicer):
    class Watcher(slicer.util.VTKObservationMixin):
        pass

    seen, watcher = [], Watcher()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    watcher.addObserver(node, "ModifiedEvent", lambda *_: seen.append(1))
    node.Modified()
    watcher.removeObservers()
    node.Modified()
    assert seen == [1]


def test_drawing_waits_while_it_is_blocked(slicer):
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    with slicer.util.RenderBlocker():
        assert view.isRenderPaused()
    assert not view.isRenderPaused()


def test_a_console_process_is_started_by_python_slicer(slicer, capsys):
    import shutil

    process = slicer.util.launchConsoleProcess([shutil.which("PythonSlicer"), "-c", "print('from the child')"])
    with process.stdout:
        slicer.util.logProcessOutput(process)
    assert "from the child" in capsys.readouterr().out


def test_temporary_folders_lie_in_the_hosts(slicer, application):
    folder = slicer.util.tempDirectory()
    assert folder.startswith(slicer.app.temporaryPath)
