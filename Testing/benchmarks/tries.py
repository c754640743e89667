"""Sketches while a setting changes, from the field to the picture: python Testing/benchmarks/tries.py [TRIES]

In the test host, with the real background process: a cube of 16 voxels a side of a generated chest, to 64 at 4×.
Printed are seconds from a change to the sketch over the scan, of the clock and of work in Slicer's process (here) and
in the background process (there), and the memory that they hold. The exit code is 1 where the memory grew.
"""

from __future__ import annotations

import argparse
import atexit
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120  # of one try, at the most
WARM = 6
"""Tries before the first look: caches are filled, and the first preview made its views."""

TOLERATED_MB = 12.0
"""Of growth: what an allocator does not give back. A sketch that is kept would be 1 MB a try here, and more there."""


@dataclass(frozen=True)
class Try:
    """One try: seconds of the clock, and seconds of work and MB of Slicer's process and of the background process."""

    clock: float
    here: float
    there: float
    here_mb: float
    there_mb: float

    def growth(self, after: Try) -> list[str]:
        """What is more afterwards, in sentences."""
        found = []
        for name, before, now in (
            ("Slicer's process", self.here_mb, after.here_mb),
            ("the background process", self.there_mb, after.there_mb),
        ):
            if now - before > TOLERATED_MB:
                found.append(f"{name} grew from {before:.0f} to {now:.0f} MB")
        return found


def prepare(panel: Any) -> None:
    """A chest in the scene, the crosshair in its middle, and the panel set to 4×, preview, the smallest cube."""
    import slicer
    from CTSuperResolutionPanel.scene.phantom import load_phantom

    panel.logic.hardware.machine = {"gpus": [], "notes": []}
    state = panel.logic.getParameterNode()
    state.inputVolume = load_phantom(shape=(40, 48, 56), spacing=6.0)
    state.scale, state.preset, state.previewVoxels = "4", "preview", 64
    bounds = [0.0] * 6
    state.inputVolume.GetRASBounds(bounds)
    centre = np.reshape(bounds, (3, 2)).mean(1)
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS(list(centre))
    panel.panel.refresh()


def tries(panel: Any, count: int) -> Iterator[Try]:
    """Change a field so many times, and wait for the sketch each time."""
    import slicer

    field = slicer.util.findChild(slicer.util.mainWindow(), "dampingField")
    panel.ui.sketchCheckBox.setChecked(True)
    shown = _wait_for_another(panel, None)
    for number in range(count):
        processes = [psutil.Process(), psutil.Process(panel.logic.runner._worker._process._process.processId())]
        before, begun = [_worked(process) for process in processes], time.perf_counter()
        field.setValue(0.1 + 0.01 * (number % 7 + 1))
        shown = _wait_for_another(panel, shown)
        clock = time.perf_counter() - begun
        work = (_worked(process) - was for process, was in zip(processes, before, strict=True))
        yield Try(clock, *work, *(process.memory_info().rss / 1e6 for process in processes))


def _worked(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _wait_for_another(panel: Any, shown: str | None) -> str:
    """Until another sketch lies over the scan, and the views have drawn it."""
    import slicer
    from CTSuperResolutionPanel.scene.previews import find_previews

    end = time.monotonic() + SECONDS
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    while True:
        slicer.app.processEvents()
        over = composite.GetForegroundVolumeID()
        if over != shown and over in [preview.sr.GetID() for preview in find_previews()]:
            slicer.app.processEvents()
            return over
        if time.monotonic() > end:
            raise TimeoutError(f"no sketch came: {panel.logic.runner.message} {panel.logic.runner.log[-3:]}")
        time.sleep(0.002)


def main() -> int:
    """Try in the test host."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tries", type=int, nargs="?", default=50, metavar="TRIES", help="how many (default 50)")
    count = max(parser.parse_args().tries, 2 * WARM)
    sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "CTSuperResolution")]
    from slicer_host.host import start

    host = start()
    import slicer
    from CTSuperResolutionPanel import install
    from CTSuperResolutionPanel.process import acquisition_inspector, hardware

    install.ensure = lambda parent=None: Path(sys.executable)
    hardware.Hardware.inspect = lambda self, python, again=False: None
    acquisition_inspector.AcquisitionInspector.inspect = lambda self, volume, python: None
    host.modules.load(str(ROOT / "CTSuperResolution" / "CTSuperResolution.py"))
    slicer.util.selectModule("CTSuperResolution")
    panel = slicer.util.getModuleWidget("CTSuperResolution")
    prepare(panel)
    found = list(tries(panel, count))
    for name in ("clock", "here", "there"):
        values = [getattr(one, name) for one in found[WARM:]]
        print(f"{name}: {statistics.median(values):.2f} s in the middle, {min(values):.2f} to {max(values):.2f}")
    grown = found[WARM].growth(found[-1])
    print(f"{found[-1].here_mb:.0f} and {found[-1].there_mb:.0f} MB are held", *grown or ["nothing grew"], sep="; ")
    panel.cleanup()
    return 1 if grown else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    atexit._run_exitfuncs()  # the host's folders go
    os._exit(code)  # views of the sketch outlive the interpreter, and would end it with a fault of their own
