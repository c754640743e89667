"""Form of a plan: the widgets in which a lead writes down what a study is, and the plan that they come to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from CTSuperResolutionPanel.compare.window_presets import window_presets
from slicer.i18n import tr as _

from CTReaderStudyPanel.designing.scene_cases import cases_in_scene
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.case_folders import cases_in, methods_of
from CTSuperResolutionLib.study.criteria import CRITERIA
from CTSuperResolutionLib.study.plan import check_readers
from CTSuperResolutionLib.study.protocol import GRADES, PLANES, Reading

NO_REFERENCE, TRUTH = "", "truth"

USUAL = ("cubic", "sr")
"""What is compared where there is all of it."""


class PlanForm:
    """Cases, readers, tasks and reading of a study.

    Args:
        ui: the section's widgets by name.

    Attributes:
        cases: images of every case by method: files in the folder that is chosen, or volumes of the scene.
        problem: why there are none, in a sentence; "" where there are.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self.cases: Mapping[str, Mapping[str, Any]] = {}
        self.problem = ""
        for name in CRITERIA:
            ui.criteriaComboBox.addItem(_criteria_title(name), name)
        for preset in window_presets():
            ui.windowComboBox.addItem(f"{preset.name} ({preset.level:g}, {preset.window:g} HU)")
        for plane in PLANES:
            ui.planeComboBox.addItem(plane.capitalize(), plane)
        reading = Reading()
        ui.trialsSpinBox.value = reading.most_trials
        ui.washoutSpinBox.value = reading.washout_hours / 24
        ui.scaleSpinBox.value = GRADES

    @property
    def found(self) -> tuple[str, ...]:
        """The methods that every case has an image of."""
        return methods_of(self.cases) if self.cases else ()

    @property
    def methods(self) -> list[str]:
        """What is compared, the one that the others are compared with first."""
        return _names(self._ui.methodsEdit.text)

    @property
    def readers(self) -> list[str]:
        """Their names."""
        return _names(self._ui.readersEdit.text)

    @property
    def takes_scene(self) -> bool:
        """Whether the cases are results in the scene."""
        return bool(self._ui.sceneCheckBox.checked)

    def look_for_cases(self) -> None:
        """Find the cases, and offer their methods."""
        ui = self._ui
        self.cases, self.problem = {}, ""
        if self.takes_scene:
            self.cases = cases_in_scene()
            if not self.cases:
                self.problem = _("The scene has no results; super-resolve scans, or choose a folder of cases.")
        elif path := ui.casesEdit.currentPath.strip():
            try:
                self.cases = cases_in(Path(path))
            except JobError as error:
                self.problem = str(error)
        methods = self.found
        if self.cases and len(methods) < 2:
            self.problem = _("The cases have no two methods in common; name the images of every case after them.")
        ui.methodsEdit.text = ", ".join(USUAL if set(USUAL) <= set(methods) else methods)
        ui.referenceComboBox.clear()
        ui.referenceComboBox.addItem(_("none"), NO_REFERENCE)
        for method in methods:
            ui.referenceComboBox.addItem(method, method)
        ui.referenceComboBox.setCurrentIndex(methods.index(TRUTH) + 1 if TRUTH in methods else 0)

    def lacks(self) -> str:
        """What is still missing, in a sentence; "" where the plan can be made."""
        ui = self._ui
        if not self.cases:
            return self.problem or _("Choose the folder of cases.")
        if self.problem:
            return self.problem
        if len(set(self.methods)) < max(2, len(self.methods)):
            return _("A study compares two methods or more, each named once; write down their names.")
        if missing := [method for method in self.methods if method not in self.found]:
            return _("Not every case has an image called {name}; choose of {found}.").format(
                name=missing[0], found=", ".join(self.found)
            )
        if not self.readers:
            return _("Write down the readers' names.")
        try:
            check_readers(self.readers)
        except JobError as error:
            return str(error)
        if not self._tasks():
            return _("Choose a task.")
        if ui.ratingCheckBox.checked and not self.reference:
            return _("Rating against a reference needs one; choose the reference.")
        if not ui.studyEdit.currentPath.strip():
            return _("Choose the folder in which the study is made.")
        return ""

    def to_dict(self, cases: Path | None = None) -> dict[str, Any]:
        """The plan, as ``ctsr study design`` reads it.

        Args:
            cases: the folder that they are in, where that is not the one that was chosen.
        """
        ui = self._ui
        preset = window_presets()[ui.windowComboBox.currentIndex]
        practice = ui.practiceEdit.currentPath.strip()
        return {
            "title": ui.titleEdit.text.strip() or _("Reader study"),
            "readers": self.readers,
            "methods": self.methods,
            "reference": self.reference,
            "cases": str(cases or Path(ui.casesEdit.currentPath.strip()).absolute()),
            "training": str(Path(practice).absolute()) if practice else {},
            "tasks": self._tasks(),
            "reading": {
                "most_trials": ui.trialsSpinBox.value,
                "washout_hours": 24 * ui.washoutSpinBox.value,
                "undo": ui.undoCheckBox.checked,
                "window_locked": ui.lockCheckBox.checked,
                "plane": ui.planeComboBox.currentData,
            },
            "window": [preset.level, preset.window],
            "repeats": ui.repeatsSpinBox.value / 100,
            "attention_checks": min(ui.attentionSpinBox.value, len(self.cases)),
        }

    @property
    def tasks(self) -> list[str]:
        """Their names."""
        return [task["name"] for task in self._tasks()]

    @property
    def reference(self) -> str:
        """What the others are rated against, or NO_REFERENCE."""
        return str(self._ui.referenceComboBox.currentData or NO_REFERENCE)

    def _tasks(self) -> list[dict[str, Any]]:
        ui = self._ui
        criteria, scale = ui.criteriaComboBox.currentData, ui.scaleSpinBox.value
        tasks: list[dict[str, Any]] = []
        if ui.choiceCheckBox.checked:
            question = ui.questionEdit.text.strip() or ui.questionEdit.placeholderText
            strength = ui.strengthSpinBox.value
            tasks.append({"name": _("preference"), "kind": "forced_choice", "criteria": [question]})
            tasks[-1] |= {"tie": ui.tieCheckBox.checked, "strength": strength}
        if ui.gradingCheckBox.checked:
            tasks.append({"name": _("grading"), "kind": "grading", "criteria": criteria, "scale": scale})
        if ui.ratingCheckBox.checked:
            question = _("How like the reference is it?")
            tasks.append({"name": _("likeness"), "kind": "reference_rating", "criteria": [question], "scale": scale})
        if ui.markingCheckBox.checked:
            question = _("Where is something invented or missing?")
            tasks.append({"name": _("marks"), "kind": "marking", "criteria": [question]})
        return tasks


def _names(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _criteria_title(name: str) -> str:
    titles = {"chest": _("Chest (EUR 16262)"), "abdomen": _("Abdomen (EUR 16262)"), "head": _("Head (after EUR 16262)")}
    return titles.get(name, name)
