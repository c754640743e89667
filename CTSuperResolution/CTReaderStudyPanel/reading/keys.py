"""Keys that a reader answers with, anywhere in Slicer's window. What is typed into a line of text still goes there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import qt
import slicer


class Keys:
    """Keys that are alive between :meth:`start` and :meth:`stop`.

    Args:
        panel: a widget of the module, for an application without a main window.
        names: of the keys, as in Qt's key sequences.
        repeated: those of them that a key held down repeats.
        on_pressed: called with the name of the key.
    """

    def __init__(
        self, panel: qt.QWidget, names: Iterable[str], repeated: Iterable[str], on_pressed: Callable[[str], None]
    ) -> None:
        self._panel, self._on_pressed = panel, on_pressed
        self._names, self._repeated = tuple(names), frozenset(repeated)
        self._shortcuts: list[qt.QShortcut] = []

    def start(self) -> None:
        """Listen."""
        if self._shortcuts:
            return
        window = slicer.util.mainWindow() or self._panel
        for name in self._names:
            shortcut = qt.QShortcut(qt.QKeySequence(name), window)
            shortcut.autoRepeat = name in self._repeated
            shortcut.connect("activated()", lambda name=name: self._on_pressed(name))
            self._shortcuts.append(shortcut)

    def stop(self) -> None:
        """Give the keys back."""
        for shortcut in self._shortcuts:
            shortcut.enabled = False
            shortcut.deleteLater()
        self._shortcuts = []
