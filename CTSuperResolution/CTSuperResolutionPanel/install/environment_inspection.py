"""Inspection of a Python environment in the background; nothing is imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

from CTSuperResolutionPanel.install import probe
from CTSuperResolutionPanel.install.environment_assessment import assess
from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.interpreters import is_slicers
from CTSuperResolutionPanel.install.requirements import answer_of, question
from CTSuperResolutionPanel.process.process import Command, Ended, Process, QtProcess, environment_for


class EnvironmentInspection:
    """Inspection of one Python, from its start to the assessment.

    Args:
        python: the executable.
        done: called with the status, unless the inspection is stopped before.
        make_process: makes the process.
    """

    def __init__(
        self,
        python: Path,
        done: Callable[[EnvironmentStatus], None],
        *,
        make_process: Callable[[], Process] = QtProcess,
    ) -> None:
        self._python = python
        self._done = done
        self._said = b""
        self._stopped = False
        self._starting = True
        self._process: Process | None = make_process()
        command = Command(str(python), (probe.__file__, question()), environment_for(python))
        self._process.start(command, on_output=self._read, on_error_output=lambda data: None, on_end=self._end)
        self._starting = False

    def stop(self) -> None:
        """Break it off; no status comes."""
        self._stopped = True
        if self._process is not None:
            self._process.abandon()
            self._process = None

    def _read(self, data: bytes) -> None:
        self._said += data

    def _end(self, ended: Ended) -> None:
        self._process = None
        if self._starting:
            # Windows notices within start() that there is no such program: before anybody holds this inspection.
            qt.QTimer.singleShot(0, lambda: self._assess(ended))
        else:
            self._assess(ended)

    def _assess(self, ended: Ended) -> None:
        if self._stopped:
            return
        answer = answer_of(self._said.decode("utf-8", "replace"))
        self._done(assess(self._python, answer, own=is_slicers(self._python), why_silent=_how(ended)))


def _how(ended: Ended) -> str:
    if ended.problem:
        return ended.problem
    how = _("it ended with code {code}") if ended.normal else _("it crashed, code {code}")
    return how.format(code=ended.code)
