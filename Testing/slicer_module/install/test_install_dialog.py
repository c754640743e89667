"""The dialog before the first job: what it says and offers, and what it answers, pressed as a user would."""

from __future__ import annotations

import os
import sys
import types

import pytest
import qt
import slicer
from CTSuperResolutionPanel import install
from CTSuperResolutionPanel.install import extension, installer
from CTSuperResolutionPanel.install.dialog import InstallDialog
from CTSuperResolutionPanel.install.requirements import name_of
from CTSuperResolutionPanel.process.process import Ended


@pytest.fixture
def shown(wait_for):
    """A dialog that is open, after its first inspection. It is closed in the end."""
    opened = []

    def show(**arguments) -> InstallDialog:
        dialog = InstallDialog(None, **arguments)
        opened.append(dialog)
        dialog.dialog.show()
        wait_for(lambda: dialog.ui.startButton.enabled or dialog.ui.choiceBox.visible or dialog.python)
        return dialog

    yield show
    for dialog in opened:
        dialog.dialog.reject()


@pytest.fixture
def pytorch_extension(monkeypatch):
    """Slicer's PyTorch extension, loaded."""

    class PyTorchUtilsLogic:
        @staticmethod
        def _getPipInstallArguments(backend=None, torch=None, torchvision=None):
            return ["install", f"torch{torch}", "torchvision"]

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    monkeypatch.setattr(extension, "is_there", lambda: True)


def test_everything_there_asks_nothing_and_looks_only_once(full_environment, make_slicers, monkeypatch):
    python = make_slicers(full_environment)
    assert install.ensure() == python
    monkeypatch.setattr(InstallDialog, "__init__", None)  # there is no dialog any more
    assert install.ensure() == python


def test_what_is_installed_or_removed_later_is_noticed(full_environment, make_slicers, wheel, tmp_path, monkeypatch):
    python = make_slicers(full_environment)
    assert install.ensure() == python
    inspected = []
    monkeypatch.setattr(InstallDialog, "exec", lambda self: inspected.append(self.dialog.reject()))
    os.utime(full_environment.site, (1, 1))
    install.ensure()
    assert len(inspected) == 1


def test_after_a_job_failed_for_want_of_a_package_it_looks_again(full_environment, make_slicers, monkeypatch):
    python = make_slicers(full_environment)
    assert install.ensure() == python
    install.forget()
    inspected = []
    monkeypatch.setattr(InstallDialog, "exec", lambda self: inspected.append(self.dialog.reject()))
    install.ensure()
    assert len(inspected) == 1


def test_nothing_there_says_what_how_much_and_where(environment, make_slicers, shown, pytorch_extension):
    make_slicers(environment)
    ui = shown().ui
    assert "Slicer's Python lacks" in ui.problemLabel.text
    assert "torch" in ui.whatLabel.text and "diffusers" in ui.whatLabel.text
    assert "0.3 GB to download" in ui.sizeLabel.text and "no NVIDIA GPU" in ui.sizeLabel.text
    assert str(environment.site) in ui.whereLabel.text and "GB free" in ui.whereLabel.text
    assert ui.startButton.enabled and ui.startButton.text == "Install"
    assert not ui.goOnButton.visible and not ui.extensionButton.visible


def test_with_a_gpu_the_larger_torch_is_announced(environment, make_slicers, shown, pytorch_extension, gpu):
    make_slicers(environment)
    text = shown().ui.sizeLabel.text
    assert "3.0 GB to download, about 8.0 GB on disk" in text and gpu in text


def test_the_user_declines(environment, make_slicers, shown):
    make_slicers(environment)
    dialog = shown()
    dialog.ui.closeButton.click()
    assert not dialog.dialog.visible and dialog.python is None
    assert install.chosen_python().name == "PythonSlicer"


def test_where_slicer_runs_tests_nothing_is_asked_or_installed(environment, make_slicers, caplog):
    if not slicer.app.testingEnabled():
        pytest.skip("this Slicer was not started with --testing")
    make_slicers(environment)
    assert install.ensure() is None
    assert "Slicer's Python lacks" in caplog.text


def test_two_installations_at_once_are_refused(environment, make_slicers, shown, wheels, monkeypatch):
    make_slicers(environment)
    packaging = types.SimpleNamespace(isPipInstallInProgress=lambda: True)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    ui = shown().ui
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(wheels)
    ui.startButton.click()
    assert "another module" in ui.stepLabel.text and ui.startButton.enabled and not ui.progressBar.visible


