"""Stopwatch for the time that a reader looks."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Counts the seconds between :meth:`run` and :meth:`hold`, and goes on with the next :meth:`run`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """What was counted so far."""
        return self._held + (0.0 if self._since is None else self._clock() - self._since)

    def run(self) -> None:
        """Count from now on."""
        if self._since is None:
            self._since = self._clock()

    def hold(self) -> None:
        """Count no more."""
        self._held, self._since = self.seconds, None

    def reset(self) -> None:
        """Begin at nothing, and do not run."""
        self._held, self._since = 0.0, None
