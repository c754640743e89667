"""Runner of a job whose background process does well, and of one whose does not."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.process import Command
from CTSuperResolutionPanel.process.process_tree import is_running
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.scene import voxel_geometry
from CTSuperResolutionPanel.scene.result_volumes import NOTE, REPORT, ROLE

from CTSuperResolutionLib.job.method import Method

CRASHES = {
    "crashes": "crashed",
    "is killed by the system": "memory ran out",
    "runs out of memory": "The memory ran out; choose a region, a lower preset or a lower scale.",
    "refuses the job": "It has NaN voxels; set them to -1024 HU.",
    "prints garbage": "without a result",
    "ends without a result": "without a result",
    "says a result and writes none": "could not be read",
    "writes too few voxels": "ends too early",
    "shifts the result by a hundredth of a millimetre": "does not lie where the scan does",
}


@pytest.mark.parametrize("manner", ["speaks in pieces", "does well"])
def test_both_volumes_appear_beside_the_scan(panel, scan, child, finish, job_folders, slicer, manner):
    child(manner)
    panel.ui.applyButton.click()
    assert panel.ui.applyButton.text == "Cancel"
    finish()
    assert panel.logic.runner.state is RunnerState.IDLE
    sr, cubic = (slicer.util.getNode(f"Scan {kind} 2×") for kind in ("SR", "cubic"))
    expected = slicer.util.arrayFromVolume(scan).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    for node, role in ((sr, "sr"), (cubic, "cubic")):
        assert np.array_equal(slicer.util.arrayFromVolume(node), expected)
        assert node.GetDisplayNode().GetWindow() == 1500 and node.GetDisplayNode().GetLevel() == -300
        assert not node.GetDisplayNode().GetAutoWindowLevel()
        assert node.GetAttribute(ROLE) == role and node.GetAttribute(NOTE) == "Not for diagnosis."
        assert json.loads(node.GetAttribute(REPORT))["job"]["scale"] == "2"
    if manner == "speaks in pieces":
        assert "größer – 4×" in "\n".join(panel.logic.runner.log)


def test_a_part_is_handed_over_with_its_margin_and_comes_back_without(
    panel, make_scan, child, finish, slicer, monkeypatch
):
    from CTSuperResolutionPanel.process import task_runner

    written, write = [], task_runner.nrrd.write
    monkeypatch.setattr(
        task_runner.nrrd,
        "write",
        lambda path, voxels, *rest, **named: written.append(voxels.shape) or write(path, voxels, *rest, **named),
    )
    child("does well")
    scan = make_scan(shape=(40, 30, 30))
    part = ((10, 20), (0, 9), (12, 30))
    panel.logic.runner.start(PanelTask(scan.GetID(), "Scan", part, Method("2", "preview"), allow_unusual=True))
    finish()
    sr = slicer.util.getNode("Scan SR 2×")
    assert written == [(22, 15, 24)]  # six voxels more on each side, as far as the scan goes
    assert json.loads(sr.GetAttribute(REPORT))["job"]["roi"] == [[6, 16], [0, 9], [6, 24]]
    expected = slicer.util.arrayFromVolume(scan)[10:20, :9, 12:].repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert np.array_equal(slicer.util.arrayFromVolume(sr), expected)
    first = np.array([12, 0, 10]) - 0.25
    assert np.allclose(sr.GetOrigin(), (voxel_geometry.ijk_to_ras(scan) @ [*first, 1])[:3])


def test_a_scale_that_does_not_suit_the_scan_is_said_before_anything_is_written(panel, make_scan, finish, job_folders):
    task = PanelTask(make_scan().GetID(), "Scan", ((0, 10), (0, 12), (0, 14)), Method("isotropic", "preview"))
    panel.logic.runner.start(task)
    assert panel.logic.runner.state is RunnerState.FAILED
    assert "isotropic already" in panel.logic.runner.message


def test_results_stand_in_the_study_of_the_scan(panel, scan, child, finish, slicer):
    """In a folder of their own there, one for each scan; another run of a scan goes into the same."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(scan), study)
    child("does well")
    for _each in range(2):
        panel.ui.applyButton.click()
        finish()
    folders = set()
    for name in ("Scan SR 2×", "Scan cubic 2×", "Scan SR 2×_1", "Scan cubic 2×_1"):
        item = hierarchy.GetItemByDataNode(slicer.util.getNode(name))
        assert hierarchy.GetItemAncestorAtLevel(item, "Study") == study
        folders.add(hierarchy.GetItemParent(item))
    (folder,) = folders
    assert hierarchy.GetItemParent(folder) == study and hierarchy.GetItemName(folder) == "Scan, super-resolved"


