"""The output of the background process on one job so far: its log, its progress and its last events."""

from __future__ import annotations

import time
from typing import Any

from CTSuperResolutionPanel.process.event_stream import StageProgress

LOG_LINES = 2_000


class ProcessOutput:
    """Collects what a process writes while it is at work on one job.

    Attributes:
        log: its lines, but for those that only tell of progress.
        progress: how far it is.
        note: the last sentence for the user, in the library's words; "" where there was none.
        result, error: its last event, of one kind or the other; None before.
        heard: whether it said anything of the job yet.
        last_time: when it last wrote something, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.progress = StageProgress()
        self.note = ""
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.last_time = time.monotonic()
        self.heard = False

    @property
    def finished(self) -> bool:
        """Whether the last event has come, so that nothing but the end is left."""
        return self.result is not None or self.error is not None

    def read_line(self, line: str, event: dict[str, Any] | None) -> None:
        """Take a line of its standard output, and the event that the line holds, if it holds one of this job."""
        self.last_time = time.monotonic()
        self.heard = self.heard or event is not None
        if event is not None and event["event"] == "progress":
            self.progress = StageProgress.of(event)
            return
        self.add_to_log(line)
        if event is not None:
            self._take(event)

    def add_to_log(self, line: str) -> None:
        """Keep a line; the oldest ones go where there are too many."""
        if line.strip():
            self.log.append(line)
            del self.log[:-LOG_LINES]

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            self.note = str(event.get("message", ""))
        elif event["event"] == "result":
            self.result = event
        elif event["event"] == "error":
            self.error = event
