"""A study in a folder, the panel of reader studies, and a reader who presses keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from CTReaderStudyPanel.reading.sitting import State
from slicer_host.fixtures import ROOT

from CTSuperResolutionLib.study.design import design_study
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

MODULE_FILE = ROOT / "CTSuperResolution" / "CTReaderStudy.py"
SHAPE, SPACING = (8, 24, 32), (3.0, 1.0, 1.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
TASKS = {
    "grade": {"name": "grade", "kind": "grading", "criteria": ["Sharp vessels", "Sharp bronchi", "Little noise"]},
    "prefer": {
        "name": "prefer", "kind": "forced_choice", "criteria": ["Which is sharper?"], "tie": True, "strength": 3,
    },
    "like": {"name": "like", "kind": "reference_rating", "criteria": ["As the reference?"], "scale": 10},
    "mark": {"name": "mark", "kind": "marking", "criteria": ["What is invented or missing?"]},
}  # fmt: skip


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> tuple[Path, dict]:
    """Images of some cases, and how a plan names them. Each method has a value of its own in a corner."""
    folder, cases = tmp_path_factory.mktemp("images"), {}
    for number in range(4):
        rng = np.random.default_rng(number)
        body = rng.normal(0, 100, SHAPE).astype(np.float32)
        files = {}
        for value, method in enumerate(("cubic", "sr", "truth"), 100):
            files[method] = f"{number}-{method}.nrrd"
            body[0, 0, 0] = value
            write_volume(Volume(body, SPACING, (5.0, 6.0, 7.0), STRAIGHT), folder / files[method])
        cases[f"case{number}"] = {"images": files}
    return folder, cases


@pytest.fixture
def make_study(images, tmp_path) -> Callable[..., Path]:
    """make_study("grade", "prefer", …, window_locked=False): the folder of a study with these tasks."""

    def make(*tasks: str, training: bool = False, readers=("Ada", "Ben"), **reading: Any) -> Path:
        folder, cases = images
        values = {
            "title": "Chest",
            "readers": readers,
            "methods": ["cubic", "sr"],
            "reference": "truth",
            "cases": {name: case for name, case in cases.items() if name != "case3"},
            "training": {"practice": cases["case3"]} if training else {},
            "tasks": [TASKS[task] for task in tasks],
            "reading": {"most_trials": 40, "washout_hours": 0} | reading,
            "window": [-600, 1500],
            "seed": 3,
        }
        design_study(Plan.from_dict(values, folder), tmp_path / "study")
        return tmp_path / "study"

    return make


@pytest.fixture
def module(application, slicer) -> Iterator[Any]:
    """The module's panel, loaded from its file and shown in a window that has the focus."""
    slicer.app.userSettings().remove("CTReaderStudy/Folder")
    widget = application.load(MODULE_FILE)
    yield widget
    if slicer.app.moduleManager().module("CTReaderStudy") is not None:
        application.unload("CTReaderStudy")


class Reader:
    """A person at the panel, with nothing but a keyboard once the study is open."""

    def __init__(self, widget: Any, slicer: Any, application: Any, wait_until: Callable[..., None]) -> None:
        import slicer as slicer_

        self.widget, self.slicer, self._application, self._wait = widget, slicer, application, wait_until
        self.section = widget.panel.read
        self.ui: SimpleNamespace = slicer_.util.childWidgetVariables(self.section.widget)

    @property
    def sitting(self):
        return self.section.sitting

    @property
    def trial(self):
        return self.sitting.trial

    def open(self, folder: Path, name: str = "Ada") -> None:
        """Choose the folder and the name, press the button, and begin the session."""
        self.ui.folderEdit.currentPath = str(folder)
        if (place := self.ui.readerComboBox.findText(name)) > 0:
            self.ui.readerComboBox.setCurrentIndex(place)
        self.ui.startButton.click()
        if self.sitting.state is State.BREAK:
            self.press("Space")
        self.settle()

    def settle(self) -> None:
        """Images come, and views get their sizes."""
        self._wait(lambda: self.sitting.state is not State.LOADING)
        for _turn in range(3):
            self.slicer.app.processEvents()

    def press(self, *keys: str) -> None:
        """Keys as a keyboard sends them to the window; in a real Slicer, their shortcuts."""
        window = self.slicer.util.mainWindow()
        for key in keys:
            if self._application.is_real:
                found = [s for s in window.children() if s.inherits("QShortcut") and s.key.toString() == key]
                found[0].activated.emit()
            else:
                press_key(window, key)
            self.slicer.app.processEvents()

    def answer(self) -> None:
        """Answer the trial that is shown, by keys alone."""
        kind = self.trial.task.kind
        if kind in ("grading", "reference_rating"):
            self.press(*"345"[: len(self.trial.questions)])
        elif kind == "forced_choice":
            self.press("Left", *("2" * bool(self.trial.task.strength)))
        self.press("Space")
        while self.sitting.state in (State.BREAK, State.FEEDBACK):
            self.press("Space")
        self.settle()

    def volumes(self) -> list[Any]:
        """What the views on the screen show, from left to right."""
        views = self.slicer.app.layoutManager().layoutLogic().GetViewNodes()
        nodes = [views.GetItemAsObject(place) for place in range(views.GetNumberOfItems())]
        logics = [self.slicer.app.applicationLogic().GetSliceLogic(node) for node in nodes]
        names = [logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in logics if logic is not None]
        return [self.slicer.mrmlScene.GetNodeByID(name) if name else None for name in names]


def press_key(window: Any, key: str) -> None:
    """Press a key in the test host's window."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    other = {"Del": "Delete", "PgUp": "PageUp", "PgDown": "PageDown", "Esc": "Escape", "Enter": "Return"}
    code = getattr(Qt.Key, f"Key_{other.get(key, key)}")
    plain = window.__dict__["_object"]
    while not plain.isActiveWindow():
        plain.activateWindow()
        QApplication.processEvents()
    QTest.keyClick(plain.focusWidget() or plain, code)


@pytest.fixture
def reader(module, slicer, application, wait_until) -> Reader:
    return Reader(module, slicer, application, wait_until)


@pytest.fixture
def entries() -> Callable[..., list[dict]]:
    """entries(folder, "Ada"): what the log says."""

    def read(folder: Path, name: str = "Ada", kind: str = "answer") -> list[dict]:
        log = folder / "reader" / "answers" / name / "answers.jsonl"
        found = [json.loads(line)["entry"] for line in log.read_text().splitlines()] if log.exists() else []
        return [entry for entry in found if entry["kind"] == kind]

    return read


@pytest.fixture
def key() -> Callable[[Path], dict]:
    """key(folder): the secret of a study."""
    return lambda folder: json.loads((folder / "key.json").read_text())
