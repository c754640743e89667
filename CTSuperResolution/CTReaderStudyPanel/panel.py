"""Panel: its rooms."""

from __future__ import annotations

from typing import Any

from CTReaderStudyPanel.reading.section import ReadSection


class Panel:
    """All rooms.

    Args:
        ui: the widgets of the panel by name.
    """

    def __init__(self, ui: Any) -> None:
        self.read = ReadSection(ui.readPage.layout())

    def exit(self) -> None:
        """Another module is shown: the views are the user's again."""
        self.read.leave()

    def cleanup(self) -> None:
        """The panel goes."""
        self.read.cleanup()
