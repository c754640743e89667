"""All that a background process has said so far."""

from __future__ import annotations

import time
from typing import Any

from CTSuperResolutionPanel.output import Lines, Progress, parse_event

LOG_LINES = 2_000


class Conversation:
    """Listens to one process.

    Attributes:
        log: its lines, but for those that only tell of progress.
        progress: how far it is.
        note: the last sentence for the user, in the library's words; "" where there was none.
        result, error: its last event, of one kind or the other; None before.
        heard: when it last said something, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.progress = Progress()
        self.note = ""
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.heard = time.monotonic()
        self._lines, self._error_lines = Lines(), Lines()

    @property
    def over(self) -> bool:
        """Whether the last event has come, so that nothing but the end is left."""
        return self.result is not None or self.error is not None

    def hear(self, data: bytes, *, final: bool = False) -> None:
        """Take in what came from its standard output; with ``final``, nothing more will."""
        self.heard = time.monotonic()
        for line in self._lines.feed(data, final=final):
            event = parse_event(line)
            if event is not None and event["event"] == "progress":
                self.progress = Progress.of(event)
                continue
            self.add_to_log(line)
            if event is not None:
                self._take(event)

    def hear_error(self, data: bytes, *, final: bool = False) -> None:
        """Take in what came from its standard error."""
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
