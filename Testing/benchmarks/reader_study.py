#!/usr/bin/env python3
"""Time between two cases of a reading: python3 Testing/run_in_venv.py python Testing/benchmarks/reader_study.py

Makes a study of pairs, reads it by keys in the test host, and prints how long it takes from the key that saves an
answer until the next case is drawn, with that case loaded meanwhile. The processor time is that of the process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing" / "slicer_module" / "reader_study")]
METHODS = ("cubic", "sr")
LOOK_SECONDS = 60  # at most, until the next case is loaded


def make_study(folder: Path, cases: int, size: int) -> Path:
    """A study of pairs of generated volumes."""
    from CTSuperResolutionLib.study.design import design_study
    from CTSuperResolutionLib.study.plan import Plan
    from CTSuperResolutionLib.volume.volume import Volume
    from CTSuperResolutionLib.volume.writing import write_volume

    straight = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    found = {}
    for case in range(cases):
        images = found[f"case{case}"] = {"images": {}}
        for number, method in enumerate(METHODS):
            values = np.random.default_rng([case, number]).integers(-1000, 1000, (size,) * 3).astype(np.float32)
            images["images"][method] = f"{case}-{method}.nrrd"
            write_volume(Volume(values, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), straight), folder / f"{case}-{method}.nrrd")
    task = {"name": "pairs", "kind": "forced_choice", "criteria": ["Which is better?"]}
    plan = {"title": "Benchmark", "readers": ["Ada"], "methods": METHODS, "cases": found, "tasks": [task]}
    design_study(Plan.from_dict(plan, folder), folder / "study")
    return folder / "study"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="voxels along every axis")
    options = parser.parse_args()
    from slicer_host import opengl, system_libraries

    if problem := system_libraries.ensure() or opengl.missing():
        print(problem, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as private:
        study = make_study(Path(private), options.cases, options.size)
        from screenshots_reader_study import StudyStudio
        from studio import SIZE

        studio = StudyStudio(Path(private), SIZE)
        import slicer
        from CTReaderStudyPanel.reading.sitting import State
        from keyboard_reader import press_key

        window, read = slicer.util.mainWindow(), studio.panel.read
        ui = studio.children(read.widget)
        ui.folderEdit.currentPath = str(study / "reader")
        ui.readerComboBox.setCurrentIndex(ui.readerComboBox.findText("Ada"))
        ui.startButton.click()
        press_key(window, "Space")
        studio.wait(lambda: read.sitting.state is State.LOOKING, "The first case")
        waits = []
        while (coming := read.sitting.reading.next_trial) is not None:
            end = time.monotonic() + LOOK_SECONDS
            while read.sitting._images.of(coming.images) is None and time.monotonic() < end:
                studio.rest(0.05)
            press_key(window, "Left")
            studio.rest(0.2)
            start, used = time.perf_counter(), time.process_time()
            press_key(window, "Space")
            studio.wait(lambda: read.sitting.state is State.LOOKING, "The next case")
            for view in read.views.slice_views:
                slicer.app.layoutManager().sliceWidget(view.cell.view).sliceView().renderWindow().Render()
            waits.append((time.perf_counter() - start, time.process_time() - used))
        read.leave()
    for name, seconds in zip(("clock", "processor"), zip(*waits, strict=True), strict=True):
        print(
            f"{name}: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s of {len(seconds)} changes"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