def test_without_the_pytorch_extension_that_comes_first(environment, make_slicers, shown, monkeypatch):
    make_slicers(environment)
    calls, restarts = [], []

    class Manager:
        interactive = True

        def installExtensionFromServer(self, name, restart):
            calls.append((name, restart, self.interactive))
            return len(calls) > 1

    manager = Manager()
    monkeypatch.setattr(extension, "_manager", lambda: manager)
    monkeypatch.setattr(extension, "confirm_restart", restarts.append)
    dialog = shown()
    ui = dialog.ui
    assert not ui.startButton.enabled and ui.extensionButton.visible and "PyTorch extension" in ui.hintLabel.text
    ui.extensionButton.click()
    assert "Extensions Manager" in ui.hintLabel.text and not restarts
    ui.extensionButton.click()
    assert calls == [("PyTorch", False, False)] * 2 and manager.interactive is True
    assert "Save your scene" in restarts[0]


def test_a_slicer_without_extensions_manager_still_says_what_is_needed(environment, make_slicers, shown, monkeypatch):
    make_slicers(environment)
    monkeypatch.setattr(extension, "_manager", lambda: None)
    ui = shown().ui
    assert not ui.extensionButton.visible and "PyTorch extension" in ui.hintLabel.text and not ui.startButton.enabled
    ui.folderButton.click()
    assert "pip download" in ui.hintLabel.text and not ui.startButton.enabled


def test_offline_from_a_folder_to_the_job(environment, make_slicers, shown, wheels, wait_for, tmp_path):
    python = make_slicers(environment)
    dialog = shown()
    ui = dialog.ui
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(tmp_path)
    assert not ui.startButton.enabled  # no wheel in it
    ui.folderEdit.currentPath = str(wheels)
    assert ui.startButton.enabled and "download" not in ui.sizeLabel.text
    ui.startButton.click()
    assert ui.logButton.visible and not ui.choiceBox.visible and ui.progressBar.visible
    wait_for(lambda: dialog.python)
    assert dialog.python == python and not dialog.dialog.visible
    assert "Successfully installed" in ui.logText.plainText
    assert install.ensure() == python


