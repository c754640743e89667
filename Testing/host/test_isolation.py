"""The host is there only when asked for, and starts without a screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[1]


def run(code: str) -> str:
    paths = [path for path in os.environ["PATH"].split(os.pathsep) if "slicer-host-" not in path]  # this process's own
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=TESTING,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_brings_no_qt_and_no_slicer():
    code = "import sys, slicer_host.host; print(*{'PySide6', 'slicer', 'qt', 'ctk', 'vtk'} & set(sys.modules))"
    assert run(code).strip() == ""


def test_starting_it_brings_no_torch():
    code = "import sys; from slicer_host.host import start; start(); print('torch' in sys.modules)"
    assert run(code).strip() == "False"


def test_quitting_tells_who_waits_and_leaves_no_folder():
    code = """
from slicer_host.host import start
host = start()
import slicer
slicer.app.connect("aboutToQuit()", lambda: print("quit"))
print(host.folders.root)
"""
    folder, told = run(code).split()
    assert told == "quit"
    assert not Path(folder).exists()


def test_python_slicer_is_found_on_the_path_and_is_this_python():
    code = """
import shutil, subprocess, sys
from slicer_host.host import start
start()
import slicer
program = shutil.which("PythonSlicer")
found = subprocess.run([program, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True).stdout
print(found.strip() == sys.prefix)
print(any(item.endswith("Slicer/bin") for item in slicer.util.startupEnvironment()["PATH"].split(":")))
"""
    if sys.platform == "win32":
        pytest.skip("paths are separated otherwise on Windows")
    assert run(code).split() == ["True", "False"]


def test_missing_system_packages_are_named(monkeypatch):
    from slicer_host import system_libraries

    assert system_libraries.missing() == []  # the host runs, so they are there
    assert set(system_libraries.DEBIAN_PACKAGES.values()) >= {"libegl1", "libgl1", "libxkbcommon0"}
    monkeypatch.setattr(system_libraries, "DEBIAN_PACKAGES", {"libNotThere.so.9": "libnotthere9"})
    monkeypatch.setattr("os.geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr("sys.platform", "linux")
    assert "sudo apt-get install libnotthere9" in system_libraries.ensure()


def test_windows_are_listed_while_garbage_of_windows_waits():
    """PySide alone crashes here: its list names popups whose owners are collected while the list is made."""
    code = """
import gc, sys
from slicer_host.host import start
start()
import qt, slicer
class Panel(qt.QWidget):
    def __init__(self):
        qt.QWidget.__init__(self)
        self.itself = self
        box = qt.QComboBox(self)
        box.addItem("one")
        box.view()
slicer.util.mainWindow()
gc.set_threshold(10**6)
for _ in range(200):
    Panel()
gc.set_threshold(gc.get_count()[0] + 100)
print(slicer.util.mainWindow() is not None)
"""
    assert run(code).splitlines()[-1] == "True"
