"""Tests in this folder run in the test host, and unchanged in a real Slicer; from here on slicer can be imported.

Here are a scan in the scene, and a background process that is real, or a small script that behaves as a test asks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slicer_host.fixtures import *  # noqa: F403

CHILD = Path(__file__).parent / "process" / "child.py"


@pytest.fixture(scope="session")
def python() -> Path:
    """What runs background processes here."""
    return Path(shutil.which("PythonSlicer") or sys.executable)


@pytest.fixture(scope="session")
def library_python(python) -> Path:
    """A Python that has all that jobs need: $CTSR_PYTHON, or Slicer's own; the test is skipped where neither has."""
    found = Path(os.environ.get("CTSR_PYTHON") or python)
    asked = subprocess.run(
        [str(found), "-c", "import torch, diffusers"], capture_output=True, text=True, timeout=300, check=False
    )
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["nothing was said"])[-1]
        pytest.skip(f"{found} lacks what jobs need ({reason}); name another Python in $CTSR_PYTHON")
    return found


@pytest.fixture
def installed(application, monkeypatch, python):
    """What the background process needs is there: installing is tested elsewhere. No scan is looked at unasked."""
    from CTSuperResolutionPanel import install
    from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector

    monkeypatch.setattr(AcquisitionInspector, "inspect", lambda self, volume, python: None)
    monkeypatch.setattr(install, "ensure", lambda parent=None: python)
    monkeypatch.setattr(install, "chosen_python", lambda: python)


@pytest.fixture
def child(monkeypatch, python, tmp_path_factory):
    """child("hangs"): jobs are done, from now on, by child.py in that manner."""
    from CTSuperResolutionPanel.process import hardware, runner
    from CTSuperResolutionPanel.process.process import Command, environment_for

    manners = tmp_path_factory.mktemp("child") / "manner.txt"  # not among what a test looks at
    command = Command(str(python), ("-u", str(CHILD), str(manners)), environment_for(python))
    monkeypatch.setattr(runner, "library_command", lambda python, *arguments: command)
    # Nobody asks what the machine has, which takes the seconds of an import of torch.
    monkeypatch.setattr(hardware.Hardware, "inspect", lambda self, python, again=False: None)
    return manners.write_text


@pytest.fixture
def make_scan(slicer):
    """make_scan(shape=…, matrix=…): a CT-like volume of random values in the scene."""

    def make(shape=(10, 12, 14), matrix=None, name="Scan", dtype=np.int16, window=(1500, -300)):
        rng = np.random.default_rng(0)
        array = rng.integers(-1000, 1500, shape).astype(dtype)
        node = slicer.util.addVolumeFromArray(array, name=name)
        if matrix is not None:
            node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(*window)
        return node

    return make


@pytest.fixture
def make_bent_transform(slicer):
    """make_bent_transform(): a transform that moves one corner of a cube of 10 mm by 5 mm, and no other one."""

    def make():
        import vtk

        before, after = vtk.vtkPoints(), vtk.vtkPoints()
        for corner in np.ndindex(2, 2, 2):
            before.InsertNextPoint([10 * c for c in corner])
            after.InsertNextPoint([10 * c + 5 * (not any(corner)) for c in corner])
        spline = vtk.vtkThinPlateSplineTransform()
        spline.SetBasisToR()
        spline.SetSourceLandmarks(before)
        spline.SetTargetLandmarks(after)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
        node.SetAndObserveTransformToParent(spline)
        return node

    return make


@pytest.fixture
def state(panel):
    """The choices of the panel."""
    return panel.logic.getParameterNode()


@pytest.fixture
def scan(panel, make_scan, state):
    """A small scan, chosen in the panel, at 2x."""
    node = make_scan()
    state.inputVolume = node
    state.scale = "2"
    panel.panel.refresh()
    return node


@pytest.fixture
def job_folders(slicer):
    """What there is of job folders now."""

    def there() -> list[Path]:
        return sorted(Path(slicer.app.temporaryPath).glob("ctsr-job-*"))

    assert there() == []
    yield there
    assert there() == []


@pytest.fixture
def finish(panel, wait_until):
    """finish(): the event loop runs until the job has ended."""

    def wait(timeout: float = 20.0) -> None:
        wait_until(lambda: not panel.logic.runner.busy, timeout, "the end of the job")

    return wait
