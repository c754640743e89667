"""Divider of a slice view, vertical and dragged with the mouse."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer

REACH = 8
"""How many points beside the divider the mouse still takes hold of it."""

BEFORE_OTHERS = 10.0
"""Observer priority above that of Slicer's own mouse modes."""


def pixel_ratio(widget: slicer.qMRMLSliceView) -> int:
    """How many of the view's pixels make one of the screen's points, as on high-resolution displays."""
    return max(1, round(widget.devicePixelRatioF()))


class DividerDrag:
    """Turns mouse events of a slice view into positions of the divider, and keeps them from Slicer's mouse modes.

    Args:
        widget: the ``qMRMLSliceView``.
        column: tells the divider's column in pixels.
        move: called with the column that the divider is dragged to, inside the view.
    """

    def __init__(self, widget: slicer.qMRMLSliceView, column: Callable[[], int], move: Callable[[int], None]) -> None:
        self._widget, self._column, self._move = widget, column, move
        self._interactor = widget.interactor()
        self._dragging = self._hovering = False
        self._tags: dict[str, int] = {}
        for event, handler in (
            ("LeftButtonPressEvent", self._press),
            ("MouseMoveEvent", self._mouse_move),
            ("LeftButtonReleaseEvent", self._release),
            ("LeaveEvent", self._leave),
        ):
            self._tags[event] = self._interactor.AddObserver(event, handler, BEFORE_OTHERS)

    def remove(self) -> None:
        """Leave the mouse to Slicer again."""
        for tag in self._tags.values():
            self._interactor.RemoveObserver(tag)
        self._tags = {}
        self._hover(False)

    def _press(self, _interactor: object, event: str) -> None:
        self._dragging = self._near()
        if self._dragging:
            self._keep(event)

    def _mouse_move(self, _interactor: object, event: str) -> None:
        if not self._dragging:
            self._hover(self._near())
            return
        width = self._interactor.GetSize()[0]
        self._move(min(max(self._interactor.GetEventPosition()[0], 0), width))
        self._keep(event)

    def _release(self, _interactor: object, event: str) -> None:
        if self._dragging:
            self._dragging = False
            self._keep(event)

    def _leave(self, _interactor: object, _event: str) -> None:
        if not self._dragging:
            self._hover(False)

    def _near(self) -> bool:
        return abs(self._interactor.GetEventPosition()[0] - self._column()) <= REACH * pixel_ratio(self._widget)

    def _hover(self, hovering: bool) -> None:
        """Show by the cursor that the divider can be dragged."""
        if hovering != self._hovering:
            self._hovering = hovering
            if hovering:
                self._widget.setViewCursor(qt.QCursor(qt.Qt.SplitHCursor))
            else:
                self._widget.unsetViewCursor()

    def _keep(self, event: str) -> None:
        self._interactor.GetCommand(self._tags[event]).SetAbortFlag(1)
