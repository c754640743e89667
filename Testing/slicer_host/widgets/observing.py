"""Watching VTK objects from a widget, without keeping either of them alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
import vtk


class Observations:
    """What one widget watches; ``drop`` ends it, and so does the end of the widget."""

    def __init__(self):
        self._made: list[tuple[Any, int]] = []

    def add(
        self,
        subject: Any,
        event: Any,
        method: Callable[[Any, str, Any], None],
        *,
        data: bool = False,
        priority: float = 0.0,
    ) -> None:
        """Call the widget's method at an event; with ``data`` it also gets the event's VTK object."""
        reference = weakref.WeakMethod(method)

        def run(caller: Any, name: str, given: Any = None) -> None:
            live = reference()
            if live is not None and shiboken6.isValid(live.__self__):
                live(caller, name, given)

        if data:
            run.CallDataType = vtk.VTK_OBJECT
        self._made.append((subject, subject.AddObserver(event, run, priority)))

    def drop(self) -> None:
        """Watch nothing any more."""
        for subject, tag in self._made:
            subject.RemoveObserver(tag)
        self._made.clear()
