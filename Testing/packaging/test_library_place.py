"""Where the panel finds the library: beside the module when installed, one folder up in a checkout."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

PLACE = Path("CTSuperResolutionPanel") / "library.py"
SOURCE = Path(__file__).resolve().parents[2] / "CTSuperResolution" / PLACE


def panel_in(module: Path):
    """The panel's file in a module's folder, loaded."""
    file = module / PLACE
    file.parent.mkdir(parents=True)
    shutil.copy(SOURCE, file)
    spec = importlib.util.spec_from_file_location("library_of_the_panel", file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def put_library(folder: Path) -> Path:
    (folder / "CTSuperResolutionLib").mkdir(parents=True)
    (folder / "CTSuperResolutionLib" / "__init__.py").touch()
    return folder


@pytest.mark.parametrize("place", [".", ".."], ids=["installed", "checkout"])
def test_the_library_is_found_and_comes_before_any_other_of_its_name(tmp_path, monkeypatch, place):
    module = tmp_path / "CTSuperResolution"
    panel = panel_in(module)
    beside = put_library((module / place).resolve())
    monkeypatch.setattr(sys, "path", [str(put_library(tmp_path / "other"))])
    assert panel.library_folder() == beside
    panel.add_to_path()
    panel.add_to_path()
    assert sys.path == [str(beside), str(tmp_path / "other")]


def test_an_installed_module_does_not_take_what_happens_to_lie_above_it(tmp_path):
    module = tmp_path / "CTSuperResolution"
    panel = panel_in(module)
    put_library(tmp_path)
    assert panel.library_folder() == tmp_path
    put_library(module)
    assert panel.library_folder() == module


def test_a_module_without_its_library_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="install the extension again"):
        panel_in(tmp_path / "CTSuperResolution").library_folder()
