"""Plan of a reader study: what its lead writes down before the study folder is made. Standard library only."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.study.case_folders import cases_in
from CTSuperResolutionLib.study.protocol import DEGRADED, Reading, Task
from CTSuperResolutionLib.study.study_files import MEASURED

READER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,38}[A-Za-z0-9]|[A-Za-z0-9]")
ENTRIES = (
    "title", "readers", "methods", "cases", "training", "tasks", "reading", "window", "reference", "repeats",
    "attention_checks", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One patient's images of a plan.

    Attributes:
        name: of the case.
        images: file or folder of every method.
        truth: whether the case has what a detection task looks for; None where that is no matter.
    """

    name: str
    images: dict[str, Path]
    truth: bool | None = None


@dataclass(frozen=True)
class Plan:
    """What a reader study is made from.

    Attributes:
        title: what readers see.
        readers: their names, which become names of folders.
        methods: what is compared; the first is what the others are compared with.
        cases, training: the images, and those that are read first and with feedback.
        tasks: what is asked.
        reading: how the reading is divided.
        window: centre and width, HU, that every image is shown with.
        reference: name of the images beside which a "reference_rating" shows the others; "" without such a task.
        repeats: share of the trials that every reader sees twice.
        attention_checks: trials of each reader with a known answer.
        seed: of every order.
    """

    title: str
    readers: tuple[str, ...]
    methods: tuple[str, ...]
    cases: tuple[Case, ...]
    training: tuple[Case, ...]
    tasks: tuple[Task, ...]
    reading: Reading
    window: tuple[float, float]
    reference: str
    repeats: float
    attention_checks: int
    seed: int

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan of a JSON file; its paths are taken from the file's folder.

        Raises:
            JobError: it cannot be read, or something in it is missing, unknown or not allowed.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise JobError(f"The plan {path} cannot be read ({error.strerror}); name a file that can.") from None
        except ValueError:
            raise JobError(f"The plan {path} is not JSON; mend it or write it again.") from None
        return cls.from_dict(values, path.parent)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], folder: Path) -> Plan:
        """A plan from plain values, whose relative paths are taken from a folder.

        Raises:
            JobError: something is missing, unknown or not allowed.
        """
        if not isinstance(values, Mapping):
            raise JobError("A plan is a JSON object; write it as one.")
        for name in values:
            if name not in ENTRIES:
                raise unknown("entry of a plan", name, ENTRIES)
        for name in ("title", "readers", "methods", "cases", "tasks"):
            if not values.get(name):
                raise JobError(f"The plan has no {name}; write {'it' if name == 'title' else 'them'} down.")
        methods, reference = tuple(map(str, values["methods"])), str(values.get("reference", ""))
        if DEGRADED in (*methods, reference):
            raise JobError(f"A study calls its own blurred copies '{DEGRADED}'; give that method another name.")
        if len(methods) < 2 or len(set(methods)) < len(methods):
            raise JobError("A study compares at least two methods, each named once; mend the plan's methods.")
        tasks = tuple(map(Task.from_dict, values["tasks"]))
        if len({task.name for task in tasks}) < len(tasks):
            raise JobError("Two tasks of the plan have one name; rename one of them.")
        if any(task.kind == "reference_rating" for task in tasks) and not reference:
            raise JobError("Rating against a reference needs one; write the name of its images as reference.")
        needed = (*methods, *([reference] if reference and reference not in methods else []))
        window = values.get("window", (40.0, 400.0))
        repeats, checks = values.get("repeats", 0.0), values.get("attention_checks", 0)
        if not isinstance(window, list | tuple) or len(window) != 2 or not window[1] > 0:
            raise JobError("The window is a centre and a width above 0, in HU; write two numbers.")
        if not isinstance(repeats, int | float) or not 0 <= repeats <= 1:
            raise JobError(f"The share of repeats is to be from 0 to 1, not {repeats}.")
        wanted = (MEASURED,) if any(task.kind == "marking" for task in tasks) else ()
        cases = _cases(values["cases"], needed, folder, wanted)
        if not isinstance(checks, int) or not 0 <= checks <= len(cases):
            raise JobError(f"There can be 0 to {len(cases)} attention checks, one a case, not {checks}.")
        if checks and all(task.kind == "marking" for task in tasks):
            raise JobError("Marking has no known answer for attention checks; leave them out or add another task.")
        training = _cases(values.get("training", {}), needed, folder)
        if both := {case.name for case in cases} & {case.name for case in training}:
            raise JobError(f"The case '{min(both)}' is for training and for the study; rename one or leave it out.")
        return cls(
            str(values["title"]),
            check_readers(values["readers"]),
            methods,
            cases,
            training,
            tasks,
            Reading.from_dict(values.get("reading", {})),
            (float(window[0]), float(window[1])),
            reference,
            float(repeats),
            checks,
            int(values.get("seed", secrets.randbits(48))),
        )


def check_readers(names: Any) -> tuple[str, ...]:
    """Readers' names, checked.

    Raises:
        JobError: one is no name for a folder, or two are the same but for capitals.
    """
    found = tuple(map(str, names))
    for name in found:
        if READER_NAME.fullmatch(name) is None:
            raise JobError(
                f"The reader's name '{name}' has other signs than letters, digits, spaces, _ and -; rename the reader."
            )
    for name in found:
        if [other.lower() for other in found].count(name.lower()) > 1:
            raise JobError(f"Two readers are called '{name}'; tell their names apart.")
    return found


def _cases(values: Any, needed: tuple[str, ...], folder: Path, wanted: tuple[str, ...] = ()) -> tuple[Case, ...]:
    """Cases of a plan, with the images that are needed, and those that are wanted where they are there."""
    if isinstance(values, str):
        values = {name: {"images": images} for name, images in cases_in((folder / values).absolute()).items()}
    if not isinstance(values, Mapping):
        raise JobError("The cases of a plan are a JSON object of names, or a folder; write them as one.")
    found = []
    for name, entry in values.items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("images"), Mapping):
            raise JobError(f"The case '{name}' has no images; write a path for {', '.join(needed)}.")
        images = {}
        for method in dict.fromkeys((*needed, *(name for name in wanted if name in entry["images"]))):
            if method not in entry["images"]:
                raise JobError(f"The case '{name}' has no image of {method}; add it or leave the case out.")
            images[method] = folder / str(entry["images"][method])
            if not images[method].exists():
                raise JobError(f"There is no image {images[method]} of the case '{name}'; mend its path.")
        truth = entry.get("truth")
        found.append(Case(str(name), images, None if truth is None else bool(truth)))
    return tuple(found)
