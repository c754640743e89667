"""Icons of the comparison's tool buttons, drawn in the colours that its views have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import qt

from CTSuperResolutionPanel.compare.colors import COLORS as DIVERGING
from CTSuperResolutionPanel.compare.layouts import COLORS

SIDE = 40
"""Pixels that an icon is drawn with; buttons show it at half of that, and whole on screens of high resolution."""

Box = tuple[int, int, int, int]
"""Left, top, width and height."""

FIRST, SECOND = COLORS[:2]
LINE = "#808080"
"""Seen on a light and on a dark button."""


def set_icons(ui: Any) -> None:
    """Give the comparison's tool buttons their icons.

    Args:
        ui: the section's widgets by name.
    """
    for button, draw in (
        (ui.sideButton, _side_by_side),
        (ui.swipeButton, _swipe),
        (ui.flickerButton, _flicker),
        (ui.allPlanesButton, _all_planes),
        (ui.exchangeButton, _exchange),
        (ui.differenceButton, _difference),
    ):
        button.icon = _icon(draw)
        button.iconSize = qt.QSize(SIDE // 2, SIDE // 2)


def _icon(draw: Callable[[qt.QPainter], None]) -> qt.QIcon:
    pixmap = qt.QPixmap(SIDE, SIDE)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter()
    painter.begin(pixmap)
    draw(painter)
    painter.end()
    return qt.QIcon(pixmap)


def _fill(painter: qt.QPainter, boxes: Iterable[tuple[Box, str]]) -> None:
    for box, color in boxes:
        painter.fillRect(*box, qt.QColor(color))


def _side_by_side(painter: qt.QPainter) -> None:
    _fill(painter, [((2, 6, 16, 28), FIRST), ((22, 6, 16, 28), SECOND)])


def _swipe(painter: qt.QPainter) -> None:
    _fill(painter, [((4, 6, 16, 28), FIRST), ((20, 6, 16, 28), SECOND), ((18, 2, 4, 36), LINE)])


def _flicker(painter: qt.QPainter) -> None:
    _fill(painter, [((3, 3, 25, 25), FIRST), ((10, 10, 27, 27), LINE), ((12, 12, 25, 25), SECOND)])


def _all_planes(painter: qt.QPainter) -> None:
    for top, color in ((4, FIRST), (22, SECOND)):
        _fill(painter, [((left, top, 10, 14), color) for left in (2, 15, 28)])


def _exchange(painter: qt.QPainter) -> None:
    """An arrow to the right over one to the left."""
    _fill(painter, [((4, 11, 24, 4), FIRST), ((12, 25, 24, 4), SECOND)])
    for step in range(8):
        _fill(
            painter,
            [((36 - step, 13 - step, 1, 2 * step + 1), FIRST), ((3 + step, 27 - step, 1, 2 * step + 1), SECOND)],
        )


def _difference(painter: qt.QPainter) -> None:
    """The colours of the difference, from negative to positive."""
    colors = ["#" + bytes(round(255 * part) for part in color).hex() for color in DIVERGING]
    _fill(painter, [((2 + 5 * place + place // 3, 6, 5, 28), color) for place, color in enumerate(colors)])
