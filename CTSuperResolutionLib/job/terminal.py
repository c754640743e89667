"""Progress bar: the events of a job, for a person at a terminal."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any, TextIO

BAR = 24
QUIET_SECONDS = 10.0


class TerminalBar:
    """Draws events as one progress bar that moves; where the output is no terminal, as a plain line now and then.

    Args:
        stream: text goes there.
        clock: seconds, rising.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._moving = stream.isatty()
        self._drawn = 0
        self._stage = ""
        self._last = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self._progress(event)
        elif kind == "note":
            self._line(event["message"])
        elif kind == "error":
            self._line(f"ctsr: {event['message']}")
        elif kind == "result":
            # The last line of a log is the end; a terminal has no more use for its bar.
            self._line(None if self._moving else end_line(event))

    def _progress(self, event: dict[str, Any]) -> None:
        text = progress_line(event)
        if self._moving:
            width = _width(self._stream)
            text = text[: width - 1]
            self._put("\r" + text.ljust(self._drawn))
            self._drawn = len(text)
        elif event["stage"] != self._stage or self._clock() - self._last >= QUIET_SECONDS:
            self._line(text)
            self._last = self._clock()
        self._stage = event["stage"]

    def _line(self, text: str | None) -> None:
        """A line of its own, in place of the bar."""
        clear = "\r" + " " * self._drawn + "\r" if self._drawn else ""
        self._drawn = 0
        self._put(clear if text is None else clear + text + "\n")

    def _put(self, text: str) -> None:
        # Nobody reading any more is no reason to stop: the results are in the folder.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def progress_line(event: dict[str, Any]) -> str:
    """One line of text for a progress event."""
    fraction, remaining = event.get("fraction"), event.get("remaining_s")
    parts = [f"{event['stage']:<12}"]
    if fraction is not None:
        filled = round(BAR * fraction)
        parts.append(f"[{'#' * filled}{'.' * (BAR - filled)}] {100 * fraction:3.0f} %")
    if event["steps"] > 1:
        parts.append(f"{event['step']}/{event['steps']}")
    parts.append(clock_text(event["elapsed_s"]) + ("" if remaining is None else f", {clock_text(remaining)} left"))
    if event.get("memory_mb") is not None:
        parts.append(f"{event['memory_mb']:.0f} MB")
    return "  ".join(parts)


def end_line(event: dict[str, Any]) -> str:
    """One line of text for a result event."""
    parts = [f"{'done':<12}", f"[{'#' * BAR}] 100 %", clock_text(event["elapsed_s"])]
    if event.get("peak_mb") is not None:
        parts.append(f"peak {event['peak_mb']:.0f} MB")
    return "  ".join(parts)


def clock_text(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
