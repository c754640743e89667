"""Form for grades: one number for each question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import qt
from CTSuperResolutionPanel.compare.section import scroll_to
from slicer.i18n import tr as _

from CTReaderStudyPanel.reading.number_row import NumberRow
from CTSuperResolutionLib.study.protocol import Task

CURRENT, OTHER = "QLabel { font-weight: bold }", ""


class GradeForm:
    """Questions below each other, of which one is the current one: digits grade it and go on to the next.

    Args:
        task: its scale. questions: in their order.
        on_change: called after each choice.

    Attributes:
        widget: the form.
    """

    def __init__(self, task: Task, questions: Sequence[str], on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._current = 0
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        hint = qt.QLabel(_("1 is worst, {scale} is best.").format(scale=task.scale))
        layout.addWidget(hint)
        self._rows: dict[str, NumberRow] = {}
        self._labels: list[qt.QLabel] = []
        for place, question in enumerate(questions):
            label = qt.QLabel(question)
            label.wordWrap = True
            row = NumberRow(task.scale, partial(self._chosen, place))
            layout.addWidget(label)
            layout.addWidget(row.widget)
            self._labels.append(label)
            self._rows[question] = row
        self._highlight()

    def press(self, key: str) -> None:
        """A digit, or up and down between the questions."""
        row = self._list()[self._current]
        if key.isdigit():
            row.type(int(key))
            if row.complete:
                self._move(1)
        elif key in ("Up", "Down"):
            self._move(1 if key == "Down" else -1)
        else:
            return
        self._on_change()

    def click(self, ras: Sequence[float]) -> bool:
        """Clicks into the images mean nothing here."""
        return False

    def answer(self) -> dict[str, Any] | None:
        """The grades by question, once there are all."""
        grades = {question: row.value for question, row in self._rows.items()}
        return None if None in grades.values() else {"grades": grades}

    def keys(self) -> str:
        """What the keys do."""
        return _("digits: grade · ↑ ↓: other question")

    def show(self, shown: bool) -> None:
        """There is nothing of it in the images."""

    def remove(self) -> None:
        """There is nothing of it in the scene."""

    def _list(self) -> list[NumberRow]:
        return list(self._rows.values())

    def _chosen(self, place: int) -> None:
        self._current = place
        self._move(1)
        self._on_change()

    def _move(self, step: int) -> None:
        self._current = min(max(self._current + step, 0), len(self._labels) - 1)
        self._highlight()

    def _highlight(self) -> None:
        for place, label in enumerate(self._labels):
            label.styleSheet = CURRENT if place == self._current and len(self._labels) > 1 else OTHER
        if self.widget.visible:
            scroll_to(self._list()[self._current].widget)
