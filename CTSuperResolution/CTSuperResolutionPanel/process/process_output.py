"""The output of one background process so far: its log, its progress and its last events."""

from __future__ import annotations

import time
from typing import Any

from CTSuperResolutionPanel.process.event_stream import LineDecoder, StageProgress, parse_event

LOG_LINES = 2_000


class ProcessOutput:
    """Collects what one process writes.

    Attributes:
        log: its lines, but for those that only tell of progress.
        progress: how far it is.
        note: the last sentence for the user, in the library's words; "" where there was none.
        result, error: its last event, of one kind or the other; None before.
        last_time: when it last wrote something, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.progress = StageProgress()
        self.note = ""
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.last_time = time.monotonic()
        self._lines, self._error_lines = LineDecoder(), LineDecoder()

    @property
    def finished(self) -> bool:
        """Whether the last event has come, so that nothing but the end is left."""
        return self.result is not None or self.error is not None

    def read(self, data: bytes, *, final: bool = False) -> None:
        """Take what came from its standard output; with ``final``, nothing more will."""
        self.last_time = time.monotonic()
        for line in self._lines.feed(data, final=final):
            event = parse_event(line)
            if event is not None and event["event"] == "progress":
                self.progress = StageProgress.of(event)
                continue
            self.add_to_log(line)
            if event is not None:
                self._take(event)

    def read_error(self, data: bytes, *, final: bool = False) -> None:
        """Take what came from its standard error."""
        for line in self._error_lines.feed(data, final=final):
            self.add_to_log(line)

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
