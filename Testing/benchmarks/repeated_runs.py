"""Repeated runs through the panel's runner, and what grows with them: python Testing/benchmarks/repeated_runs.py [RUNS]

Ten hours of use in some minutes. Jobs end well, are previews, are cancelled, crash, and bring damaged files, one after
the other, with a stand-in for the background process; what they put into the scene is taken away again. Printed is what
is held then: memory, open files, threads, processes, temporary files, nodes and observers. The exit code is 1 where
anything grew.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "Testing" / "slicer_module" / "process" / "child.py"

WELL, PREVIEW, CANCELLED = "does well", "does well as a preview", "works until cancelled"
MANNERS = (WELL, PREVIEW, CANCELLED, "crashes", WELL, "writes too few voxels", PREVIEW, "says a result and writes none")
"""What the runs do, in turn; as child.py has it."""

WARM = 2 * len(MANNERS)
"""Runs before the first look: caches are filled and views are made."""

TOLERATED_MB = 12.0
"""Of growth: what an allocator does not give back. One result that is kept by each run would be 0.4 MB a run."""

OUR_FILES = ("ctsr-job-*", "CTSuperResolution-*")
RUN_SECONDS = 60


@dataclass(frozen=True)
class Usage:
    """What Slicer's process holds at one moment; -1 where the system does not say."""

    memory_mb: float
    files: int
    threads: int
    processes: int
    temporary_files: int
    nodes: int

    def growth(self, after: Usage) -> list[str]:
        """What is more afterwards, in sentences."""
        found = []
        for entry in fields(self):
            before, now = getattr(self, entry.name), getattr(after, entry.name)
            if now - before > (TOLERATED_MB if entry.name == "memory_mb" else 0):
                found.append(f"{entry.name.replace('_', ' ')} grew from {before:g} to {now:g}")
        return found


def usage() -> Usage:
    """What is held now. Processes that are about to end are waited for."""
    import slicer

    gc.collect()
    end = time.monotonic() + 10
    while _processes() and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.02)
    folders = {Path(slicer.app.temporaryPath), Path(tempfile.gettempdir())}
    return Usage(
        memory_mb=_memory_mb(),
        files=len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else -1,
        threads=len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count(),
        processes=_processes(),
        temporary_files=sum(1 for folder in folders for pattern in OUR_FILES for _ in folder.glob(pattern)),
        nodes=slicer.mrmlScene.GetNumberOfNodes(),
    )


def _processes() -> int:
    """Processes that this one started and that are at work still; the last that ended may not have been asked yet."""
    from CTSuperResolutionPanel.process.process_tree import descendants

    return sum(1 for pid in descendants(os.getpid()) if not _has_ended(pid))


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return Path("/proc/self").exists()  # it is gone, or cannot be asked


def _memory_mb() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return -1.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def repeat(panel: Any, runs: int, *, set_manner: Callable[[str], None]) -> Iterator[tuple[int, Usage]]:
    """Do so many runs, and tell after each round of MANNERS what is held.

    Args:
        panel: the module's panel, with a scan that can be run.
        runs: how many.
        set_manner: has the next jobs done by child.py in that manner.
    """
    for number in range(runs):
        manner = MANNERS[number % len(MANNERS)]
        set_manner(WELL if manner == PREVIEW else manner)
        _run_once(panel, manner)
        if (number + 1) % len(MANNERS) == 0 or number + 1 == runs:
            yield number + 1, usage()


def _run_once(panel: Any, manner: str) -> None:
    import slicer

    runner, scene = panel.logic.runner, slicer.mrmlScene
    panel.panel.refresh()
    (panel.ui.previewButton if manner == PREVIEW else panel.ui.applyButton).click()
    assert runner.busy, panel.ui.estimateLabel.text
    _wait(lambda: not runner.busy or (manner == CANCELLED and runner.progress.stage == "fit"))
    if manner == CANCELLED:
        panel.ui.applyButton.click()
        _wait(lambda: not runner.busy)
    assert (manner in (WELL, PREVIEW)) == runner.message.startswith("Done in "), (manner, runner.message, runner.log)
    panel.ui.hidePreviewsButton.click()
    for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if volume.GetAttribute("CTSuperResolution.role"):
            display = volume.GetDisplayNode()
            scene.RemoveNode(volume)  # first: while a view shows it, Slicer would make another display
            scene.RemoveNode(display)
    panel.panel.refresh()


def _wait(condition: Callable[[], bool]) -> None:
    import qt

    end = time.monotonic() + RUN_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a run took too long")
        loop = qt.QEventLoop()
        qt.QTimer.singleShot(5, loop.quit)
        loop.exec_()


def main() -> int:
    """Run them in the test host."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=int, nargs="?", default=200, metavar="RUNS", help="how many (default 200)")
    runs = max(parser.parse_args().runs, 2 * WARM)
    sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "CTSuperResolution")]
    from slicer_host.host import start

    host = start()
    import numpy as np
    import slicer
    from CTSuperResolutionPanel import install
    from CTSuperResolutionPanel.process import hardware, runner
    from CTSuperResolutionPanel.process.process import Command, environment_for

    python = Path(sys.executable)
    install.ensure = lambda parent=None: python
    hardware.Hardware.inspect = lambda self, python, again=False: None

    manners = Path(tempfile.mkdtemp()) / "manner.txt"
    command = Command(str(python), ("-u", str(CHILD), str(manners)), environment_for(python))
    runner.library_command = lambda python, *arguments: command

    host.modules.load(str(ROOT / "CTSuperResolution" / "CTSuperResolution.py"))
    slicer.util.selectModule("CTSuperResolution")
    panel = slicer.util.getModuleWidget("CTSuperResolution")
    panel.logic.hardware.machine = {"gpus": [], "notes": []}
    noise = np.random.default_rng(0).integers(-1000, 1500, (24, 32, 32)).astype(np.int16)
    state = panel.logic.getParameterNode()
    state.inputVolume, state.scale, state.previewVoxels = slicer.util.addVolumeFromArray(noise), "2", 64
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS([16.0, 16.0, 12.0])
    print("runs", *(entry.name for entry in fields(Usage)), sep="\t")
    first = last = None
    for number, held in repeat(panel, runs, set_manner=manners.write_text):
        print(number, *(f"{value:g}" for value in astuple(held)), sep="\t", flush=True)
        first, last = first or (held if number >= WARM else None), held
    grown = first.growth(last) if first is not None and last is not None else ["nothing was measured"]
    print("\n".join(grown) or "Nothing grew.")
    with contextlib.suppress(ValueError):
        panel.cleanup()
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
