"""Installer that works in the background, one process after the other, so that the window stays alive."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.pip_errors import explain_failure
from CTSuperResolutionPanel.install.plan import FINDER, Step, constraints_of, steps_offline, steps_online
from CTSuperResolutionPanel.install.probe import numbers
from CTSuperResolutionPanel.process.event_stream import LineDecoder
from CTSuperResolutionPanel.process.process import Command, Ended, Process, QtProcess, environment_for

RAW_BAR = (24, 1)
"""The first pip that says how far a download is to who is no terminal."""


@dataclass(frozen=True)
class InstallProgress:
    """Progress of an installation: which of how many steps, and bytes of the file that is being downloaded."""

    title: str
    step: int
    steps: int
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class InstallOutcome:
    """How an installation ended; the reason is a sentence where it did not work."""

    ok: bool
    reason: str = ""


def pip_is_busy() -> bool:
    """Whether Slicer (5.11 and later) installs packages for another module: two pips at once spoil the environment."""
    packaging = getattr(slicer, "packaging", None)
    return packaging is not None and packaging.isPipInstallInProgress()


def set_pip_busy(busy: bool) -> None:
    """Let Slicer's own installations (5.11 and later) wait for this one, or no longer."""
    packaging: Any = getattr(slicer, "packaging", None)
    if hasattr(packaging, "_pip_install_in_progress"):
        packaging._pip_install_in_progress = busy


class Installer:
    """One installation.

    Args:
        found: what is missing, and of which Python.
        wheels: a folder to install from, or None for the package servers.
        torch_arguments: what the PyTorch extension gives to light-the-torch.
        finder: what it gives to pip to install that.
        on_line: called with each line of the log.
        on_progress: called when a step begins and as downloads proceed.
        on_end: called once, with how it ended.
    """

    def __init__(
        self,
        found: EnvironmentStatus,
        *,
        wheels: Path | None = None,
        torch_arguments: Sequence[str] = (),
        finder: Sequence[str] = FINDER,
        on_line: Callable[[str], None],
        on_progress: Callable[[InstallProgress], None],
        on_end: Callable[[InstallOutcome], None],
        make_process: Callable[[], Process] = QtProcess,
    ) -> None:
        self._found = found
        self._offline = wheels is not None
        self._on_line, self._on_progress, self._on_end = on_line, on_progress, on_end
        self._make_process = make_process
        self._process: Process | None = None
        self._log: list[str] = []
        self._cancelled = False
        self._folder = Path(tempfile.mkdtemp(prefix="CTSuperResolution-install-"))
        constraints = self._folder / "constraints.txt"
        constraints.write_text(constraints_of(found), encoding="utf-8")
        self._steps = (
            steps_offline(found, constraints, wheels)
            if wheels is not None
            else steps_online(found, constraints, torch_arguments, finder)
        )
        self._done = 0

    def start(self) -> None:
        """Begin."""
        slicer.app.connect("aboutToQuit()", self.abandon)
        set_pip_busy(True)
        self._next()

    def cancel(self) -> None:
        """End it at once; what is half there by then is recognised at the next inspection. ``on_end`` comes."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()

    def abandon(self) -> None:
        """End it at once and tell nobody."""
        self._on_end = lambda outcome: None
        if self._process is not None:
            process, self._process = self._process, None
            process.abandon()
            self._finish(InstallOutcome(False))

    @property
    def _step(self) -> Step:
        return self._steps[self._done]

    def _next(self) -> None:
        environment = environment_for(self._found.python) | {"PYTHONUNBUFFERED": "1"}
        if numbers(self._found.answer["pip"]) >= RAW_BAR:
            environment["PIP_PROGRESS_BAR"] = "raw"
        arguments = self._step.arguments
        self._say(f"$ python {' '.join(arguments)}")
        self._on_progress(InstallProgress(self._step.title, self._done, len(self._steps)))
        output, errors = LineDecoder(), LineDecoder()

        def end(ended: Ended) -> None:
            for lines in (output, errors):
                self._read(lines.feed(b"", final=True))
            self._ended(ended)

        self._process = self._make_process()
        self._process.start(
            Command(str(self._found.python), arguments, environment),
            on_output=lambda data: self._read(output.feed(data)),
            on_error_output=lambda data: self._read(errors.feed(data)),
            on_end=end,
        )

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            if bar := re.fullmatch(r"Progress (\d+) of (\d+)", line.strip()):
                done, total = map(int, bar.groups())
                self._on_progress(InstallProgress(self._step.title, self._done, len(self._steps), done, total))
            elif line.strip():
                self._say(line.rstrip())

    def _say(self, line: str) -> None:
        self._log.append(line)
        self._on_line(line)

    def _ended(self, ended: Ended) -> None:
        self._process = None
        if self._cancelled:
            self._finish(InstallOutcome(False, _("The installation was cancelled.")))
        elif ended.problem:
            self._finish(InstallOutcome(False, _("{python} could not be started.").format(python=self._found.python)))
        elif ended.code or not ended.normal:
            answer = self._found.answer
            python = f"Python {answer['python'][0]}.{answer['python'][1]}, {answer['platform']}"
            self._finish(
                InstallOutcome(False, explain_failure(self._log, ended.code, offline=self._offline, python=python))
            )
        else:
            self._done += 1
            if self._done < len(self._steps):
                self._next()
            else:
                self._finish(InstallOutcome(True))

    def _finish(self, outcome: InstallOutcome) -> None:
        slicer.app.disconnect("aboutToQuit()", self.abandon)
        set_pip_busy(False)
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
        self._on_end(outcome)
