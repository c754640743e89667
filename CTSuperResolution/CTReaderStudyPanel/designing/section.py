"""Design section of the panel."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import qt
import slicer
from CTSuperResolutionPanel.process.command import LibraryCommand
from CTSuperResolutionPanel.process.job_folder import JobFolder
from CTSuperResolutionPanel.process.process import environment_for
from CTSuperResolutionPanel.process.stepper import Stepper
from slicer.i18n import tr as _

from CTReaderStudyPanel.command_row import show_command
from CTReaderStudyPanel.designing.plan_form import PlanForm
from CTReaderStudyPanel.designing.scene_cases import write_cases
from CTReaderStudyPanel.html_table import html_table

UI_FILE = Path(__file__).parents[2] / "Resources" / "UI" / "DesignStudy.ui"

MORE = (1.0, 1.5, 2.0)
"""How many times as many readers and cases are simulated, too."""


class DesignSection:
    """Writes the plan, has the study made of it, and says what it would find.

    Args:
        parent_layout: where the section is added.
        find_python: the Python that commands run with.

    Attributes:
        widget: the section.
        command: what runs in the background.
    """

    def __init__(self, parent_layout: qt.QBoxLayout, find_python: Callable[[], Path | None]) -> None:
        self.widget = slicer.util.loadUI(str(UI_FILE))
        parent_layout.addWidget(self.widget)
        ui = self._ui = slicer.util.childWidgetVariables(self.widget)
        self.command = LibraryCommand(find_python, self._refresh)
        self._find_python = find_python
        self._export: Stepper | None = None
        self._folder: JobFolder | None = None
        self._form = PlanForm(ui)
        self._connect(ui)
        self._refresh()

    @property
    def plan_file(self) -> Path:
        """Where the plan is kept: beside the study, for it says what is compared."""
        study = Path(self._ui.studyEdit.currentPath.strip())
        return study.with_name(f"{study.name}-plan.json")

    def design(self) -> None:
        """Write the plan and have the study made; first the cases, where they are in the scene."""
        self._ui.resultLabel.text = ""
        if not self._form.takes_scene:
            self._make(self.plan_file, self._form.to_dict())
            return
        self._cases_changed()  # what is in the scene now
        if self._form.lacks() or (python := self._find_python()) is None:
            return
        try:
            folder = self._folder = JobFolder(python, environment_for(python))
        except OSError as error:
            self._export_failed(error)
            return
        cases = folder.path / "cases"
        chosen = {method for method in (*self._form.methods, self._form.reference) if method}
        wanted = {name: {m: case[m] for m in case if m in chosen} for name, case in self._form.cases.items()}
        plan = self._form.to_dict(cases)  # as the form is now: it can be changed while the volumes are written
        self._export = Stepper(
            write_cases(wanted, cases),
            done=lambda nothing: self._exported(folder.path / "plan.json", plan),
            failed=self._export_failed,
            progress=self._show_export,
        )
        self._export.start()
        self._refresh()

    def look(self) -> None:
        """The room is shown: the scene may have other results now."""
        if self._form.takes_scene and not self._busy:
            self._cases_changed()

    def simulate(self) -> None:
        """Say what this many readers and cases would find, and what more of them would."""
        ui = self._ui
        self._start(
            "simulate",
            *("--task", "forced_choice" if ui.choiceCheckBox.checked else "grading"),
            *("--share", f"{ui.shareSpinBox.value / 100:g}"),
            *("--reader-sd", f"{ui.readerSdSpinBox.value:g}"),
            *("--case-sd", f"{ui.caseSdSpinBox.value:g}"),
            *("--readers", *_numbers(max(2, len(self._form.readers)))),
            *("--cases", *_numbers(max(2, len(self._form.cases)))),
            on_done=self._simulated,
        )

    def cancel(self) -> None:
        """Stop what is under way."""
        if self._export is not None:
            self._stop_export()
            self._ui.resultLabel.text = _("Cancelled.")
            self._refresh()
        else:
            self.command.cancel()

    def cleanup(self) -> None:
        """The panel is destroyed."""
        self._stop_export()
        self.command.stop()

    def _connect(self, ui: Any) -> None:
        ui.casesEdit.connect("currentPathChanged(QString)", lambda path: self._cases_changed())
        for edit in (ui.methodsEdit, ui.readersEdit):
            edit.connect("textChanged(QString)", lambda text: self._refresh())
        ui.studyEdit.connect("currentPathChanged(QString)", lambda path: self._refresh())
        ui.referenceComboBox.connect("currentIndexChanged(int)", lambda index: self._refresh())
        for box in (ui.choiceCheckBox, ui.gradingCheckBox, ui.ratingCheckBox, ui.markingCheckBox):
            box.connect("toggled(bool)", lambda checked: self._refresh())
        ui.designButton.connect("clicked()", self.design)
        ui.simulateButton.connect("clicked()", self.simulate)
        ui.cancelButton.connect("clicked()", self.cancel)
        ui.sceneCheckBox.connect("toggled(bool)", lambda checked: self._cases_changed())

    @property
    def _busy(self) -> bool:
        return self.command.busy or self._export is not None

    def _cases_changed(self) -> None:
        self._form.look_for_cases()
        self._refresh()

    def _make(self, plan_file: Path, plan: dict[str, Any]) -> None:
        try:
            plan_file.parent.mkdir(parents=True, exist_ok=True)
            plan_file.write_text(json.dumps(plan, indent=1, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            self._ui.resultLabel.text = _("The plan could not be written to {file} ({reason}); choose another folder."
            ).format(file=plan_file, reason=error.strerror)  # fmt: skip
            self._refresh()
            return
        ui = self._ui
        boxes = {"--regrid": ui.regridCheckBox, "--allow-unusual": ui.allowUnusualCheckBox}
        options = [option for option, box in boxes.items() if box.checked]
        study = Path(self._ui.studyEdit.currentPath.strip())
        self._start("design", str(plan_file), str(study), *options, on_done=self._designed)

    def _exported(self, plan_file: Path, plan: dict[str, Any]) -> None:
        self._export = None
        self._make(plan_file, plan)

    def _export_failed(self, error: Exception) -> None:
        self._stop_export()
        reason = getattr(error, "strerror", None) or error
        self._ui.resultLabel.text = _("The volumes could not be written ({reason}); free some space and try again."
        ).format(reason=reason)  # fmt: skip
        self._refresh()

    def _stop_export(self) -> None:
        """Write no more, and delete what was written."""
        if self._export is not None:
            self._export.stop()
        self._export = None
        if self._folder is not None:
            self._folder.delete()
        self._folder = None

    def _show_export(self, fraction: float) -> None:
        self._ui.commandProgressBar.value = round(100 * fraction)

    def _start(self, *arguments: str, on_done: Callable[[dict[str, Any]], None]) -> None:
        self._ui.resultLabel.text = self._ui.powerLabel.text = ""
        self.command.start("study", *arguments, on_done=on_done)

    def _designed(self, found: dict[str, Any]) -> None:
        text = _("The study is made. Give each reader a copy of {reader}, and keep {key} for yourself.")
        study = escape(found["folder"])
        self._ui.resultLabel.text = text.format(reader=f"<b>{study}/reader</b>", key=f"<b>{study}/key.json</b>")
        self._refresh()

    def _simulated(self, found: dict[str, Any]) -> None:
        cases = sorted({row["cases"] for row in found["designs"]})
        power = {(row["readers"], row["cases"]): row["power"] for row in found["designs"]}
        head = (_("Power"), *(_("{count} cases").format(count=count) for count in cases))
        rows = [
            (_("{count} readers").format(count=readers), *(f"{power[readers, count]:.2f}" for count in cases))
            for readers in sorted({readers for readers, _count in power})
        ]
        self._ui.powerLabel.text = html_table(head, rows)
        self._refresh()

    def _refresh(self) -> None:
        ui, form, command = self._ui, self._form, self.command
        show_command(ui, command)
        if self._export is not None:
            ui.commandProgressBar.visible = ui.cancelButton.visible = ui.messageLabel.visible = True
            ui.commandProgressBar.maximum, ui.messageLabel.text = 100, _("Taking the volumes from the scene…")
        elif not command.busy:
            self._stop_export()  # the study is made, or cannot be
        lacks = form.lacks()
        ui.casesLabel.text = ""
        if form.cases:
            pattern = _("1 case with {methods}") if len(form.cases) == 1 else _("{count} cases with {methods}")
            ui.casesLabel.text = pattern.format(
                count=len(form.cases), methods=", ".join(form.found) or _("no methods in common")
            )
        ui.casesLabel.visible = bool(ui.casesLabel.text)
        ui.lacksLabel.text = lacks
        ui.lacksLabel.visible = bool(lacks)
        ui.designButton.enabled = not lacks and not self._busy
        ui.simulateButton.enabled = not self._busy
        ui.casesEdit.enabled = not form.takes_scene
        tasks = ", ".join(form.tasks) or _("none")
        ui.tasksButton.text = _("Tasks: {tasks}").format(tasks=tasks)
        # A way out that an error names, and there until it is taken back.
        box = ui.allowUnusualCheckBox
        box.visible = box.checked or box.text in command.message
        ui.choiceOptions.enabled = ui.choiceCheckBox.checked
        ui.gradingOptions.enabled = ui.gradingCheckBox.checked or ui.ratingCheckBox.checked
        for label in (ui.resultLabel, ui.powerLabel):
            label.visible = bool(label.text)


def _numbers(count: int) -> list[str]:
    """Numbers of readers or cases to simulate."""
    return [str(round(times * count)) for times in MORE]
