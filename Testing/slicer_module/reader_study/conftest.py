"""A study in a folder, the panel of reader studies, and a reader who presses keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from keyboard_reader import MODULE_FILE, Reader

from CTSuperResolutionLib.study.design import design_study
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

SHAPE, SPACING = (8, 24, 32), (3.0, 1.0, 1.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
TASKS = {
    "grade": {"name": "grade", "kind": "grading", "criteria": ["Sharp vessels", "Sharp bronchi", "Little noise"]},
    "prefer": {
        "name": "prefer", "kind": "forced_choice", "criteria": ["Which is sharper?"], "tie": True, "strength": 3,
    },
    "like": {"name": "like", "kind": "reference_rating", "criteria": ["As the reference?"], "scale": 10},
    "chest": {"name": "chest", "kind": "grading", "criteria": "chest"},
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
