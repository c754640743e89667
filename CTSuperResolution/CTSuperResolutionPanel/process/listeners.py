"""Listeners to what goes on in the background."""

from __future__ import annotations

import sys
from collections.abc import Callable


class Listeners:
    """Functions that are told of every change. One that fails is shown as an error is, and keeps nothing else back."""

    def __init__(self) -> None:
        self._all: list[Callable[[], None]] = []

    def add(self, listener: Callable[[], None]) -> None:
        """Have a function called, too."""
        self._all.append(listener)

    def tell(self) -> None:
        """Call them all."""
        for listener in self._all:
            try:
                listener()
            except Exception:  # what shows a job must not be what stops it half-way
                sys.excepthook(*sys.exc_info())
