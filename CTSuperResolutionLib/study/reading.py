"""A reader's way through a study: the next trial, its answer, taking it back, pauses and washout.

Slicer's process imports this: standard library only. :func:`open_reading` opens a study for a reader;
:attr:`StudyReading.trial` is what to show, :meth:`StudyReading.answer` what was said of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.answer_log import AnswerLog
from CTSuperResolutionLib.study.study_files import ANSWERS, Study, Trial, read_study


class SessionProgress(NamedTuple):
    """How far a session is.

    Attributes:
        number, sessions: of the session, from 1, and how many there are.
        answered, total: trials of the session.
    """

    number: int
    sessions: int
    answered: int
    total: int


class StudyReading:
    """One reader's reading of a study, from where it was left; a context manager.

    Args:
        study: what is read.
        reader: a name that the study knows.
        clock: seconds since 1970.

    Raises:
        JobError: on entry, where the log cannot be opened or is of another study or reader.
    """

    def __init__(self, study: Study, reader: str, clock: Callable[[], float] = time.time) -> None:
        self.study, self.reader = study, reader
        self._trials = [(number, trial) for number, found in enumerate(study.sessions_of(reader)) for trial in found]
        self._clock = clock
        self._log = AnswerLog(study.folder / ANSWERS / reader)

    def __enter__(self) -> StudyReading:
        self._log.__enter__()
        try:
            if self._log.entries:
                check_start(self._log.entries[0], self.study, self.reader, self._log.path)
            else:
                self._append("start", study=self.study.id, reader=self.reader, version=__version__)
        except JobError:
            self._log.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._log.close()

    @property
    def folder(self) -> Path:
        """Where this reader's answers are."""
        return self._log.path.parent

    @property
    def answered(self) -> int:
        """How many trials are answered."""
        return len(standing_answers(self._log.entries))

    @property
    def total(self) -> int:
        """How many trials there are."""
        return len(self._trials)

    @property
    def trial(self) -> Trial | None:
        """What to show now; None where everything is answered."""
        return self._trials[self.answered][1] if self.answered < self.total else None

    @property
    def next_trial(self) -> Trial | None:
        """What to load meanwhile; None where this one is the last of its session."""
        now = self.answered
        if now + 1 < self.total and self._trials[now + 1][0] == self._trials[now][0]:
            return self._trials[now + 1][1]
        return None

    @property
    def session(self) -> SessionProgress:
        """The session that the trial is in, or the last one where everything is answered."""
        numbers = [number for number, _ in self._trials]
        now = numbers[min(self.answered, self.total - 1)]
        return SessionProgress(now + 1, numbers[-1] + 1, self.answered - numbers.index(now), numbers.count(now))

    @property
    def seconds_of_answers(self) -> list[float]:
        """How long each answer took that stands."""
        return [entry["seconds"] for entry in standing_answers(self._log.entries)]

    @property
    def opens_session(self) -> bool:
        """Whether the trial is the first of a session."""
        now = self.answered
        return now < self.total and (now == 0 or self._trials[now - 1][0] != self._trials[now][0])

    def require_washout(self) -> None:
        """Check that none of the session's patients was seen too short a time ago in another session.

        Raises:
            JobError: one was; says how long to wait.
        """
        answers = standing_answers(self._log.entries)
        if len(answers) >= self.total:
            return
        session = self._trials[len(answers)][0]
        ahead = {trial.patient for number, trial in self._trials[len(answers) :] if number == session}
        earlier = zip(self._trials, answers, strict=False)
        looks = [entry["time"] for (number, trial), entry in earlier if number != session and trial.patient in ahead]
        hours = self.study.reading.washout_hours - (self._clock() - max(looks, default=-1e12)) / 3600
        if hours > 0:
            wait = f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
            raise JobError(
                f"The next session shows patients that you have seen less than {self.study.reading.washout_hours:g} "
                f"hours ago; come back in {wait}."
            )

    def answer(self, answer: Mapping[str, Any], seconds: float, view: Mapping[str, Any] | None = None) -> str | None:
        """Save the answer to the trial that is shown. When this returns, it is on the disk.

        Args:
            answer: as :class:`.Task` describes it.
            seconds: of looking, without pauses and loading.
            view: what else is to be kept: window, zoom, slices visited, size of the screen.

        Returns:
            what to tell the reader of it, in training; None otherwise.

        Raises:
            JobError: the answer is none of this task, everything is answered, the washout is not over, or it could not
                be saved.
        """
        trial = self.trial
        if trial is None:
            raise JobError("Every case of this study is answered; there is nothing left to read.")
        if self.opens_session:
            self.require_washout()
        trial.task.check_answer(answer, trial.shape)
        self._append(
            "answer",
            trial=trial.id,
            position=self.answered,
            session=self._trials[self.answered][0],
            answer=dict(answer),
            seconds=round(float(seconds), 3),
            view=dict(view or {}),
        )
        return trial.feedback

    def undo(self) -> None:
        """Take the last answer back, so that its trial is shown again.

        Raises:
            JobError: the study does not allow that, or there is no answer to take back, or it was in another session.
        """
        answers = standing_answers(self._log.entries)
        if not self.study.reading.undo:
            raise JobError("This study takes no answer back; go on with the next case.")
        if not answers or self.opens_session or self._log.entries[-1]["kind"] == "undo":
            raise JobError("There is no answer that can be taken back; only the last one of this session can.")
        self._append("undo", trial=answers[-1]["trial"])

    def pause(self, paused: bool) -> None:
        """Note that the reader pauses, or goes on."""
        self._append("pause" if paused else "resume")

    def _append(self, kind: str, **values: Any) -> None:
        self._log.append({"kind": kind, "n": len(self._log.entries), "time": round(self._clock(), 3), **values})


def open_reading(folder: Path, reader: str, clock: Callable[[], float] = time.time) -> StudyReading:
    """The reading of a study's folder by a reader; enter it to read.

    Raises:
        JobError: there is no study, it has no such reader, or an image is missing.
    """
    study = read_study(folder)
    reading = StudyReading(study, reader, clock)
    require_images(study)
    return reading


def require_images(study: Study) -> None:
    """Check that every image is there.

    Raises:
        JobError: one is missing.
    """
    missing = [name for name in study.images if not study.image_path(name).is_file()]
    if missing:
        raise JobError(
            f"{len(missing)} of {len(study.images)} images are missing in {study.image_path(missing[0]).parent}, such "
            f"as {missing[0]}; copy the study again from its lead."
        )


def check_start(entry: Mapping[str, Any], study: Study, reader: str, path: Path) -> None:
    """Check that a log's first entry is of this study and reader.

    Raises:
        JobError: it is not.
    """
    if entry.get("study") != study.id or entry.get("reader") != reader:
        raise JobError(
            f"The log {path} is of reader {entry.get('reader')} in study {entry.get('study')}, not of {reader} in "
            f"{study.id}; put it where it belongs."
        )


def standing_answers(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of a log that were not taken back, in order."""
    answers: list[dict[str, Any]] = []
    for entry in entries:
        if entry["kind"] == "answer":
            answers.append(entry)
        elif entry["kind"] == "undo":
            answers.pop()
    return answers