def test_an_installation_that_fails_says_why_and_can_be_tried_again(
    environment, make_slicers, shown, wheels, wait_for, tmp_path
):
    make_slicers(environment)
    for file in wheels.iterdir():
        if not file.name.startswith("psutil"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    dialog = shown()
    ui = dialog.ui
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(tmp_path)
    ui.startButton.click()
    wait_for(lambda: ui.choiceBox.visible)
    assert "no wheel of psutil" in ui.stepLabel.text and ui.stepLabel.visible
    assert ui.logButton.visible and ui.startButton.enabled and dialog.dialog.visible


def test_half_there_is_offered_repair(full_environment, make_slicers, shown, wheels, wait_for):
    (full_environment.site / "torch" / "part.py").unlink()
    python = make_slicers(full_environment)
    dialog = shown()
    ui = dialog.ui
    assert "half there" in ui.problemLabel.text
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(wheels)
    assert ui.startButton.text == "Repair"
    ui.startButton.click()
    wait_for(lambda: dialog.python)
    assert dialog.python == python


@pytest.fixture
def endless_pip(environment, make_slicers, programs):
    """An environment whose pip never ends."""
    python = make_slicers(environment)
    launcher = programs / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\n[ "$1" = -m ] && {{ echo Collecting; sleep 600; }}\n"{environment.python}" "$@"\n')
    return python


def test_cancel_during_an_installation_comes_back_to_the_choice(endless_pip, shown, wheels, wait_for):
    dialog = shown()
    ui = dialog.ui
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(wheels)
    ui.startButton.click()
    wait_for(lambda: "Collecting" in ui.logText.plainText)
    ui.closeButton.click()
    wait_for(lambda: ui.choiceBox.visible)
    assert "cancelled" in ui.stepLabel.text and ui.startButton.enabled and dialog.python is None
    ui.closeButton.click()
    assert not dialog.dialog.visible


def test_the_window_closed_during_an_installation_ends_it(endless_pip, shown, wheels, wait_for, monkeypatch):
    killed = []
    abandon = installer.QtProcess.abandon
    monkeypatch.setattr(installer.QtProcess, "abandon", lambda self: (killed.append(self), abandon(self)))
    dialog = shown()
    ui = dialog.ui
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(wheels)
    ui.startButton.click()
    wait_for(lambda: "Collecting" in ui.logText.plainText)
    dialog.dialog.reject()
    assert len(killed) == 1 and dialog.python is None


def test_another_python_is_checked_used_and_remembered(
    full_environment, second_environment, make_slicers, shown, wait_for
):
    """Named by its environment's folder, as people do."""
    make_slicers(second_environment)
    dialog = shown()
    ui = dialog.ui
    ui.otherButton.click()
    assert ui.otherEdit.visible and not ui.planBox.visible and not ui.startButton.enabled
    ui.otherEdit.currentPath = str(full_environment.folder)
    assert ui.startButton.text == "Use this Python" and ui.startButton.enabled
    ui.startButton.click()
    wait_for(lambda: dialog.python)
    assert dialog.python == full_environment.python
    assert install.chosen_python() == full_environment.python and install.ensure() == full_environment.python


def test_another_python_that_lacks_something_is_refused_with_what_to_do(
    full_environment, second_environment, make_slicers, shown, wait_for
):
    make_slicers(second_environment)
    (full_environment.site / "gsplat" / "__init__.py").unlink()
    dialog = shown()
    ui = dialog.ui
    ui.otherButton.click()
    ui.otherEdit.currentPath = str(full_environment.python)
    ui.startButton.click()
    wait_for(lambda: ui.choiceBox.visible)
    assert "gsplat" in ui.problemLabel.text and "pip install" in ui.fixLabel.text and ui.fixLabel.visible
    assert dialog.python is None and ui.internetButton.enabled


def test_after_a_bad_path_on_windows_another_can_be_given(
    full_environment, second_environment, make_slicers, shown, wait_for, monkeypatch, tmp_path
):
    """QProcess tells there within start() that there is no such program."""
    start = installer.QtProcess.start

    def start_on_windows(self, command, *, on_end, **others):
        if "nowhere" in command.program:
            on_end(Ended(normal=False, code=-1, problem="no such file"))
        else:
            start(self, command, on_end=on_end, **others)

    monkeypatch.setattr(installer.QtProcess, "start", start_on_windows)
    make_slicers(second_environment)
    dialog = shown()
    ui = dialog.ui
    ui.otherButton.click()
    ui.otherEdit.currentPath = str(tmp_path / "nowhere")
    ui.startButton.click()
    wait_for(lambda: ui.choiceBox.visible and ui.startButton.enabled)
    assert "could not be started" in ui.problemLabel.text
    ui.folderButton.click()
    assert ui.planBox.visible and "pip download" in ui.hintLabel.text
    ui.otherButton.click()
    ui.otherEdit.currentPath = str(full_environment.folder)
    ui.startButton.click()
    wait_for(lambda: dialog.python)
    assert dialog.python == full_environment.python


def test_the_window_is_deleted_once_it_is_closed(full_environment, make_slicers, monkeypatch):
    make_slicers(full_environment)
    deleted = []
    begin = InstallDialog.__init__

    def begin_watched(self, *arguments, **keywords):
        begin(self, *arguments, **keywords)
        self.dialog.connect("destroyed()", lambda: deleted.append(True))

    monkeypatch.setattr(InstallDialog, "__init__", begin_watched)
    assert install.ensure()
    slicer.app.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    assert deleted


def test_the_chosen_python_is_gone(environment, make_slicers, shown, tmp_path, wait_for):
    make_slicers(environment)
    slicer.app.userSettings().setValue("CTSuperResolution/Python", str(tmp_path / "gone" / "python"))
    dialog = shown()
    wait_for(lambda: dialog.ui.choiceBox.visible)
    assert "could not be started" in dialog.ui.problemLabel.text and dialog.ui.internetButton.enabled


def test_from_another_python_back_to_slicers_own(full_environment, second_environment, make_slicers, shown, wheels):
    second_environment.put(*wheels.glob("*.whl"))
    python = make_slicers(second_environment)
    slicer.app.userSettings().setValue("CTSuperResolution/Python", str(full_environment.python))
    assert install.ensure() == full_environment.python
    dialog = shown(stay=True)
    ui = dialog.ui
    assert str(full_environment.python) in ui.problemLabel.text and ui.otherButton.checked
    assert ui.goOnButton.visible and ui.goOnButton.text == "Use Slicer's Python" and not ui.internetButton.enabled
    ui.goOnButton.click()
    assert dialog.python == python and install.chosen_python() == python


def test_torch_for_the_cpu_beside_a_gpu_is_offered_cuda_and_may_be_left(
    full_environment, make_slicers, shown, gpu, pytorch_extension
):
    python = make_slicers(full_environment)
    dialog = shown()
    ui = dialog.ui
    assert gpu in ui.problemLabel.text and ui.startButton.text == "Install torch for CUDA" and ui.startButton.enabled
    assert ui.goOnButton.visible
    ui.goOnButton.click()
    assert dialog.python == python and install.ensure() == python  # and it is not asked again


def test_another_python_whose_torch_does_not_fit_the_gpu_is_used_only_if_it_is_chosen_again(
    full_environment, second_environment, make_slicers, shown, gpu, torch_code, wait_for
):
    make_slicers(second_environment)
    fault = "CUDA error: no kernel image is available for execution on the device"
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("12.6", True, fault))
    dialog = shown()
    ui = dialog.ui
    ui.otherButton.click()
    ui.otherEdit.currentPath = str(full_environment.folder)
    ui.startButton.click()
    wait_for(lambda: ui.choiceBox.visible and ui.startButton.enabled)
    assert "no kernels for the" in ui.problemLabel.text and "device CPU" in ui.fixLabel.text and dialog.python is None
    ui.startButton.click()
    wait_for(lambda: dialog.python)
    assert dialog.python == full_environment.python


