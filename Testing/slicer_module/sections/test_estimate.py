"""The estimate before a job: size, memory, device, disk and time, and how it follows the jobs done."""

from __future__ import annotations

import pytest
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.runtime_calibration import RuntimeCalibration
from CTSuperResolutionPanel.sections import estimate

from CTSuperResolutionLib.job.method import Method

pytestmark = pytest.mark.usefixtures("machine")

GB = 10**9


def test_one_line_says_size_memory_device_and_time(scan, shown, state):
    text, enabled = shown()
    assert enabled
    assert text.startswith("28 × 24 × 20 voxels of 0.5 × 0.5 × 0.5 mm · ")
    assert " of 8.0 GB free memory · CPU · about " in text
    state.scale = "4"
    assert shown()[0].startswith("56 × 48 × 40 voxels of 0.25 × 0.25 × 0.25 mm · ")


def test_while_the_device_is_not_known_none_is_promised(scan, shown, panel):
    panel.logic.hardware.machine = None
    text, enabled = shown()
    assert "CPU or GPU" in text and enabled


def test_a_gpu_is_called_by_its_name_and_its_memory_counts(scan, shown, panel, state):
    gpu = {"device": "cuda:0", "name": "NVIDIA RTX A2000", "memory_mb": 6000}
    panel.logic.hardware.machine = {"gpus": [gpu], "notes": ["A newer driver would help."]}
    text, enabled = shown()
    assert "of 6.0 GB free memory · NVIDIA RTX A2000 · " in text and "A newer driver would help." in text and enabled
    gpu["free_mb"] = 2500
    assert "of 2.5 GB free memory · NVIDIA RTX A2000 · " in shown()[0]
    state.device = "cpu"
    assert "of 8.0 GB free memory · CPU · " in shown()[0]


def test_what_is_free_on_a_gpu_is_asked_again_when_the_module_is_opened(panel, slicer, monkeypatch):
    asked = []
    monkeypatch.setattr(panel.logic.hardware, "inspect", lambda python, again=False: asked.append(again))
    for gpus in ([], [{"device": "cuda:0", "name": "NVIDIA RTX A2000", "memory_mb": 6000, "free_mb": 2500}]):
        panel.logic.hardware.machine = {"gpus": gpus, "notes": []}
        slicer.util.selectModule("Data")
        slicer.util.selectModule("CTSuperResolution")
    assert asked == [False, True]


def test_too_little_memory_is_said_with_what_would_fit(panel, make_scan, shown, monkeypatch, state):
    state.inputVolume, state.preset = make_scan(shape=(60, 60, 60)), "paper"
    monkeypatch.setattr("CTSuperResolutionPanel.process.hardware.free_memory", lambda: 2 * GB)
    text, enabled = shown()
    assert not enabled and "that are free may be taken; choose" in text and "preset" in text and "--" not in text


def test_a_result_too_large_for_any_memory_offers_a_region(panel, make_scan, shown, state):
    state.inputVolume = make_scan(shape=(200, 300, 300))
    state.scale = "8"
    text, enabled = shown()
    assert not enabled and "a region of at most" in text and "voxels" in text and ":" not in text.split("·")[-1]


def test_the_margin_around_a_part_counts(panel, make_scan):
    """In the memory, and not in the size of what comes out."""
    task = PanelTask(make_scan().GetID(), "Scan", ((0, 120),) * 3, Method("4", "preview", device="cpu"))
    found = [
        estimate.estimate(task, (n, n, n), (1.0, 1.0, 1.0), panel.logic.hardware, 100 * GB).line.split(" · ")
        for n in (120, 132)
    ]
    sizes, memories = [line[0] for line in found], [float(line[1].split("\N{NO-BREAK SPACE}")[0]) for line in found]
    assert sizes[0] == sizes[1] and memories[0] < memories[1]


def test_too_little_disk_is_said(scan, shown, monkeypatch):
    monkeypatch.setattr("CTSuperResolutionPanel.process.job_folder.free_space", lambda: 10_000)
    text, enabled = shown()
    assert not enabled and "temporary disk space" in text


def test_the_estimate_learns_how_fast_this_computer_is(scan, panel, finish, shown, monkeypatch):
    known = {"cpu": RuntimeCalibration(4.0, 1.0)}
    monkeypatch.setattr(estimate, "load_calibration", lambda device: known[device])
    monkeypatch.setattr(estimate, "save_calibration", lambda device, new: known.update({device: new}))
    panel.ui.applyButton.click()
    finish()
    assert known["cpu"] == RuntimeCalibration(4.0, 1.0)  # this report has no stages
    task, expected = panel.logic.runner.task, RuntimeCalibration(0.0, 1.0)
    needed = estimate.requirements_on("cpu", 1 << 40, task.method, task.region, (1.0, 1.0, 1.0), task.shape)
    expected_stages = estimate._expected(task.method, needed)
    stages = {name: {"seconds": 4 * seconds} for name, seconds in expected_stages.items()}
    total = expected.seconds({name: stage["seconds"] for name, stage in stages.items()}) + 20.0
    for _ in range(8):
        estimate.calibrate(task, task.shape, (1.0, 1.0, 1.0), {"device": "cpu", "stages": stages}, total)
    assert known["cpu"].factor == pytest.approx(4.0, rel=0.05) and known["cpu"].overhead == pytest.approx(20, rel=0.05)
    assert estimate.duration_text(total) in shown()[0]


TIMES = {1: "about 5 s", 22: "about 20 s", 49: "about 50 s", 70: "about 1 min", 600: "about 10 min"}


@pytest.mark.parametrize(("seconds", "text"), TIMES.items())
def test_times_are_said_as_a_person_would(seconds, text):
    assert estimate.duration_text(seconds) == text


def test_a_gpu_that_is_not_there_is_said(scan, shown, state):
    state.device = "cuda"
    text, enabled = shown()
    assert not enabled and "no NVIDIA GPU that can be used" in text
