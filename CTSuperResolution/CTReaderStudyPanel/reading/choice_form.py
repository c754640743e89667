"""Form for a choice between two images, equal where that is allowed, and how strong it is where that is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from CTReaderStudyPanel.reading.number_row import NumberRow
from CTSuperResolutionLib.study.protocol import SIDES, TIE, Task

KEYS = {"Left": SIDES[0], "Right": SIDES[1], "Down": TIE}


class ChoiceForm:
    """Left, right or equal.

    Args:
        task: whether equal is allowed, and the scale of the strength.
        on_change: called after each choice.

    Attributes:
        widget: the form.
    """

    def __init__(self, task: Task, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._choice: str | None = None
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        question = qt.QLabel(task.criteria[0])
        question.wordWrap = True
        layout.addWidget(question)
        row = qt.QHBoxLayout()
        layout.addLayout(row)
        equal = {TIE: _("↓ Equal")} if task.tie else {}
        titles = {SIDES[0]: _("← Left image"), **equal, SIDES[1]: _("Right image →")}
        self._buttons: dict[str, qt.QToolButton] = {}
        for choice, title in titles.items():
            button = qt.QToolButton()
            button.text = title
            button.checkable = True
            button.focusPolicy = qt.Qt.NoFocus
            button.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
            button.connect("clicked()", lambda choice=choice: self._choose(choice))
            row.addWidget(button)
            self._buttons[choice] = button
        self._strength: NumberRow | None = None
        if task.strength:
            self._strength = NumberRow(task.strength, self._on_change)
            layout.addWidget(qt.QLabel(_("How much better? 1 is a little, {most} is most.").format(most=task.strength)))
            layout.addWidget(self._strength.widget)
        self._show()

    def press(self, key: str) -> None:
        """An arrow, or a digit for the strength."""
        if KEYS.get(key) in self._buttons:
            self._choose(KEYS[key])
        elif key.isdigit() and self._asks_strength() and self._strength is not None:
            self._strength.type(int(key))
            self._on_change()

    def click(self, ras: Sequence[float]) -> bool:
        """Clicks into the images mean nothing here."""
        return False

    def answer(self) -> dict[str, Any] | None:
        """The choice, once it is made, and its strength."""
        if self._choice is None:
            return None
        if self._strength is None or not self._asks_strength():
            return {"choice": self._choice}
        strength = self._strength.value
        return None if strength is None else {"choice": self._choice, "strength": strength}

    def keys(self) -> str:
        """What the keys do."""
        found = [_("← →: choose")]
        found += [_("↓: equal")] if TIE in self._buttons else []
        found += [_("digits: how much")] if self._strength is not None else []
        return " · ".join(found)

    def show(self, shown: bool) -> None:
        """There is nothing of it in the images."""

    def remove(self) -> None:
        """There is nothing of it in the scene."""

    def _asks_strength(self) -> bool:
        return self._strength is not None and self._choice in SIDES

    def _choose(self, choice: str) -> None:
        self._choice = choice
        self._show()
        self._on_change()

    def _show(self) -> None:
        for choice, button in self._buttons.items():
            button.checked = choice == self._choice
        if self._strength is not None:
            self._strength.widget.enabled = self._asks_strength()
