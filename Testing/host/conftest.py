"""Tests of the test host itself, which a real Slicer does not need."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slicer_host.fixtures import *  # noqa: F403


@pytest.fixture
def import_more(slicer, tmp_path):
    """import_more(): adds a scene with one text to this one."""

    def add():
        scene = slicer.vtkMRMLScene()
        scene.AddNewNodeByClass("vtkMRMLTextNode", "More")
        scene.SetURL(str(tmp_path / "more.mrml"))
        assert scene.Commit()
        slicer.mrmlScene.SetURL(str(tmp_path / "more.mrml"))
        assert slicer.mrmlScene.Import()

    return add
