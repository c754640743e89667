"""Stepper for long work in the application's own thread, in steps short enough to keep the window alive."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import qt

BUDGET_S = 0.015
"""Work in one go. The window then gets its turn, and looks alive as long as no single step takes much more."""


@dataclass(frozen=True)
class _Run:
    """All that the work needs, let go of as one."""

    timer: qt.QTimer
    work: Generator[float, None, Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]
    progress: Callable[[float], None]


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
        timer = qt.QTimer()
        timer.setInterval(0)
        timer.connect("timeout()", self._turn)
        self._run: _Run | None = _Run(timer, work, done, failed, progress)

    def start(self) -> None:
        """Begin with the next turn of the event loop."""
        if self._run is not None:
            self._run.timer.start()

    def stop(self) -> None:
        """Do no more. The generator is closed, so that its files are; neither callback comes."""
        if self._run is not None:
            self._let_go(self._run).work.close()

    def _turn(self) -> None:
        run = self._run
        if run is None:
            return
        end = time.monotonic() + BUDGET_S
        try:
            fraction = next(run.work)
            while time.monotonic() < end:
                fraction = next(run.work)
        except StopIteration as finished:
            self._let_go(run).done(finished.value)
        except Exception as error:
            self._let_go(run).failed(error)
        else:
            run.progress(fraction)

    def _let_go(self, run: _Run) -> _Run:
        """The timer holds this object, in C++ where Python finds no cycle, and this object all that the work needs."""
        run.timer.stop()
        run.timer.deleteLater()
        self._run = None
        return run
