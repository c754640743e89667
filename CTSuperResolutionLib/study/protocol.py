"""Protocol of a reader study: its tasks, what may be answered, and how the reading is divided.

Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.study.criteria import CRITERIA

KINDS = ("grading", "forced_choice", "reference_rating", "marking")
SIDES = ("left", "right")
TIE = "tie"
MARKS = ("invented", "missing")
DEGRADED = "degraded"  # in place of a method: a copy of one of the case's images that anyone sees to be worse
PLANES = ("axial", "coronal", "sagittal")
GRADES = 5  # of a scale unless the plan says otherwise: those of visual grading analysis


@dataclass(frozen=True)
class Task:
    """What a reader is asked of an image or of a pair.

    An answer is a mapping. For ``grading`` and ``reference_rating`` it has ``grades``: a whole number from 1 to
    ``scale`` for every criterion; for ``forced_choice`` a ``choice`` (left, right, or tie where that is allowed) and,
    where the task asks for it and it is no tie, a ``strength`` from 1 to that number; for ``marking`` the ``marks``:
    voxel (z, y, x) and ``kind`` (invented, missing) of each. Every answer may have a ``comment``.

    Attributes:
        name: of the task, unique in its study.
        kind: "grading" (an image alone), "forced_choice" (a pair), "reference_rating" (an image beside a reference) or
            "marking" (points in an image alone).
        criteria: what is graded, or the one question of a pair.
        scale: highest grade.
        tie: whether a pair may be called equal.
        strength: highest strength of a preference; 0 where it is not asked for.
    """

    name: str
    kind: str
    criteria: tuple[str, ...]
    scale: int = GRADES
    tie: bool = False
    strength: int = 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Task:
        """A task from plain values; ``criteria`` may name a ready set of :data:`CRITERIA`.

        Raises:
            JobError: something is missing, unknown or not allowed.
        """
        _require_known("task", values, cls)
        name, kind = str(values.get("name", "")), str(values.get("kind", ""))
        if kind not in KINDS:
            raise unknown("kind of task", kind, KINDS)
        criteria = values.get("criteria", ())
        if isinstance(criteria, str):
            if criteria not in CRITERIA:
                raise unknown("set of criteria", criteria, CRITERIA)
            criteria = CRITERIA[criteria]
        task = cls(
            name,
            kind,
            tuple(map(str, criteria)),
            _whole(values.get("scale", GRADES), "scale", 2, 100),
            bool(values.get("tie", False)),
            _whole(values.get("strength", 0), "strength", 0, 10),
        )
        if not name or not task.criteria or len(set(task.criteria)) < len(task.criteria):
            raise JobError(f"The task '{name or kind}' needs a name and criteria that differ; write both in the plan.")
        if kind in ("forced_choice", "marking") and len(task.criteria) != 1:
            raise JobError(f"The task '{name}' asks one question at a time; make a task of each of its criteria.")
        return task

    def to_dict(self) -> dict[str, Any]:
        """Plain values for :meth:`from_dict`."""
        return asdict(self) | {"criteria": list(self.criteria)}

    def check_answer(self, answer: Mapping[str, Any], shape: tuple[int, int, int] | None = None) -> None:
        """Check an answer against the task.

        Args:
            answer: as the class describes it.
            shape: voxels (z, y, x) of the image, in which marks must lie; None where it is not known.

        Raises:
            JobError: it lacks something, or lies outside the scale.
        """
        if self.kind in ("grading", "reference_rating"):
            grades = answer.get("grades")
            if not isinstance(grades, Mapping) or set(grades) != set(self.criteria):
                raise JobError(f"The task '{self.name}' takes a grade for each of its criteria; give every one.")
            for criterion, grade in grades.items():
                if not _is_whole(grade) or not 1 <= grade <= self.scale:
                    raise JobError(
                        f"The grade {grade} for '{criterion}' is outside the scale; choose 1 to {self.scale}."
                    )
        elif self.kind == "forced_choice":
            self._check_choice(answer)
        else:
            self._check_marks(answer, shape)

    def _check_choice(self, answer: Mapping[str, Any]) -> None:
        choice, strength = answer.get("choice"), answer.get("strength")
        allowed = (*SIDES, TIE) if self.tie else SIDES
        if choice not in allowed:
            raise JobError(f"The choice '{choice}' is none of the task '{self.name}'; choose {', '.join(allowed)}.")
        if not self.strength or choice == TIE:
            if strength is not None:
                raise JobError(f"The task '{self.name}' asks for no strength of this choice; leave it out.")
        elif strength is None or not _is_whole(strength) or not 1 <= strength <= self.strength:
            raise JobError(f"The strength {strength} is outside the scale; choose 1 to {self.strength}.")

    def _check_marks(self, answer: Mapping[str, Any], shape: tuple[int, int, int] | None) -> None:
        marks = answer.get("marks")
        if not isinstance(marks, list):
            raise JobError(f"The task '{self.name}' takes a list of marks; give an empty one where there are none.")
        for mark in marks:
            voxel = mark.get("voxel") if isinstance(mark, Mapping) else None
            if not isinstance(voxel, list | tuple) or len(voxel) != 3 or mark.get("kind") not in MARKS:
                raise JobError(f"A mark has a voxel z,y,x and a kind ({' or '.join(MARKS)}); mark it again.")
            finite = all(isinstance(v, int | float) and math.isfinite(v) for v in voxel)
            if not finite or (
                shape is not None and not all(-0.5 <= v <= n - 0.5 for v, n in zip(voxel, shape, strict=True))
            ):
                raise JobError(f"The mark at {voxel} lies outside the image; mark it again.")


@dataclass(frozen=True)
class Reading:
    """How the reading is divided.

    Attributes:
        most_trials: of one session.
        washout_hours: least time between two sessions' looks at one patient.
        undo: whether the last answer may be taken back.
        window_locked: whether every image keeps the study's window, or only begins with it.
        plane: of :data:`PLANES`, that every trial begins with.
    """

    most_trials: int = 40
    washout_hours: float = 336.0
    undo: bool = True
    window_locked: bool = True
    plane: str = PLANES[0]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reading:
        """From plain values.

        Raises:
            JobError: something is unknown or not allowed.
        """
        _require_known("reading", values, cls)
        hours = values.get("washout_hours", cls.washout_hours)
        if not isinstance(hours, int | float) or not 0 <= hours <= 1e5:
            raise JobError(f"The washout of {hours} hours is not possible; give 0 or more.")
        most = _whole(values.get("most_trials", cls.most_trials), "most_trials", 1, 10_000)
        plane = values.get("plane", cls.plane)
        if plane not in PLANES:
            raise unknown("plane of reading", plane, PLANES)
        undo, locked = (bool(values.get(name, True)) for name in ("undo", "window_locked"))
        return cls(most, float(hours), undo, locked, plane)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for :meth:`from_dict`."""
        return asdict(self)


def _require_known(what: str, values: Mapping[str, Any], cls: type) -> None:
    if not isinstance(values, Mapping):
        raise JobError(f"A {what} of a study is a JSON object; write it as one.")
    known = [field.name for field in fields(cls)]
    for name in values:
        if name not in known:
            raise unknown(f"entry of a {what}", name, known)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: Any, name: str, low: int, high: int) -> int:
    if not _is_whole(value) or not low <= value <= high:
        raise JobError(f"The entry {name} is to be a whole number from {low} to {high}, not {value}.")
    return int(value)
