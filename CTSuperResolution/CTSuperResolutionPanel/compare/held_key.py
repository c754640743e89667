"""Held key: something is so as long as a key is held down, anywhere in Slicer's window."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer


class HeldKey:
    """The key, alive only between ``start`` and ``stop``.

    A shortcut says when it goes down, for that works wherever the mouse is. None says when it comes up: until then all
    of the application's events are looked at. Where the window is left with the key down, it counts as up.

    Args:
        key: a letter. One typed into a text field still goes there.
        panel: a widget of the module, for an application without a main window.
        on_change: called with whether it is held.
    """

    def __init__(self, key: str, panel: qt.QWidget, on_change: Callable[[bool], None]) -> None:
        self._key, self._panel, self._on_change = key, panel, on_change
        self._shortcut: qt.QShortcut | None = None
        self._watcher = _Watcher(key, self._up)
        self._held = False

    def start(self) -> None:
        """Listen to the key."""
        if self._shortcut is None:
            self._shortcut = qt.QShortcut(qt.QKeySequence(self._key), slicer.util.mainWindow() or self._panel)
            self._shortcut.autoRepeat = False
            self._shortcut.connect("activated()", self._down)

    def stop(self) -> None:
        """Give the key back."""
        self._up()
        if self._shortcut is not None:
            self._shortcut.enabled = False
            self._shortcut.deleteLater()
            self._shortcut = None

    def _down(self) -> None:
        if not self._held:
            self._held = True
            slicer.app.installEventFilter(self._watcher)
            self._on_change(True)

    def _up(self) -> None:
        if self._held:
            self._held = False
            slicer.app.removeEventFilter(self._watcher)
            self._on_change(False)


class _Watcher(qt.QObject):
    """Sees the key come up, or the window lose the keyboard."""

    def __init__(self, key: str, on_up: Callable[[], None]) -> None:
        qt.QObject.__init__(self)
        self._code, self._on_up = ord(key), on_up  # Qt's codes of capital letters are their own

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        """Let every event through."""
        kind = event.type()
        if kind in (qt.QEvent.WindowDeactivate, qt.QEvent.ApplicationDeactivate) or (
            kind == qt.QEvent.KeyRelease and event.key() == self._code and not event.isAutoRepeat()
        ):
            self._on_up()
        return False
