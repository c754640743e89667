"""Worker: the one background process of a session that does jobs, and has its libraries loaded for the next."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from CTSuperResolutionLib.job.job_queue import CancelRequest, JobRequest
from CTSuperResolutionPanel.process.event_stream import LineDecoder, parse_event
from CTSuperResolutionPanel.process.process import Command, Ended, Process, QtProcess
from CTSuperResolutionPanel.process.process_output import ProcessOutput

REUSABLE = ("input", "cancelled")
"""Kinds of errors after which a process is as good as before; after any other, the next job gets a new one."""


@dataclass
class _Asked:
    """A job that the process was asked for: what it says of it, and who listens."""

    request: JobRequest
    output: ProcessOutput
    on_news: Callable[[], None]
    on_over: Callable[[Ended | None], None]


class Worker:
    """Starts the process when the first job comes, and again where it has ended, and keeps it otherwise.

    Args:
        make_process: makes the process.
    """

    def __init__(self, *, make_process: Callable[[], Process] = QtProcess) -> None:
        self._make_process = make_process
        self._process: Process | None = None
        self._command: Command | None = None
        self._asked: dict[str, _Asked] = {}
        self._lines, self._error_lines = LineDecoder(), LineDecoder()

    def ask(
        self,
        command: Command,
        request: JobRequest,
        output: ProcessOutput,
        *,
        on_news: Callable[[], None],
        on_over: Callable[[Ended | None], None],
    ) -> None:
        """Have a job done.

        Args:
            command: of the process; one that was started otherwise is replaced.
            request: the job.
            output: gets all that the process says meanwhile.
            on_news: called when it has said something.
            on_over: called once, when the job's last event came; with how the process ended, where none came before.
        """
        if self._command != command:
            self.stop()
        output.add_to_log(shlex.join([command.program, *command.arguments]))
        self._asked[request.id] = _Asked(request, output, on_news, on_over)
        if self._process is None:
            self._start(command)
        else:
            self._process.write(request.to_line().encode())

    def cancel(self, id: str) -> None:
        """Ask the process to stop a job."""
        if self._process is not None:
            self._process.write(CancelRequest(id).to_line().encode())

    def stop(self) -> None:
        """End the process at once, with all that it started; nobody hears of its jobs any more."""
        process, self._process, self._command = self._process, None, None
        self._asked.clear()
        if process is not None:
            process.abandon()

    def _start(self, command: Command) -> None:
        self._lines, self._error_lines = LineDecoder(), LineDecoder()
        self._command, self._process = command, self._make_process()
        self._process.start(command, on_output=self._read, on_error_output=self._read_error, on_end=self._ended)
        for asked in list(self._asked.values()):
            if self._process is not None:
                self._process.write(asked.request.to_line().encode())

    def _read(self, data: bytes, *, final: bool = False) -> None:
        for line in self._lines.feed(data, final=final):
            event = parse_event(line)
            id = None if event is None else event.get("id")
            asked = self._asked.get(id) if isinstance(id, str) else self._newest()
            if asked is None:
                continue
            asked.output.read_line(line, event if id is not None else None)
            if id is not None and asked.output.finished:
                self._over(asked)
            else:
                asked.on_news()

    def _over(self, asked: _Asked) -> None:
        """The last event of a job came."""
        del self._asked[asked.request.id]
        error = asked.output.error
        if error is not None and error.get("kind") not in REUSABLE and not self._asked:
            self.stop()
        asked.on_over(None)

    def _read_error(self, data: bytes, *, final: bool = False) -> None:
        asked = self._newest()
        for line in self._error_lines.feed(data, final=final):
            if asked is not None:
                asked.output.add_to_log(line)
        if asked is not None:
            asked.on_news()

    def _ended(self, ended: Ended) -> None:
        """The process is no more. A job that came when it was about to end, as idle ones do, goes to a new one."""
        command, self._process = self._command, None
        self._read(b"", final=True)
        self._read_error(b"", final=True)
        left = list(self._asked.values())
        if command is not None and left and ended.normal and not ended.code and not any(a.output.heard for a in left):
            for asked in left:
                asked.output.heard = True  # once
            self._start(command)
            return
        self._asked.clear()
        for asked in left:
            asked.on_over(ended)

    def _newest(self) -> _Asked | None:
        return next(reversed(self._asked.values()), None)
