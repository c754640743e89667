"""Self test of the module, for Slicer's Self Tests module and the Reload and Test button."""

from __future__ import annotations

import time
import unittest

import slicer

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionPanel import install
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.runner import Runner
from CTSuperResolutionPanel.scene import region_of_interest, voxel_geometry
from CTSuperResolutionPanel.scene.phantom import load_phantom
from CTSuperResolutionPanel.scene.result_volumes import CUBIC, SCAN_REFERENCE, SR, role_of

QUICK = {"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000}
TIMEOUT_S = 300


def super_resolve_phantom(test: unittest.TestCase) -> None:
    """From a small phantom in the scene to both volumes beside it, through the real process.

    Raises:
        unittest.SkipTest: what jobs need is not installed, as on computers that only build Slicer's extensions.
    """
    python = install.ensure(slicer.util.mainWindow())
    if python is None:
        test.skipTest("this computer's Python lacks what jobs need")
    logic = slicer.util.getModuleWidget("CTSuperResolution").logic
    scan = load_phantom(shape=(10, 12, 16), spacing=12.0)
    task = PanelTask(
        scan.GetID(),
        scan.GetName(),
        region_of_interest.whole(scan),
        Method(scale="2", preset="preview", settings=QUICK),
    )
    run(logic.runner, task)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    placed = {role_of(node): node for node in volumes if node.GetNodeReference(SCAN_REFERENCE) is scan}
    for role in (SR, CUBIC):
        test.assertIn(role, placed, logic.runner.message)
        test.assertEqual(voxel_geometry.shape(placed[role]), (20, 24, 32))


def run(runner: Runner, task: PanelTask) -> None:
    """Do a task and wait for its end, with the event loop going on."""
    runner.start(task)
    end = time.monotonic() + TIMEOUT_S
    while runner.busy and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.01)
