"""The two files of a study: study.json for the readers and key.json for its lead. Standard library only.

A study's folder has ``reader/``, which is handed to the readers (``study.json``, ``images/`` and, while they read,
``answers/``), and ``key.json``, which stays with the lead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.study.protocol import Reading, Task

VERSION = 1
MEASURED = "measured"  # images of it, and the folder beside the key that has them for the marks
STUDY, KEY, IMAGES, ANSWERS, READER_PART = "study.json", "key.json", "images", "answers", "reader"


@dataclass(frozen=True)
class Trial:
    """One look of a reader.

    Attributes:
        id: opaque, unique in the study.
        task: what is asked.
        patient: opaque; the same in every look at one patient.
        images: names of the files, from left to right.
        questions: the task's criteria in the order in which they are asked.
        feedback: what a training trial says once it is answered; None for all others.
        shape: voxels (z, y, x) of its images.
    """

    id: str
    task: Task
    patient: str
    images: tuple[str, ...]
    questions: tuple[str, ...]
    feedback: str | None
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Study:
    """What study.json says.

    Attributes:
        folder: the readers' part of the study's folder.
        id: of the study.
        title: what readers see.
        tasks: by name.
        reading: how the reading is divided.
        window: centre and width, HU.
        images: SHA-256 of every image file, by name.
        sessions: trials of every reader's sessions, by reader.
    """

    folder: Path
    id: str
    title: str
    tasks: dict[str, Task]
    reading: Reading
    window: tuple[float, float]
    images: dict[str, str]
    sessions: dict[str, list[list[Trial]]]

    def image_path(self, name: str) -> Path:
        """Where an image lies."""
        return self.folder / IMAGES / name

    def sessions_of(self, reader: str) -> list[list[Trial]]:
        """The sessions of a reader.

        Raises:
            JobError: the study has no such reader.
        """
        if reader not in self.sessions:
            raise unknown("reader of this study", reader, self.sessions)
        return self.sessions[reader]


@dataclass(frozen=True)
class Key:
    """What key.json says.

    Attributes:
        study: id of the study that it opens.
        methods: what is compared; the first is what the others are compared with.
        reference: name of the reference images, or "".
        images: case and method of every image, by its name.
        trials: role, case and methods (from left to right) of every trial, by its id.
        truth: whether a case has what is looked for, by its name; None where that is no matter.
        seed: of the study's orders.
        measured: by the case's name, the file of what its scan supports without a prior, where there is one.
    """

    study: str
    methods: tuple[str, ...]
    reference: str
    images: dict[str, dict[str, str]]
    trials: dict[str, dict[str, Any]]
    truth: dict[str, bool | None]
    seed: int
    measured: dict[str, Path]


def read_study(folder: Path) -> Study:
    """The study in a folder: that of the readers' part, or the one that has it in ``reader``.

    Raises:
        JobError: there is none, or it is of another version, or damaged.
    """
    if not (folder / STUDY).is_file() and (folder / READER_PART / STUDY).is_file():
        folder = folder / READER_PART
    values = _read(folder / STUDY, "study")
    try:
        tasks = {task["name"]: Task.from_dict(task) for task in values["tasks"]}
        shapes = {name: tuple(image["shape"]) for name, image in values["images"].items()}
        sessions = {
            reader: [[_trial(trial, tasks, shapes) for trial in session] for session in found]
            for reader, found in values["readers"].items()
        }
        return Study(
            folder,
            values["study"],
            values["title"],
            tasks,
            Reading.from_dict(values["reading"]),
            (values["window"][0], values["window"][1]),
            {name: image["sha256"] for name, image in values["images"].items()},
            sessions,
        )
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        raise JobError(f"{folder / STUDY} is damaged; copy the study again from its lead.") from None


def read_key(folder: Path, study: Study) -> Key:
    """The key of a study, from the folder that has it.

    Raises:
        JobError: there is none, it is of another version or damaged, or it is the key of another study.
    """
    values = _read(folder / KEY, "key")
    try:
        names = ("study", "methods", "reference", "images", "trials", "truth", "seed")
        measured = {case: folder / MEASURED / name for case, name in values.get(MEASURED, {}).items()}
        others = {"methods": tuple(values["methods"]), MEASURED: measured}
        key = Key(**{name: values[name] for name in names} | others)
    except (KeyError, TypeError):
        raise JobError(f"{folder / KEY} is damaged; take the copy that the study was made with.") from None
    if key.study != study.id:
        raise JobError(
            f"{folder / KEY} is the key of study {key.study} and {study.folder / STUDY} is study {study.id}; "
            "put the key beside the study that it was made with."
        )
    trials = [trial for found in study.sessions.values() for session in found for trial in session]
    missing = [trial.id for trial in trials if trial.id not in key.trials]
    if missing:
        raise JobError(f"{folder / KEY} does not know trial {missing[0]}; take the copy that the study was made with.")
    return key


def write_json(values: Mapping[str, Any], path: Path) -> None:
    """Plain values as indented JSON."""
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path, kind: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(f"There is no {path} that can be read ({error.strerror}); name the folder of a study.") from None
    except ValueError:
        raise JobError(f"{path} is damaged; copy it again from the study's lead.") from None
    if not isinstance(values, dict) or values.get("format") != f"ctsr-{kind}":
        raise JobError(f"{path} is not the {kind} of a reader study; name the folder of one.")
    if values.get("version") != VERSION:
        raise JobError(
            f"{path} is of version {values.get('version')} and this program reads version {VERSION}; use the version "
            "of CTSuperResolution that the study was made with."
        )
    return values


def _trial(values: Mapping[str, Any], tasks: Mapping[str, Task], shapes: Mapping[str, Any]) -> Trial:
    images = tuple(values["images"])
    return Trial(
        values["trial"],
        tasks[values["task"]],
        values["patient"],
        images,
        tuple(values["questions"]),
        values["feedback"],
        shapes[images[0]],
    )