def test_two_scans_have_a_folder_each_and_a_renamed_one_stays_theirs(panel, scan, make_scan, state, child, finish):
    import slicer

    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()

    def folder_of(node) -> int:
        return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))

    child("does well")
    panel.ui.applyButton.click()
    finish()
    first = state.srVolume
    hierarchy.SetItemName(folder_of(first), "My results")
    other = make_scan()  # of the same name
    found = {}
    for each in (other, scan):
        state.inputVolume = each
        panel.panel.refresh()
        panel.ui.applyButton.click()
        finish()
        found[each.GetID()] = folder_of(state.srVolume)
    assert found[scan.GetID()] == folder_of(first) != found[other.GetID()]


def test_a_result_that_comes_while_another_module_is_open_is_compared_on_return(panel, scan, child, finish, slicer):
    layout = slicer.app.layoutManager().layout
    child("does well")
    panel.ui.applyButton.click()
    slicer.util.selectModule("Data")
    finish()
    assert slicer.app.layoutManager().layout == layout  # the views are still the user's
    slicer.util.selectModule("CTSuperResolution")
    layouts = slicer.app.layoutManager()
    assert layouts.layout != layout
    shown = [layouts.sliceWidget(name).mrmlSliceCompositeNode().GetBackgroundVolumeID()
             for name in layouts.sliceViewNames()]  # fmt: skip
    assert {slicer.util.getNode(f"Scan {kind} 2×").GetID() for kind in ("cubic", "SR")} <= set(shown)


@pytest.mark.parametrize("manner", CRASHES)
def test_a_job_that_fails_says_why_in_a_sentence(panel, scan, child, finish, job_folders, slicer, manner):
    child(manner)
    panel.ui.applyButton.click()
    finish()
    runner, ui = panel.logic.runner, panel.ui
    assert runner.state is RunnerState.FAILED
    assert CRASHES[manner] in runner.message and runner.message.endswith(".") and "--" not in runner.message
    assert runner.message.split(";")[0] in ui.messageLabel.text.replace("&#x27;", "'") and ui.messageLabel.visible
    assert ui.applyButton.enabled and ui.applyButton.text == "Apply" and not ui.progressBar.visible
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1
    ui.logButton.click()
    assert ui.logText.visible and "child.py" in ui.logText.plainText
    if manner == "crashes":
        assert "ärgerlich" in ui.logText.plainText


def test_after_a_failure_the_next_job_works(panel, scan, child, finish, state):
    for manner, ends in (("crashes", RunnerState.FAILED), ("does well", RunnerState.IDLE)):
        child(manner)
        panel.ui.applyButton.click()
        finish()
        assert panel.logic.runner.state is ends
    assert state.srVolume is not None and panel.logic.runner.message.startswith("Done in ")


def process_of(panel) -> int:
    """The number of the background process that does jobs; 0 where there is none."""
    process = panel.logic.runner._worker._process
    return 0 if process is None else process._process.processId()


@pytest.mark.parametrize("between", ["does well", "refuses the job", "works until cancelled"])
def test_the_process_stays_for_the_next_job(panel, scan, child, finish, wait_until, job_folders, between):
    """Whatever became of one that it could do something about; and it goes with the module."""
    pids = []
    for manner in ("does well", between, "does well"):
        child(manner)
        panel.ui.applyButton.click()
        if manner == "works until cancelled":
            wait_until(lambda: panel.logic.runner.progress.stage == "fit")
            panel.ui.applyButton.click()
        finish()
        assert job_folders() == []
        pids.append(process_of(panel))
    assert len(set(pids)) == 1 and is_running(pids[0])
    panel.logic.shut_down()
    wait_until(lambda: not is_running(pids[0]))


@pytest.mark.parametrize("manner", ["runs out of memory", "crashes", "prints garbage"])
def test_a_process_that_failed_is_replaced(panel, scan, child, finish, manner):
    child("does well")
    panel.ui.applyButton.click()
    finish()
    first = process_of(panel)
    child(manner)
    panel.ui.applyButton.click()
    finish()
    assert panel.logic.runner.state is RunnerState.FAILED and process_of(panel) == 0
    child("does well")
    panel.ui.applyButton.click()
    finish()
    assert panel.logic.runner.state is RunnerState.IDLE and process_of(panel) not in (0, first)


