"""Background process: started, read from, written to, and ended with all that it started."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import qt
import slicer

from CTSuperResolutionPanel.library import library_folder
from CTSuperResolutionPanel.process.process_tree import kill_tree


@dataclass(frozen=True)
class Command:
    """What to run: a program, its arguments and its whole environment."""

    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        normal: by itself, and not by a crash or a signal. code: its exit code, or the signal on POSIX.
        problem: why it could not be started, "" where it was.
    """

    normal: bool
    code: int
    problem: str = ""


class Process(Protocol):
    """One process, from its start to its end. Callbacks come in the application's thread."""

    def start(
        self,
        command: Command,
        *,
        on_output: Callable[[bytes], None],
        on_error_output: Callable[[bytes], None],
        on_end: Callable[[Ended], None],
    ) -> None:
        """Start it. ``on_end`` comes exactly once, after all output, unless the process is :meth:`abandoned`."""

    def write(self, data: bytes) -> None:
        """To its standard input."""

    def kill(self) -> None:
        """End it, and whatever it started, at once."""

    def abandon(self) -> None:
        """End it as :meth:`kill` does, and hear no more of it."""


class QtProcess:
    """A :class:`Process` by QProcess."""

    def __init__(self) -> None:
        self._process = qt.QProcess()
        self._on_end: Callable[[Ended], None] | None = None

    def start(
        self,
        command: Command,
        *,
        on_output: Callable[[bytes], None],
        on_error_output: Callable[[bytes], None],
        on_end: Callable[[Ended], None],
    ) -> None:
        """As :meth:`Process.start`."""
        process = self._process
        self._on_end = on_end
        self._read = lambda: on_output(process.readAllStandardOutput().data())
        self._read_error = lambda: on_error_output(process.readAllStandardError().data())
        environment = qt.QProcessEnvironment()
        for name, value in command.environment.items():
            environment.insert(name, value)
        process.setProcessEnvironment(environment)
        process.connect("readyReadStandardOutput()", self._read)
        process.connect("readyReadStandardError()", self._read_error)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._failed)
        process.start(command.program, list(command.arguments))

    def write(self, data: bytes) -> None:
        """As :meth:`Process.write`."""
        if self._process.state() != qt.QProcess.NotRunning:  # while it starts, Qt keeps what is written
            self._process.write(data)

    def kill(self) -> None:
        """As :meth:`Process.kill`."""
        if self._process.state() != qt.QProcess.NotRunning:
            kill_tree(self._process.processId())
            self._process.kill()

    def abandon(self) -> None:
        """As :meth:`Process.abandon`."""
        self._on_end = None
        self.kill()
        self._process.waitForFinished(1000)
        self._process.deleteLater()

    def _finished(self, code: int, status: int) -> None:
        self._end(Ended(normal=status == qt.QProcess.NormalExit, code=code))

    def _failed(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:  # all other errors are followed by the end
            self._end(Ended(normal=False, code=-1, problem=self._process.errorString()))

    def _end(self, ended: Ended) -> None:
        if self._on_end is None:
            return
        self._read()
        self._read_error()
        on_end, self._on_end = self._on_end, None
        self._process.deleteLater()
        on_end(ended)


def library_command(python: Path, *arguments: str) -> Command:
    """``ctsr`` with those arguments, by that Python: Slicer's own, or any that has what the library needs."""
    return Command(str(python), ("-m", "CTSuperResolutionLib", *arguments), environment_for(python))


def environment_for(python: Path) -> dict[str, str]:
    """The environment for a Python that is to find the library."""
    own = Path(slicer.app.slicerHome).resolve() in python.resolve().parents
    # Slicer's environment would break another Python, and its own needs it.
    environment = dict(os.environ) if own else dict(slicer.util.startupEnvironment())
    paths = [str(library_folder())]
    if own and environment.get("PYTHONPATH"):
        paths.append(environment["PYTHONPATH"])
    return environment | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
