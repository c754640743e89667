"""Clocks that jump."""

from __future__ import annotations

import time
from collections.abc import Callable

from injection import trigger

NAMES = {"monotonic": 1.0, "perf_counter": 1.0, "time": 1.0, "monotonic_ns": 1e9, "time_ns": 1e9}
"""Clocks, and their ticks in a second."""


class Clock:
    """A clock that is off by the planned jump from the planned look at it on; only the calendar's may go back."""

    def __init__(self, name: str, real: Callable[[], float]) -> None:
        self._real, self._ticks, self._calendar = real, NAMES[name], name.startswith("time")
        self.__name__ = name

    def __call__(self) -> float:
        off = trigger.jump("clock")
        now = self._real()
        return now + type(now)(off * self._ticks) if off > 0 or self._calendar else now


def install() -> None:
    """Put the clocks in place."""
    for name in NAMES:
        setattr(time, name, Clock(name, getattr(time, name)))
