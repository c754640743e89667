#!/usr/bin/env python3
"""Pictures of reader studies: python3 Testing/run_in_venv.py python Testing/screenshots_reader_study.py OUT_DIR

Makes the demonstration's study, reads some of its cases by the panel's keys, analyses it and plans another one, in the
test host and with the real background process. Takes three minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from slicer_host import opengl, system_libraries
from studio import ROOT, SIZE, SMALL, Studio

READER = "You"
DEMO = Path("study-demo")


class StudyStudio(Studio):
    """The panel of reader studies, and a reader."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        super().__init__("CTReaderStudy", folder, size)

    def read_until(self, kind: str) -> None:
        """Answer case after case until one of that kind of task is on the screen."""
        from CTReaderStudyPanel.reading.sitting import State

        read = self.panel.read
        while True:
            self.wait(lambda: read.sitting.state is not State.LOADING, "The next case")
            if read.sitting.state is State.LOOKING:
                found = read.sitting.trial.task.kind
                if found == kind:
                    return
                for key in ["4"] * len(read.sitting.trial.questions) if found == "grading" else ["Left"]:
                    read.press(key)
                self.rest(0.3)
            read.press("Space")


def open_study(studio: StudyStudio) -> None:
    """The folder and the name, as a reader chooses them."""
    ui = studio.children(studio.panel.read.widget)
    ui.folderEdit.currentPath = str(DEMO / "study" / "reader")
    ui.readerComboBox.setCurrentIndex(ui.readerComboBox.findText(READER))


def compare_pair(studio: StudyStudio) -> None:
    """Two images beside each other, with an answer that is not saved yet."""
    studio.panel.read.start()
    studio.read_until("forced_choice")
    studio.panel.read.press("Right")


def grade(studio: StudyStudio) -> None:
    """One image and its questions."""
    studio.read_until("grading")
    studio.panel.read.press("C")
    studio.panel.read.press("4")


def mark(studio: StudyStudio) -> None:
    """One image with marks of both kinds."""
    studio.read_until("marking")
    read = studio.panel.read
    read.press("A")
    (volume,) = read.views.volumes
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    middle = [(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)]
    for key, (right, front) in (("I", (38, -14)), ("M", (-44, 20)), ("M", (-52, -22))):
        read.press(key)
        read.views.on_click([middle[0] + right, middle[1] + front, middle[2]])


def pause(studio: StudyStudio) -> None:
    """A pause."""
    studio.panel.read.press("P")


def analyse(studio: StudyStudio) -> None:
    """The report's main table."""
    studio.panel.read.leave()
    studio.ui.analyseButton.click()
    ui, section = studio.children(studio.panel.analyse.widget), studio.panel.analyse
    ui.folderEdit.currentPath = str(DEMO / "study")
    ui.analyseButton.click()
    studio.wait(lambda: not section.command.busy, "The report")
    if section.command.message:
        sys.exit(section.command.message)


def design(studio: StudyStudio) -> None:
    """A form that is filled in, and what the study would find."""
    studio.ui.designButton.click()
    ui, section = studio.children(studio.panel.design.widget), studio.panel.design
    ui.titleEdit.text = "Chest, cubic against super-resolved"
    ui.casesEdit.currentPath = str(_case_folder())
    ui.readersEdit.text = "Ada, Ben, Cleo, Dan"
    ui.studyEdit.currentPath = str(DEMO / "new-study")
    ui.tasksButton.collapsed, ui.powerButton.collapsed = True, False
    ui.simulateButton.click()
    studio.wait(lambda: not section.command.busy, "The simulation")
    if section.command.message:
        sys.exit(section.command.message)


def _case_folder() -> Path:
    """The demonstration's images in a folder for each case, as a lead has them."""
    key = json.loads((DEMO / "study" / "key.json").read_text(encoding="utf-8"))
    for file, image in key["images"].items():
        if image["method"] in key["methods"]:
            place = DEMO / "cases" / image["case"]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(DEMO / "study" / "reader" / "images" / file, place / f"{image['method']}.nrrd")
    return DEMO / "cases"


STEPS: dict[str, Callable[[StudyStudio], None]] = {
    "study-open": open_study,
    "study-pair": compare_pair,
    "study-grade": grade,
    "study-mark": mark,
    "study-pause": pause,
    "study-analyse": analyse,
    "study-design": design,
}


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--small", action="store_true", help="in a window as on a small laptop, 1280 x 800 pixels")
    parser.add_argument("--demo", type=Path, metavar="DIR", help="what 'ctsr study demo' made; made anew without")
    options = parser.parse_args()
    problem = system_libraries.ensure() or opengl.missing()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    folder, made = options.folder.resolve(), options.demo and options.demo.resolve()
    with tempfile.TemporaryDirectory() as private:
        os.chdir(private)  # so that no picture shows where that was
        if made is not None:
            shutil.copytree(made, DEMO)
        else:
            subprocess.run([sys.executable, "-m", "CTSuperResolutionLib", "study", "demo", str(DEMO)], check=True)
        studio = StudyStudio(folder, SMALL if options.small else SIZE)
        for name, step in STEPS.items():
            step(studio)
            studio.take(name)
        studio.panel.exit()
        os.chdir(ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
