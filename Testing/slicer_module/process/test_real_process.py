"""The real background process, from the button to the volumes in the scene."""

from __future__ import annotations

import json

import numpy as np
import pytest
from CTSuperResolutionPanel import install
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.scene import previews
from CTSuperResolutionPanel.scene.phantom import load_phantom
from CTSuperResolutionPanel.scene.result_volumes import report_of

QUICK = {"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000}


@pytest.fixture
def runs_the_library(library_python, monkeypatch):
    """Jobs are done by a Python that has what they need, which Slicer's own may not."""
    monkeypatch.setattr(install, "ensure", lambda parent=None: library_python)
    monkeypatch.setattr(install, "chosen_python", lambda: library_python)


@pytest.mark.slow
@pytest.mark.usefixtures("runs_the_library")
def test_apply_with_defaults_on_the_phantom(panel, state, finish, wait_until, job_folders, slicer):
    """Both volumes side by side, the panel tells what was done, and what the next job will take has been learnt."""
    wait_until(lambda: panel.logic.hardware.machine is not None, 60, "the look at the machine")
    state.inputVolume = load_phantom(shape=(12, 16, 16), spacing=12.0)
    panel.panel.refresh()
    assert panel.ui.applyButton.enabled, panel.ui.estimateLabel.text
    panel.ui.applyButton.click()
    finish(120)
    runner = panel.logic.runner
    assert runner.state is RunnerState.IDLE and runner.message.startswith("Done in "), runner.log
    for node in (state.srVolume, state.cubicVolume):
        assert slicer.util.arrayFromVolume(node).shape == (48, 64, 64)
        assert node.GetDisplayNode().GetWindow() == 1500
    report = report_of(state.srVolume)
    assert report["job"]["preset"] == "balanced" and report["scale"] == [4, 4, 4]
    assert report["consistency"]["sr"]["rms_hu"] < report["consistency"]["cubic"]["rms_hu"]
    shown = [slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode().GetBackgroundVolumeID()
             for name in slicer.app.layoutManager().sliceViewNames()]  # fmt: skip
    assert state.srVolume.GetID() in shown and state.cubicVolume.GetID() in shown
    panel.panel.refresh()
    assert "HU rms" in panel.ui.reportLabel.text


@pytest.mark.slow
@pytest.mark.usefixtures("runs_the_library")
def test_try_here_then_cancel_the_next_one(panel, state, finish, wait_until, job_folders, slicer):
    state.inputVolume = load_phantom(shape=(10, 12, 16), spacing=12.0)
    state.scale, state.preset, state.settings, state.previewVoxels = "2", "preview", json.dumps(QUICK), 16
    panel.panel.refresh()
    panel.ui.previewButton.click()
    finish(60)
    (one,) = previews.find_previews()
    assert slicer.util.arrayFromVolume(one.sr).shape == (16, 16, 16), panel.logic.runner.log
    assert not np.array_equal(slicer.util.arrayFromVolume(one.sr), slicer.util.arrayFromVolume(one.cubic))
    state.preset = "paper"
    panel.panel.refresh()
    panel.ui.applyButton.click()
    wait_until(lambda: panel.logic.runner.progress.stage not in ("", "load"), 60, "the first stage")
    panel.ui.applyButton.click()
    finish(5)
    assert panel.logic.runner.message == "Cancelled."
    assert not any("Traceback" in line for line in panel.logic.runner.log)


def test_the_self_test_passes(panel, slicer, job_folders, child):
    import CTSuperResolution

    child("does well")
    test = CTSuperResolution.CTSuperResolutionTest()
    test.messageDelay = 1
    test.runTest()
