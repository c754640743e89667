"""The module's self test, for Slicer's Self Tests module and the Reload and Test button."""

from __future__ import annotations

import time
import unittest

import slicer

from CTSuperResolutionPanel import geometry, roi
from CTSuperResolutionPanel.results import CUBIC, SR
from CTSuperResolutionPanel.runner import Runner
from CTSuperResolutionPanel.sample_data import load_phantom
from CTSuperResolutionPanel.task import Method, Task

QUICK = {"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000}
TIMEOUT_S = 300


def super_resolve_phantom(test: unittest.TestCase) -> None:
    """From a small phantom in the scene to both volumes beside it, through the real process."""
    logic = slicer.util.getModuleWidget("CTSuperResolution").logic
    scan = load_phantom(shape=(10, 12, 16), spacing=12.0)
    task = Task(scan.GetID(), scan.GetName(), roi.whole(scan), Method(scale="2", preset="preview", settings=QUICK))
    placed = run(logic.runner, task)
    for role in (SR, CUBIC):
        test.assertEqual(geometry.shape(placed[role]), (20, 24, 32), logic.runner.message)
        test.assertIs(placed[role].GetNodeReference("CTSuperResolution.scan"), scan)


def run(runner: Runner, task: Task) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Do a task and wait for its end, with the event loop going on; empty where it did not work."""
    found: dict[str, slicer.vtkMRMLScalarVolumeNode] = {}
    runner.on_loaded(lambda done, placed: found.update(placed) if done is task else None)
    runner.start(task)
    end = time.monotonic() + TIMEOUT_S
    while runner.busy and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.01)
    return found
