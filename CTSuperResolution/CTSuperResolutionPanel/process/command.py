"""One command of the library in a background process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from CTSuperResolutionPanel.process import error_messages
from CTSuperResolutionPanel.process.event_stream import LineDecoder, StageProgress, parse_event
from CTSuperResolutionPanel.process.process import Ended, Process, QtProcess, library_command
from CTSuperResolutionPanel.process.process_output import ProcessOutput

CANCEL_MS = 4_000
"""The library stops within two seconds of being asked; then the whole tree of processes is ended."""


class LibraryCommand:
    """Runs one command at a time, and tells who listens of every change.

    Args:
        find_python: the Python to run it with; may ask the user to install what is needed, and gives None where that
            was declined.
        on_change: called after every change.
        make_process: makes a process for one command.

    Attributes:
        busy: a command is under way.
        result: what the last one found; None before its end, and where it failed.
        message: how the last one failed, in a sentence; "" otherwise.
    """

    def __init__(
        self,
        find_python: Callable[[], Path | None],
        on_change: Callable[[], None],
        *,
        make_process: Callable[[], Process] = QtProcess,
    ) -> None:
        self._find_python, self._on_change, self._make_process = find_python, on_change, make_process
        self._output = ProcessOutput()
        self._lines, self._error_lines = LineDecoder(), LineDecoder()
        self._process: Process | None = None
        self._on_done: Callable[[dict[str, Any]], None] = lambda result: None
        self._on_failed: Callable[[], None] = lambda: None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.stop)
        self.busy = False
        self.result: dict[str, Any] | None = None
        self.message = ""

    @property
    def progress(self) -> StageProgress:
        """How far it is."""
        return self._output.progress

    @property
    def note(self) -> str:
        """The last sentence that it had for the user; "" where it had none."""
        return error_messages.tidy(self._output.note)

    @property
    def log(self) -> list[str]:
        """What it has said."""
        return self._output.log

    def start(
        self,
        *arguments: str,
        on_done: Callable[[dict[str, Any]], None],
        on_failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Run ``ctsr`` with these arguments.

        Args:
            arguments: the command, its paths and options.
            on_done: called with what it found, where it went well.
            on_failed: called where it did not, or was cancelled; ``message`` says how.
        """
        if self.busy:
            return
        self.busy, self.result, self.message = True, None, ""
        self._output, self._on_done, self._on_failed = ProcessOutput(), on_done, on_failed
        self._lines, self._error_lines = LineDecoder(), LineDecoder()
        self._on_change()
        python = self._find_python()
        if python is None:
            self._fail(_("Nothing was installed, so nothing was run."))
            return
        self._process = self._make_process()
        self._process.start(
            library_command(python, *arguments, "--events", "json"),
            on_output=self._read,
            on_error_output=self._read_error,
            on_end=self._ended,
        )

    def cancel(self) -> None:
        """Ask it to stop."""
        if self._process is not None:
            self._process.write(b"cancel\n")
            self._timer.start(CANCEL_MS)

    def stop(self) -> None:
        """End it at once, and hear no more of it."""
        if self._process is not None:
            self._process.abandon()
        if self.busy:
            self._fail(_("Cancelled."))

    def _read(self, data: bytes, *, final: bool = False) -> None:
        for line in self._lines.feed(data, final=final):
            self._output.read_line(line, parse_event(line))
        self._on_change()

    def _read_error(self, data: bytes, *, final: bool = False) -> None:
        for line in self._error_lines.feed(data, final=final):
            self._output.add_to_log(line)

    def _ended(self, ended: Ended) -> None:
        self._read(b"", final=True)
        self._read_error(b"", final=True)
        result, error = self._output.result, self._output.error
        if ended.normal and ended.code == 0 and result is not None:
            self.result = result
            self._finish("")
            self._on_done(result)
        elif (error or {}).get("kind") == "cancelled":
            self._fail(_("Cancelled."))
        else:
            self._fail(error_messages.why_it_ended(ended, error))

    def _fail(self, message: str) -> None:
        self._finish(message)
        self._on_failed()

    def _finish(self, message: str) -> None:
        self._timer.stop()
        self._process, self.busy, self.message = None, False, message
        self._on_change()
