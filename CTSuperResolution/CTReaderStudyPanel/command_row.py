"""Row of a panel that shows how far a command in the background is, and can cancel it."""

from __future__ import annotations

from typing import Any

from CTSuperResolutionPanel.process.command import LibraryCommand
from slicer.i18n import tr as _


def show_command(ui: Any, command: LibraryCommand) -> None:
    """Show progress and message of a command.

    Args:
        ui: has ``commandProgressBar``, ``cancelButton`` and ``messageLabel``.
        command: whose.
    """
    progress = command.progress
    ui.commandProgressBar.visible = ui.cancelButton.visible = command.busy
    known = progress.fraction is not None
    ui.commandProgressBar.maximum = 100 if known else 0  # 0: it is busy, and nobody knows for how long
    ui.commandProgressBar.value = round(100 * (progress.fraction or 0))
    ui.messageLabel.text = _("Working…") if command.busy else command.message
    ui.messageLabel.visible = bool(ui.messageLabel.text)
