"""Repeated runs leave nothing: the benchmark of two hundred in short, and what it would notice."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import repeated_runs

HELD = repeated_runs.Usage(memory_mb=400.0, files=9, threads=4, processes=0, temporary_files=0, nodes=88)


@pytest.fixture(autouse=True)
def temporary_folder_of_its_own(monkeypatch, tmp_path):
    """What other tests leave in the computer's temporary folder meanwhile is not counted."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.slow
def test_nothing_grows_with_the_runs(panel, make_scan, state, child, slicer):
    panel.logic.hardware.machine = {"gpus": [], "notes": []}
    state.inputVolume, state.scale, state.previewVoxels = make_scan(shape=(24, 32, 32)), "2", 64
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS([16.0, 16.0, 12.0])
    runs = repeated_runs.WARM + len(repeated_runs.MANNERS)
    held = [found for _number, found in repeated_runs.repeat(panel, runs, set_manner=child)]
    assert held[-2].growth(held[-1]) == []
    assert held[-1].processes <= 1  # the one that does the next job
    assert held[-1].temporary_files == 0


def test_a_leak_of_any_kind_is_noticed():
    assert HELD.growth(HELD) == [] == HELD.growth(replace(HELD, memory_mb=411.0, nodes=80))
    assert HELD.growth(replace(HELD, memory_mb=480.0)) == ["memory mb grew from 400 to 480"]
    for name in ("files", "threads", "processes", "temporary_files", "nodes"):
        (said,) = HELD.growth(replace(HELD, **{name: getattr(HELD, name) + 1}))
        assert said.startswith(name.replace("_", " "))


def test_what_a_run_leaves_is_counted(panel, slicer):
    before = repeated_runs.usage()
    left = Path(slicer.app.temporaryPath) / "ctsr-job-left"
    left.mkdir()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    with open(left.parent / "file", "w") as file:
        assert len(before.growth(repeated_runs.usage())) == 3
        file.write("")
    slicer.mrmlScene.RemoveNode(node)
    left.rmdir()
    (left.parent / "file").unlink()
    assert before.growth(repeated_runs.usage()) == []
