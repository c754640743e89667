"""Sketches from the field to the picture by the real background process: each comes, and nothing grows with them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import tries

HELD = tries.Try(clock=1.0, here=0.2, there=0.8, here_mb=400.0, there_mb=500.0)


@pytest.mark.slow
def test_fifty_tries_hold_no_more_memory_than_the_first(panel, state, slicer, library_python, monkeypatch, job_folders):
    from CTSuperResolutionPanel import install
    from CTSuperResolutionPanel.scene.previews import find_previews

    monkeypatch.setattr(install, "ensure", lambda parent=None: library_python)
    monkeypatch.setattr(install, "chosen_python", lambda: library_python)
    tries.prepare(panel)
    found = list(tries.tries(panel, 50))
    assert found[tries.WARM].growth(found[-1]) == []
    (sketch,) = find_previews()
    assert slicer.util.arrayFromVolume(sketch.sr).shape == (64, 64, 64)
    assert sketch.report["job"]["settings"]["damping"] == pytest.approx(0.1 + 0.01 * (49 % 7 + 1))
    panel.logic.shut_down()


def test_growth_of_either_process_is_noticed():
    assert HELD.growth(HELD) == [] == HELD.growth(replace(HELD, here_mb=411.0, there_mb=300.0))
    assert HELD.growth(replace(HELD, here_mb=450.0)) == ["Slicer's process grew from 400 to 450 MB"]
    assert HELD.growth(replace(HELD, there_mb=550.0)) == ["the background process grew from 500 to 550 MB"]