@pytest.mark.parametrize("manner", ["ends after its job", "ends badly after its result"])
def test_a_process_that_ended_without_a_job_is_started_again(panel, scan, child, finish, wait_until, manner):
    for each in (manner, "does well"):
        child(each)
        panel.ui.applyButton.click()
        finish()
        assert panel.logic.runner.state is RunnerState.IDLE, panel.logic.runner.message
        if each == manner:
            wait_until(lambda: process_of(panel) == 0)


ENDS_AT_FIRST = """
import os, runpy, sys
if not os.path.exists(sys.argv[2]):
    sys.exit(open(sys.argv[2], "w").close())
runpy.run_path(sys.argv[3], run_name="__main__")
"""


def test_a_job_that_came_as_the_process_ended_goes_to_a_new_one(
    panel, scan, child, finish, monkeypatch, python, tmp_path
):
    """As one that was idle for long does: it ends well and has said nothing of the job."""
    from CTSuperResolutionPanel.process import runner

    child("does well")
    was_there, usual = tmp_path / "was there", runner.library_command(python)
    script, manners = usual.arguments[-2:]
    arguments = ("-u", "-c", ENDS_AT_FIRST, manners, str(was_there), script)
    command = Command(str(python), arguments, usual.environment)
    monkeypatch.setattr(runner, "library_command", lambda python, *_: command)
    panel.ui.applyButton.click()
    finish()
    assert was_there.exists()
    assert panel.logic.runner.state is RunnerState.IDLE and panel.logic.runner.message.startswith("Done in ")


def test_a_python_that_is_not_there_is_said(panel, scan, child, finish, job_folders, monkeypatch, tmp_path):
    from CTSuperResolutionPanel import install
    from CTSuperResolutionPanel.process import runner

    forgotten = []
    monkeypatch.setattr(panel.logic.runner, "_forget_python", lambda: forgotten.append(True))
    monkeypatch.setattr(install, "ensure", lambda parent=None: tmp_path / "no-python")
    monkeypatch.setattr(runner, "library_command", lambda python, *arguments: Command(str(python), arguments, {}))
    panel.ui.applyButton.click()
    finish()
    assert "could not be started" in panel.logic.runner.message and forgotten


def test_declining_to_install_runs_nothing(panel, scan, finish, job_folders, monkeypatch):
    from CTSuperResolutionPanel import install

    monkeypatch.setattr(install, "ensure", lambda parent=None: None)
    panel.ui.applyButton.click()
    assert panel.logic.runner.state is RunnerState.IDLE
    assert "Nothing was installed" in panel.ui.messageLabel.text


def test_a_second_job_is_refused_kindly(panel, scan, child, finish, wait_until):
    from CTSuperResolutionLib.errors import JobError

    child("works until cancelled")
    panel.ui.applyButton.click()
    runner = panel.logic.runner
    wait_until(lambda: runner.progress.stage == "fit")
    with pytest.raises(JobError, match="running already"):
        runner.start(runner.task)
    assert runner.state is RunnerState.RUNNING and not panel.ui.previewButton.enabled
    runner.cancel()
    finish()


def test_progress_is_shown_by_stage_with_the_time_left(panel, scan, child, finish, wait_until):
    child("works until cancelled")
    panel.ui.applyButton.click()
    wait_until(lambda: panel.logic.runner.progress.step > 3)
    bar = panel.ui.progressBar
    assert bar.visible and bar.format.startswith("Fitting Gaussians ") and bar.format.endswith("/1000 · 0:02 left")
    assert 400 < bar.value < 600
    panel.logic.runner.cancel()
    finish()


def test_a_process_that_says_nothing_is_pointed_out(panel, scan, child, finish, wait_until, monkeypatch):
    monkeypatch.setattr("CTSuperResolutionPanel.sections.run.SILENCE_S", 0.2)
    monkeypatch.setattr("CTSuperResolutionPanel.process.runner.CANCEL_MS", 200)
    child("hangs")
    panel.ui.applyButton.click()
    wait_until(lambda: "may be stuck" in panel.ui.messageLabel.text)
    panel.logic.runner.cancel()
    finish()


def test_everything_a_job_started_ends_with_it(panel, scan, child, finish, wait_until, monkeypatch):
    monkeypatch.setattr("CTSuperResolutionPanel.process.runner.CANCEL_MS", 200)
    child("has a child that hangs")
    panel.ui.applyButton.click()
    wait_until(lambda: "Grandchild" in panel.logic.runner.message)
    pid = int(panel.logic.runner.message.split()[1])
    assert is_running(pid)
    panel.ui.applyButton.click()
    finish()
    for _ in range(100):
        if not is_running(pid):
            return
        time.sleep(0.02)
    pytest.fail("the grandchild is still there")
