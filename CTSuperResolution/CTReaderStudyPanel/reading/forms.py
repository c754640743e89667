"""Forms for answers: what a reader chooses, by key or by button, for each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import qt
import slicer

from CTReaderStudyPanel.reading.choice_form import ChoiceForm
from CTReaderStudyPanel.reading.grade_form import GradeForm
from CTReaderStudyPanel.reading.mark_form import MarkForm
from CTSuperResolutionLib.study.study_files import Trial


class Form(Protocol):
    """What a reader says of one trial.

    Attributes:
        widget: shows it.
    """

    widget: qt.QWidget

    def press(self, key: str) -> None:
        """Take a key; one that means nothing here is left alone."""

    def click(self, ras: Sequence[float]) -> bool:
        """Take a click into the images, RAS in mm, and say whether it was of use."""

    def answer(self) -> dict[str, Any] | None:
        """The answer as the task wants it; None while something of it is missing."""

    def keys(self) -> str:
        """What the keys do, in a line."""

    def show(self, shown: bool) -> None:
        """Show or hide what it put into the images."""

    def remove(self) -> None:
        """Take what it put into the scene away."""


def make_form(trial: Trial, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode], on_change: Callable[[], None]) -> Form:
    """The form of a trial.

    Args:
        trial: what is asked. volumes: what is shown.
        on_change: called after each choice.
    """
    if trial.task.kind == "forced_choice":
        return ChoiceForm(trial.task, on_change)
    if trial.task.kind == "marking":
        return MarkForm(trial.task, volumes[0], on_change)
    return GradeForm(trial.task, trial.questions, on_change)
