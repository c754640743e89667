"""Interpreters that can run jobs: Slicer's own Python, unless the user chose another."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import slicer

SETTING = "CTSuperResolution/Python"


def slicers_python() -> Path:
    """The Python that comes with Slicer, and finds all that Slicer's own packages need."""
    return Path(shutil.which("PythonSlicer") or sys.executable)


def chosen_python() -> Path:
    """The Python that jobs are run with, inspected or not."""
    chosen = slicer.app.userSettings().value(SETTING)
    return Path(chosen) if chosen else slicers_python()


def choose(python: Path) -> None:
    """Remember which Python to run jobs with."""
    settings = slicer.app.userSettings()
    if is_slicers(python):
        settings.remove(SETTING)
    else:
        settings.setValue(SETTING, str(python))


def is_slicers(python: Path) -> bool:
    """Whether that is Slicer's own Python, the one in which packages may be installed."""
    return python == slicers_python()


def python_in(path: Path) -> Path:
    """The Python that a path means: itself, or that of an environment's folder."""
    if not path.is_dir():
        return path
    places = (path / "bin" / "python", path / "Scripts" / "python.exe", path / "python.exe")
    return next((place for place in places if place.is_file()), path)