def test_torch_that_does_not_fit_the_gpu_is_offered_another_and_may_be_left(
    full_environment, make_slicers, shown, gpu, torch_code, pytorch_extension
):
    fault = "CUDA error: no kernel image is available for execution on the device"
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("12.6", True, fault))
    python = make_slicers(full_environment)
    dialog = shown()
    ui = dialog.ui
    assert "no kernels for the" in ui.problemLabel.text and ui.startButton.text == "Install torch for CUDA"
    assert ui.goOnButton.text == "Use it as it is"
    ui.goOnButton.click()
    assert dialog.python == python


def test_without_what_compiles_the_kernels_it_is_offered_and_may_be_left(
    full_environment, make_slicers, shown, gpu, torch_code, kernel_wheels, wait_for
):
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("13.0", True))
    python = make_slicers(full_environment)
    dialog = shown()
    ui = dialog.ui
    assert "CUDA kernels" in ui.problemLabel.text and ui.whatLabel.text.startswith("cuda-core, ")
    assert ui.goOnButton.visible and ui.goOnButton.text == "Go on without" and ui.startButton.text == "Install"
    ui.folderButton.click()
    ui.folderEdit.currentPath = str(kernel_wheels(13)[0].parent)
    ui.startButton.click()
    wait_for(lambda: dialog.python)
    assert dialog.python == python and full_environment.has("cuda-bindings") == "13.1"


def test_with_a_gpu_the_kernels_come_after_torch_without_another_question(
    environment, make_slicers, shown, pytorch_extension, gpu, torch_code, wheels, kernel_wheels, wait_for, monkeypatch
):
    python = make_slicers(environment)
    dialog = shown()
    ui = dialog.ui
    assert ui.whatLabel.text.endswith("and what compiles the CUDA kernels")
    asked = []

    class Installs:
        """Puts in what it is asked for, at once."""

        def __init__(self, found, *, on_end, **others):
            self.found, self.on_end = found, on_end

        def start(self):
            asked.append([name_of(each) for each in self.found.missing])
            environment.put(*(kernel_wheels(13) if len(asked) > 1 else wheels.glob("*.whl")))
            (environment.site / "torch" / "__init__.py").write_text(torch_code("13.0", True))
            self.on_end(installer.InstallOutcome(True))

    monkeypatch.setattr("CTSuperResolutionPanel.install.dialog.Installer", Installs)
    ui.startButton.click()
    wait_for(lambda: dialog.python)
    assert dialog.python == python and asked[1:] == [["cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc"]]


def test_where_slicer_runs_tests_what_could_be_better_is_good_enough(full_environment, make_slicers, gpu):
    if not slicer.app.testingEnabled():
        pytest.skip("this Slicer was not started with --testing")
    python = make_slicers(full_environment)
    assert install.ensure() == python


def test_a_locked_down_slicer_leaves_another_python(environment, make_slicers, shown, wait_for):
    if os.geteuid() == 0:
        pytest.skip("the system's administrator may write everywhere")
    make_slicers(environment)
    environment.site.chmod(0o555)
    try:
        ui = shown().ui
        assert "may not write" in ui.fixLabel.text and not ui.internetButton.enabled and ui.otherButton.checked
    finally:
        environment.site.chmod(0o755)
