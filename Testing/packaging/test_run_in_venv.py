"""Environments that are made anew, mended or left alone by run_in_venv.py; nothing is installed here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "run_in_venv.py"


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script in a small checkout whose environment is up to date; ``script.calls`` gets what it runs."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("run_in_venv_under_test", SCRIPT)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    loaded.calls = []

    def call(command, *, quiet=False):
        loaded.calls.append([str(part) for part in command])
        if command[1:3] == ["-m", "venv"]:
            make_venv(loaded)
        return 0

    for name, value in {
        "ROOT": tmp_path,
        "VENV": tmp_path / ".venv",
        "BIN": tmp_path / ".venv" / loaded.BIN.name,
        "STAMP": tmp_path / ".venv" / loaded.STAMP.name,
        "call": call,
        "has_gpu": lambda: False,
        "answers": lambda url: False,
    }.items():
        monkeypatch.setattr(loaded, name, value)
    for path in ("pyproject.toml", "CUDAKernels/kernel.h", "CTSuperResolutionLib/old.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("as it was")
    make_venv(loaded)
    loaded.STAMP.write_text(loaded.stamp())
    return loaded


def make_venv(script):
    script.BIN.mkdir(parents=True)
    (script.BIN / "python").touch()
    (script.BIN / "python.exe").touch()


def move(script):
    (script.ROOT / "CTSuperResolutionLib/room").mkdir()
    (script.ROOT / "CTSuperResolutionLib/old.py").rename(script.ROOT / "CTSuperResolutionLib/room/new.py")


def test_an_environment_that_fits_is_left_alone(script):
    (script.ROOT / "CTSuperResolutionLib/old.py").write_text("changed")
    assert script.bring_up_to_date() is None
    assert script.calls == []


@pytest.mark.parametrize(
    "change",
    [
        move,
        lambda script: (script.ROOT / "CTSuperResolutionLib/another.py").touch(),
        lambda script: (script.ROOT / "CTSuperResolutionLib/old.py").unlink(),
        lambda script: script.STAMP.write_text(script.stamp().splitlines()[0] + "\n"),  # as older versions stamped it
    ],
)
def test_where_only_modules_moved_the_project_alone_is_installed_again(script, change):
    change(script)
    assert script.bring_up_to_date() is None
    (pip,) = script.calls
    assert pip[1:4] == ["-m", "pip", "install"] and pip[-3:] == ["--no-deps", "--editable", str(script.ROOT)]
    script.calls.clear()
    assert script.bring_up_to_date() is None and script.calls == []


@pytest.mark.parametrize(
    "change",
    [
        lambda script: (script.ROOT / "pyproject.toml").write_text("changed"),
        lambda script: (script.ROOT / "CUDAKernels/kernel.h").write_text("changed"),
        lambda script: script.STAMP.unlink(),
        lambda script: [(script.BIN / name).unlink() for name in ("python", "python.exe")],
    ],
)
def test_other_changes_make_the_environment_anew(script, change):
    move(script)
    change(script)
    assert script.bring_up_to_date() is None
    assert [sys.executable, "-m", "venv", str(script.VENV)] in script.calls
    assert script.calls[-1][-2:] == ["--editable", f"{script.ROOT}[test]"]
    assert script.STAMP.read_text() == script.stamp()


def test_a_failed_installation_is_said_and_tried_again(script, monkeypatch):
    move(script)
    with monkeypatch.context() as failing:
        failing.setattr(script, "call", lambda command, *, quiet=False: 1)
        assert "pip could not install the project" in script.bring_up_to_date()
    script.bring_up_to_date()
    assert script.calls
