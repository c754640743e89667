"""Answers of a study: what every reader's log says, joined with the key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.answer_log import FILE, read_log
from CTSuperResolutionLib.study.protocol import TIE, Task
from CTSuperResolutionLib.study.reading import check_start, require_images, standing_answers
from CTSuperResolutionLib.study.study_files import ANSWERS, KEY, Key, Study, Trial, read_key, read_study


@dataclass(frozen=True)
class Answer:
    """One standing answer.

    Attributes:
        reader: who gave it.
        trial: what was shown.
        role: "training", "main", "repeat" or "attention".
        case: its name. methods: what was shown, from left to right.
        session, position: number of the session, and of the trial within it, from 0.
        seconds: of looking.
        values: what was said.
    """

    reader: str
    trial: Trial
    role: str
    case: str
    methods: tuple[str, ...]
    session: int
    position: int
    seconds: float
    values: dict[str, Any]

    @property
    def method(self) -> str:
        """What was judged: the image that is alone, or beside the reference."""
        return self.methods[-1]

    @property
    def preferred(self) -> str | None:
        """Of a pair, the method that was preferred; None for a tie."""
        choice = self.values["choice"]
        return None if choice == TIE else self.methods[("left", "right").index(choice)]


@dataclass(frozen=True)
class Answers:
    """All answers of a study, with what they are to.

    Attributes:
        study, key: of the answers.
        all: every reader's standing answers.
        readers: who has answered anything, in the study's order.
    """

    study: Study
    key: Key
    all: tuple[Answer, ...]
    readers: tuple[str, ...]

    @property
    def cases(self) -> list[str]:
        """Names of the cases, in the key's order."""
        return list(self.key.truth)

    def of(self, task: Task, role: str) -> list[Answer]:
        """The answers to one task in one role."""
        return [answer for answer in self.all if answer.trial.task.name == task.name and answer.role == role]

    def grades(self, task: Task, criterion: str, method: str, role: str = "main") -> np.ndarray:
        """Grades of one criterion by one method, (readers, cases), NaN without an answer."""
        return self._table(
            [a for a in self.of(task, role) if a.method == method], lambda a: a.values["grades"][criterion]
        )

    def preferences(self, task: Task, first: str, second: str, role: str = "main") -> np.ndarray:
        """Where the second method was preferred: 1, 0, 1/2 for a tie, NaN without an answer; (readers, cases)."""
        pair = [a for a in self.of(task, role) if set(a.methods) == {first, second}]
        return self._table(pair, lambda a: 0.5 if a.preferred is None else float(a.preferred == second))

    def _table(self, answers: Sequence[Answer], value: Callable[[Answer], float]) -> np.ndarray:
        table = np.full((len(self.readers), len(self.cases)), np.nan)
        for answer in answers:
            table[self.readers.index(answer.reader), self.cases.index(answer.case)] = value(answer)
        return table


def read_answers(folder: Path) -> Answers:
    """The answers of a study's folder, which has the key.

    Raises:
        JobError: study, key or a log cannot be read, do not belong together, or were edited; or an answer is none of
            its task.
    """
    study = read_study(folder)
    key = read_key(folder, study)
    found: list[Answer] = []
    logs = logs_of(study)
    for reader, entries in logs.items():
        place = {t.id: (s, i, t) for s, trials in enumerate(study.sessions_of(reader)) for i, t in enumerate(trials)}
        for entry in standing_answers(entries):
            if entry["trial"] not in place:
                raise JobError(f"The log of {reader} answers a trial that is not in the study; leave this reader out.")
            session, position, trial = place[entry["trial"]]
            trial.task.check_answer(entry["answer"], trial.shape)
            known = key.trials[trial.id]
            found.append(
                Answer(
                    reader,
                    trial,
                    known["role"],
                    known["case"],
                    tuple(known["methods"]),
                    session,
                    position,
                    entry["seconds"],
                    entry["answer"],
                )
            )
    return Answers(study, key, tuple(found), tuple(logs))


def logs_of(study: Study) -> dict[str, list[dict[str, Any]]]:
    """The entries of every log that is there, by reader, in the study's order.

    Raises:
        JobError: a log cannot be read, was edited, or is of another study or reader; or lies in the folder of none.
    """
    logs = {}
    for path in sorted((study.folder / ANSWERS).glob(f"*/{FILE}")):
        if path.parent.name not in study.sessions:  # left out without a word, it would be missed by nobody
            raise JobError(
                f"The log {path} is in the folder of no reader of this study; name the folder after its reader, or "
                "take it away."
            )
    for reader in study.sessions:
        path = study.folder / ANSWERS / reader / FILE
        if path.is_file() and (entries := read_log(path)):
            check_start(entries[0], study, reader, path)
            logs[reader] = entries
    return logs


def check_study(folder: Path) -> dict[str, Any]:
    """Check everything in a study's folder: files, checksums of images, the key where there is one, and the logs.

    Returns:
        the study's id and title, the number of its images, whether a key is there, and of every reader how many trials
        are answered and how many there are.

    Raises:
        JobError: something is missing, was changed, or does not belong to the rest.
    """
    study = read_study(folder)
    require_images(study)
    for name, stated in study.images.items():
        if hashlib.sha256(study.image_path(name).read_bytes()).hexdigest() != stated:
            raise JobError(f"The image {study.image_path(name)} was changed; copy the study again from its lead.")
    has_key = (folder / KEY).exists()
    if has_key:
        read_key(folder, study)
    logs = logs_of(study)
    progress = {
        reader: [len(standing_answers(logs.get(reader, []))), sum(map(len, sessions))]
        for reader, sessions in study.sessions.items()
    }
    return {"study": study.id, "title": study.title, "images": len(study.images), "key": has_key, "readers": progress}
