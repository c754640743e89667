"""Cancelling, closing the scene, removing the scan and quitting, at every stage of a job."""

from __future__ import annotations

import os
import stat

import pytest
from CTSuperResolutionPanel.process.runner_state import RunnerState

STAGES = ["exporting", "starting", "running", "deaf", "loading"]


@pytest.fixture
def reach(panel, make_scan, state, child, wait_until, monkeypatch):
    """reach("loading"): a job is at that stage."""

    def go(stage: str) -> None:
        runner = panel.logic.runner
        monkeypatch.setattr("CTSuperResolutionPanel.process.runner.CANCEL_MS", 500)
        manners = {"starting": "hangs at the start", "running": "works until cancelled", "deaf": "hangs"}
        child(manners.get(stage, "does well"))
        # Larger where the stage would be over otherwise before anybody sees it.
        state.inputVolume = make_scan(shape=(64, 128, 128) if stage in ("exporting", "loading") else (10, 12, 14))
        state.scale = "2"
        panel.panel.refresh()
        panel.ui.applyButton.click()
        wanted = {"exporting": RunnerState.EXPORTING, "loading": RunnerState.LOADING}.get(stage, RunnerState.RUNNING)
        monkeypatch.setattr("CTSuperResolutionPanel.process.stepper.BUDGET_S", 0.0)
        wait_until(lambda: runner.state is wanted and (stage != "running" or runner.progress.stage == "fit"))

    return go


@pytest.mark.parametrize("stage", STAGES)
def test_cancel(stage, panel, reach, finish, job_folders, slicer):
    reach(stage)
    assert len(job_folders()) == 1
    panel.ui.applyButton.click()
    if stage == "deaf":
        assert panel.ui.applyButton.text == "Cancelling…" and not panel.ui.applyButton.enabled
    finish()
    assert panel.logic.runner.state is RunnerState.IDLE
    assert panel.ui.messageLabel.text == "Cancelled." and panel.ui.applyButton.text == "Apply"
    assert panel.ui.applyButton.enabled
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_the_scan_is_removed(stage, panel, reach, finish, job_folders, slicer, state):
    reach(stage)
    slicer.mrmlScene.RemoveNode(state.inputVolume)
    finish()
    assert panel.logic.runner.state is RunnerState.IDLE
    assert "the scan was removed" in panel.logic.runner.message
    assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


@pytest.mark.parametrize("stage", STAGES)
def test_the_scene_is_closed(stage, panel, reach, finish, job_folders, slicer):
    reach(stage)
    slicer.mrmlScene.Clear(0)
    finish()
    assert "the scene was closed" in panel.logic.runner.message
    assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    panel.panel.refresh()
    assert not panel.ui.applyButton.enabled and "Choose a volume" in panel.ui.estimateLabel.text


@pytest.mark.parametrize("stage", STAGES)
def test_slicer_quits(stage, panel, reach, job_folders):
    """Slicer does not wait: when the signal has been handled, all is gone."""
    reach(stage)
    panel.logic.shut_down()
    assert job_folders() == [] and not panel.logic.runner.busy


def test_another_node_is_removed(panel, reach, finish, slicer, make_scan):
    other = make_scan(name="Other")
    reach("running")
    slicer.mrmlScene.RemoveNode(other)
    assert panel.logic.runner.state is RunnerState.RUNNING
    panel.logic.runner.cancel()
    finish()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_patients_image_is_for_no_other_user(reach, panel, finish, job_folders):
    reach("running")
    (folder,) = job_folders()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    panel.logic.runner.cancel()
    finish()


def test_what_a_slicer_left_that_is_no_more_is_deleted(panel, job_folders, slicer):
    from pathlib import Path

    from CTSuperResolutionPanel.process import job_folder

    left = Path(slicer.app.temporaryPath) / "ctsr-job-999999999-abc"
    of_another = Path(slicer.app.temporaryPath) / f"ctsr-job-{os.getppid()}-abc"
    for folder in (left, of_another):
        folder.mkdir()
        (folder / "input.nrrd").write_bytes(b"image")
    job_folder.delete_left_behind()
    assert not left.exists() and of_another.exists()
    (of_another / "input.nrrd").unlink()
    of_another.rmdir()
