"""Long work in the application's own thread that never holds up its window."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import qt

BUDGET_S = 0.015
"""Work in one go. The window then gets its turn, and looks alive as long as no single step takes much more."""


class Stepper:
    """Runs a generator in the event loop, a few milliseconds at a time.

    The generator yields the fraction done, 0 to 1, after every small step; what it returns goes to ``done``.

    Args:
        work: the generator.
        done: called with what it returned.
        failed: called with the exception that ended it.
        progress: called with the fraction, once a turn.
    """

    def __init__(
        self,
        work: Generator[float, None, Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> None:
        self._work = work
        self._done = done
        self._failed = failed
        self._progress = progress
        self._timer: qt.QTimer | None = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._turn)

    def start(self) -> None:
        """Begin with the next turn of the event loop."""
        self._timer.start()

    def stop(self) -> None:
        """Do no more. The generator is closed, so that its files are; neither callback comes."""
        if self._timer is not None:
            work = self._work
            self._let_go()
            work.close()

    def _turn(self) -> None:
        end = time.monotonic() + BUDGET_S
        try:
            fraction = next(self._work)
            while time.monotonic() < end:
                fraction = next(self._work)
        except StopIteration as finished:
            done = self._done
            self._let_go()
            done(finished.value)
        except Exception as error:
            failed = self._failed
            self._let_go()
            failed(error)
        else:
            self._progress(fraction)

    def _let_go(self) -> None:
        """The timer holds this object, in C++ where Python finds no cycle, and this object all that the work needs."""
        self._timer.stop()
        self._timer.deleteLater()
        self._timer = self._work = self._done = self._failed = self._progress = None
