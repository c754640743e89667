"""Event loop of the window during a job, and how long it is blocked: python Testing/benchmarks/event_loop.py

Runs the module in the test host from Apply to side by side, with a cube of noise as the scan and a method that does
next to nothing, and prints the longest times that the event loop did not come round, with what the job was doing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"views": 4, "iterations": 1, "ddim_steps": 1, "gaussians": 100, "max_gaussians": 100, "consistency_rounds": 1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=64, help="along each side of the scan (default 64)")
    parser.add_argument("--scale", default="4", help="as the panel has it (default 4)")
    parser.add_argument("--stand-in", action="store_true", help="repeat voxels and no more: for large results")
    options = parser.parse_args()

    sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "CTSuperResolution")]
    from slicer_host.host import start

    host = start()
    import qt
    import slicer

    host.modules.load(str(ROOT / "CTSuperResolution" / "CTSuperResolution.py"))
    slicer.util.selectModule("CTSuperResolution")
    from CTSuperResolutionPanel import install

    install.ensure = lambda parent=None: Path(sys.executable)
    if options.stand_in:
        from CTSuperResolutionPanel.process import runner as module
        from CTSuperResolutionPanel.process.process import Command, environment_for

        child = str(ROOT / "Testing" / "slicer_module" / "process" / "child.py")
        manner = Path(tempfile.mkdtemp()) / "manner.txt"
        manner.write_text("does well")
        module.library_command = lambda python, *arguments: Command(
            str(python), (child, str(manner)), environment_for(python)
        )
    panel = slicer.util.getModuleWidget("CTSuperResolution")
    shape = (options.voxels,) * 3
    noise = np.random.default_rng(0).normal(-200, 100, shape).astype(np.int16)
    scan = slicer.util.addVolumeFromArray(noise, name="Noise")
    scan.GetDisplayNode().SetAutoWindowLevel(False)
    state = panel.logic.getParameterNode()
    state.inputVolume, state.scale, state.preset, state.settings = scan, options.scale, "preview", json.dumps(QUICK)
    slicer.util.setSliceViewerLayers(background=scan, fit=True)
    wait(slicer, 1.0)
    panel.panel.refresh()
    print(panel.ui.estimateLabel.text)

    runner, gaps, begun = panel.logic.runner, [], time.perf_counter()
    last = [begun, time.thread_time()]

    def tick() -> None:
        now, used = time.perf_counter(), time.thread_time()
        gaps.append((now - last[0], used - last[1], now - begun, runner.state.value))
        last[:] = now, used

    timer = qt.QTimer()
    timer.setInterval(0)
    timer.connect("timeout()", tick)
    states = []
    runner.on_change(lambda: states.append((time.perf_counter() - begun, runner.state.value)))
    timer.start()
    last[:] = time.perf_counter(), time.thread_time()
    panel.ui.applyButton.click()
    loop = qt.QEventLoop()
    end = qt.QTimer()
    end.setInterval(50)
    end.connect("timeout()", lambda: None if runner.busy else loop.quit())
    end.start()
    loop.exec_()
    wait(slicer, 1.5)
    timer.stop()

    seen = ""
    for when, name in states:
        if name != seen:
            print(f"{when:8.2f} s  {name}")
            seen = name
    if state.srVolume is None:
        print(runner.message, *runner.log[-5:], sep="\n")
        return 1
    print(f"result: {'x'.join(map(str, state.srVolume.GetImageData().GetDimensions()))}")
    print("longest times that the event loop did not come round:")
    for length, used, when, name in sorted(gaps, reverse=True)[:6]:
        print(f"{1000 * length:8.0f} ms, {1000 * used:.0f} ms of them at work, until {when:.2f} s ({name})")
    return 0


def wait(slicer, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
