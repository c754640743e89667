"""Tests that need a Slicer of their own: one that is started, and one that crashes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from CTSuperResolutionPanel.process.process_tree import is_running

ROOT = Path(__file__).resolve().parents[2]
START = f"""
import sys
sys.path[:0] = [{str(ROOT / "Testing")!r}]
from slicer_host.host import start
host = start()
import time
before = set(sys.modules)
begun = time.perf_counter()
host.modules.load({str(ROOT / "CTSuperResolution")!r} + "/MODULE.py")
"""
IMPORT = (
    START
    + """
seconds = time.perf_counter() - begun
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded - set(sys.stdlib_module_names)))
host.modules.module("MODULE").widgetRepresentation()
print(sorted({"torch", "diffusers", "gsplat", "scipy", "SimpleITK", "matplotlib", "pydicom"} & set(sys.modules)))
print(seconds)
"""
)
CRASH = (
    START
    + f"""
import slicer
slicer.util.selectModule("CTSuperResolution")
from pathlib import Path
from CTSuperResolutionPanel import install
from CTSuperResolutionPanel.process import runner
from CTSuperResolutionPanel.process.process import Command, environment_for
import numpy as np
python = Path(sys.executable)
install.ensure = lambda parent=None: python
child = {str(Path(__file__).parent / "process" / "child.py")!r}
manners = Path(sys.argv[1])
manners.write_text("works until cancelled")
runner.library_command = lambda python, *a: Command(
    str(python), ("-u", child, str(manners)), environment_for(python))
panel = slicer.util.getModuleWidget("CTSuperResolution")
state = panel.logic.getParameterNode()
voxels = np.random.default_rng(0).integers(-900, 900, (10, 12, 14)).astype("i2")
state.inputVolume = slicer.util.addVolumeFromArray(voxels)
panel.panel.refresh()
panel.ui.applyButton.click()
while panel.logic.runner.progress.stage != "fit":
    slicer.app.processEvents()
    time.sleep(0.01)
job, process = panel.logic.runner._job, panel.logic.runner._worker._process
print(job.work.folder.path, process._process.processId(), flush=True)
time.sleep(60)
"""
)


@pytest.fixture(autouse=True)
def only_in_the_host(application):
    if application.is_real:
        pytest.skip("a real Slicer is not started from within another one")


@pytest.mark.parametrize("module", ["CTSuperResolution", "CTReaderStudy"])
def test_the_module_is_loaded_without_anything_heavy(module):
    code = IMPORT.replace("MODULE", module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded, heavy, seconds = done.stdout.splitlines()[-3:]
    assert loaded == f"['{module}']", done.stderr
    assert heavy == "[]"
    print(f"The module was imported in {float(seconds):.3f} s.")


@pytest.mark.skipif(os.name == "nt", reason="the crash is a signal")
def test_after_a_crash_of_slicer_nothing_is_left(tmp_path):
    """The background process ends, and the patient's image goes."""
    code = CRASH.replace("MODULE", "CTSuperResolution")
    manners = str(tmp_path / "manner.txt")
    slicer = subprocess.Popen([sys.executable, "-c", code, manners], stdout=subprocess.PIPE, text=True)
    with slicer:
        folder, pid = slicer.stdout.readline().split()
        assert (Path(folder) / "input.nrrd").exists() and is_running(int(pid))
        slicer.send_signal(signal.SIGKILL)
        slicer.wait(10)
    for _ in range(100):
        if not Path(folder).exists() and not is_running(int(pid)):
            return
        time.sleep(0.1)
    pytest.fail(f"{folder}: {Path(folder).exists()}, process {pid}: {is_running(int(pid))}")
