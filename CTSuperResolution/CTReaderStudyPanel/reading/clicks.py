"""Left clicks into a slice view, offered to whoever wants them before Slicer's own mouse modes."""

from __future__ import annotations

from collections.abc import Callable

import vtk
from CTSuperResolutionPanel.compare.divider import BEFORE_OTHERS


class Clicks:
    """Hands clicks over, and keeps double clicks from Slicer, which would give one view the whole screen.

    Args:
        interactor: of the view.
        on_click: called with column and row, pixels from the lower left; says whether the click is taken.
    """

    def __init__(self, interactor: vtk.vtkRenderWindowInteractor, on_click: Callable[[int, int], bool]) -> None:
        self._interactor, self._on_click = interactor, on_click
        self._taken = False
        self._tags = {
            event: interactor.AddObserver(event, handler, BEFORE_OTHERS)
            for event, handler in (
                ("LeftButtonPressEvent", self._press),
                ("LeftButtonReleaseEvent", self._release),
                ("LeftButtonDoubleClickEvent", self._press_again),
            )
        }

    def remove(self) -> None:
        """Leave the mouse to Slicer."""
        for tag in self._tags.values():
            self._interactor.RemoveObserver(tag)
        self._tags = {}

    def _press(self, _interactor: object, event: str) -> None:
        self._taken = self._on_click(*self._interactor.GetEventPosition())
        if self._taken:
            self._keep(event)

    def _release(self, _interactor: object, event: str) -> None:
        if self._taken:
            self._taken = False
            self._keep(event)

    def _press_again(self, _interactor: object, event: str) -> None:
        """The second press of a double click: a click as any other."""
        self._taken = self._on_click(*self._interactor.GetEventPosition())
        self._keep(event)

    def _keep(self, event: str) -> None:
        self._interactor.GetCommand(self._tags[event]).SetAbortFlag(1)
