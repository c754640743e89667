"""Log of a background process, in a box below the button that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt


def show_log(ui: Any, lines: Sequence[str]) -> None:
    """Show a log to its end, if the user wants to see it; it is filled only while it is looked at.

    Args:
        ui: has ``logButton`` and ``logText``.
        lines: the log.
    """
    shown = ui.logButton.checked and bool(lines)
    ui.logText.visible = shown
    if not shown:
        return
    text = "\n".join(lines)
    if ui.logText.plainText != text:
        ui.logText.plainText = text
        ui.logText.moveCursor(qt.QTextCursor.End)
