"""Flicker: a key that exchanges the volumes in place, so that the eye sees what changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt
import slicer

KEY = "X"
"""Not used by Slicer's views. A letter typed into a text field still goes there."""


class FlickerKey:
    """The key, alive only between ``start`` and ``stop``.

    Args:
        panel: a widget of the module, for an application without a main window.
        on_pressed: called when the key is pressed.
    """

    def __init__(self, panel: qt.QWidget, on_pressed: Callable[[], None]) -> None:
        self._panel, self._on_pressed = panel, on_pressed
        self._shortcut: qt.QShortcut | None = None

    def start(self) -> None:
        """Listen to the key anywhere in Slicer's window."""
        if self._shortcut is None:
            self._shortcut = qt.QShortcut(qt.QKeySequence(KEY), slicer.util.mainWindow() or self._panel)
            self._shortcut.autoRepeat = False  # holding the key down must not strobe
            self._shortcut.connect("activated()", self._on_pressed)

    def stop(self) -> None:
        """Give the key back."""
        if self._shortcut is not None:
            self._shortcut.enabled = False
            self._shortcut.deleteLater()
            self._shortcut = None


def rotated(volumes: Sequence[slicer.vtkMRMLNode], turns: int) -> list[slicer.vtkMRMLNode]:
    """The volumes in their places after some presses of the key: each moves up one place."""
    turns %= len(volumes)
    return [*volumes[turns:], *volumes[:turns]]
