"""Analyse section of the panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from CTSuperResolutionPanel.install.interpreters import chosen_python, is_slicers
from CTSuperResolutionPanel.process.command import LibraryCommand
from slicer.i18n import tr as _

from CTReaderStudyPanel.command_row import show_command
from CTReaderStudyPanel.html_table import html_table
from CTSuperResolutionLib.study.study_files import KEY

UI_FILE = Path(__file__).parents[2] / "Resources" / "UI" / "AnalyseStudy.ui"

FOLDER_SETTING = "CTReaderStudy/LeadFolder"

PACKAGES = ("pandas", "statsmodels>=0.14")
"""What the analysis needs beside what jobs need: the library's extra "study"."""


class AnalyseSection:
    """Checks a study, analyses it and shows what was found.

    Args:
        parent_layout: where the section is added.
        find_python: the Python that the command runs with.

    Attributes:
        widget: the section.
        command: what runs in the background.
    """

    def __init__(self, parent_layout: qt.QBoxLayout, find_python: Callable[[], Path | None]) -> None:
        self.widget = slicer.util.loadUI(str(UI_FILE))
        parent_layout.addWidget(self.widget)
        ui = self._ui = slicer.util.childWidgetVariables(self.widget)
        self.command = LibraryCommand(find_python, self._refresh)
        self._report: Path | None = None
        ui.folderEdit.currentPath = str(slicer.app.userSettings().value(FOLDER_SETTING) or "")
        ui.folderEdit.connect("currentPathChanged(QString)", lambda path: self._folder_changed())
        ui.checkButton.connect("clicked()", self.check)
        ui.analyseButton.connect("clicked()", self.analyse)
        ui.exportButton.connect("clicked()", self.export)
        ui.openButton.connect("clicked()", self._open)
        ui.installButton.connect("clicked()", self._install)
        ui.cancelButton.connect("clicked()", self.command.cancel)
        self._folder_changed()

    @property
    def report_folder(self) -> Path:
        """Where the report goes: beside the study, for readers may be given what is in it."""
        study = self._study
        return study.with_name(f"{study.name}-report")

    @property
    def export_folder(self) -> Path:
        """Where the files for R go."""
        study = self._study
        return study.with_name(f"{study.name}-for-r")

    def check(self) -> None:
        """Check the study's files and say how far its readers are."""
        self._start("check", on_done=self._checked)

    def analyse(self) -> None:
        """Make the report."""
        self._start("analyse", str(self.report_folder), on_done=self._analysed)

    def export(self) -> None:
        """Write the grades for R."""
        self._start("export", str(self.export_folder), on_done=self._exported)

    def cleanup(self) -> None:
        """The panel is destroyed."""
        self.command.stop()

    @property
    def _study(self) -> Path:
        return Path(self._ui.folderEdit.currentPath.strip())

    def _start(self, action: str, *more: str, on_done: Callable[[dict[str, Any]], None]) -> None:
        slicer.app.userSettings().setValue(FOLDER_SETTING, self._ui.folderEdit.currentPath)
        self._ui.resultLabel.text = ""
        self.command.start("study", action, str(self._study), *more, on_done=on_done)

    def _folder_changed(self) -> None:
        self._report = None
        self._ui.resultLabel.text = ""
        self._refresh()

    def _checked(self, found: dict[str, Any]) -> None:
        rows = [(reader, _("{done} of {all}").format(done=d, all=n)) for reader, (d, n) in found["readers"].items()]
        text = _("{title}: all {count} images are whole, and so is every log.").format(
            title=found["title"], count=found["images"]
        )
        self._ui.resultLabel.text = f"<p>{text}</p>" + html_table((_("Reader"), _("Answered")), rows)
        self._refresh()

    def _analysed(self, found: dict[str, Any]) -> None:
        self._report = Path(found["files"]["report.html"])
        rows = [_comparison(row) for row in found["comparisons"]]
        head = (_("Question"), _("Measure"), _("Estimate [95 %]"), _("p, Holm"))
        note = _(
            "0.5 is no difference; above it, the method that is named first is preferred or graded higher. p is "
            "corrected for all rows by Holm's method."
        )
        self._ui.resultLabel.text = f"{html_table(head, rows)}<p>{note}</p>"
        self._refresh()

    def _exported(self, found: dict[str, Any]) -> None:
        self._ui.resultLabel.text = _("The files for iMRMC and MRMCaov are in {folder}.").format(
            folder=self.export_folder
        )
        self._refresh()

    def _open(self) -> None:
        if self._report is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report)))

    def _install(self) -> None:
        slicer.util.pip_install(" ".join(f'"{package}"' for package in PACKAGES))
        self.analyse()

    def _refresh(self) -> None:
        ui, command = self._ui, self.command
        show_command(ui, command)
        there = bool(ui.folderEdit.currentPath.strip())
        has_key = there and (self._study / KEY).is_file()
        ui.checkButton.enabled = there and not command.busy
        for button in (ui.analyseButton, ui.exportButton):
            button.enabled = has_key and not command.busy
        ui.keyLabel.visible = there and not has_key
        ui.openButton.visible = self._report is not None
        ui.resultLabel.visible = bool(ui.resultLabel.text)
        lacks = any(package.partition(">")[0] in command.message for package in PACKAGES)
        ui.installButton.visible = lacks and is_slicers(chosen_python())


def _comparison(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table of what was compared; JSON has null where a number could not be had."""
    numbers = ["–" if row[name] is None else f"{row[name]:.2f}" for name in ("estimate", "low", "high")]
    p = "–" if row["p Holm"] is None else f"{row['p Holm']:.3f}"
    estimate = f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"
    return f"{row['task']}: {row['question']}", f"{row['measure']}, {row['comparison']}", estimate, p
