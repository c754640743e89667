"""Panel: its rooms, of which one is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from CTSuperResolutionPanel import install

from CTReaderStudyPanel.analysing.section import AnalyseSection
from CTReaderStudyPanel.designing.section import DesignSection
from CTReaderStudyPanel.reading.section import ReadSection


class Panel:
    """All rooms.

    Args:
        ui: the widgets of the panel by name.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self.read = ReadSection(ui.readPlace.layout(), self._reading_changed)
        self.analyse = AnalyseSection(ui.analysePlace.layout(), _find_python)
        self.design = DesignSection(ui.designPlace.layout(), _find_python)
        self._places = {
            ui.readButton: ui.readPlace,
            ui.analyseButton: ui.analysePlace,
            ui.designButton: ui.designPlace,
        }
        for button in self._places:
            button.connect("toggled(bool)", lambda checked: self._show_room())
        ui.readButton.checked = True

    def exit(self) -> None:
        """Another module is shown: the views are the user's again."""
        self.read.leave()

    def cleanup(self) -> None:
        """The panel goes."""
        self.read.cleanup()
        self.analyse.cleanup()
        self.design.cleanup()

    def _show_room(self) -> None:
        for button, place in self._places.items():
            place.visible = button.checked
        if self._ui.designButton.checked:
            self.design.look()

    def _reading_changed(self, reading: bool) -> None:
        """A reader is to see nothing but the study."""
        self._ui.roomButtons.visible = not reading


def _find_python() -> Path | None:
    """The Python that has what the library needs; the user is asked to install that where it is missing."""
    return install.ensure(slicer.util.mainWindow())
