"""Row of buttons for a whole number, which digits choose as well."""

from __future__ import annotations

from collections.abc import Callable

import qt

MOST_BUTTONS = 10
"""Longer scales have a field for their number."""


class NumberRow:
    """A number from 1 to ``highest``, or none yet.

    Args:
        highest: of the scale.
        on_chosen: called after the reader chose with the mouse.

    Attributes:
        widget: the row.
        value: what is chosen; None before.
    """

    def __init__(self, highest: int, on_chosen: Callable[[], None]) -> None:
        self._highest, self._on_chosen = highest, on_chosen
        self.value: int | None = None
        self.widget = qt.QWidget()
        layout = qt.QHBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._buttons: list[qt.QToolButton] = []
        self._field: qt.QSpinBox | None = None
        if highest > MOST_BUTTONS:
            self._field = qt.QSpinBox()
            self._field.setRange(0, highest)
            self._field.specialValueText = "–"
            self._field.suffix = f" / {highest}"
            self._field.focusPolicy = qt.Qt.NoFocus
            self._field.connect("valueChanged(int)", self._set_by_mouse)
            layout.addWidget(self._field)
            return
        for number in range(1, highest + 1):
            button = qt.QToolButton()
            button.text = str(number)
            button.checkable = True
            button.focusPolicy = qt.Qt.NoFocus
            button.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
            button.connect("clicked()", lambda number=number: self._set_by_mouse(number))
            layout.addWidget(button)
            self._buttons.append(button)

    @property
    def complete(self) -> bool:
        """Whether no further digit could go on with the number."""
        return self.value is not None and 10 * self.value > self._highest

    def type(self, digit: int) -> None:
        """Take a digit: it goes on with the number where the scale reaches that far, and begins a new one elsewhere."""
        longer = 10 * (self.value or 0) + digit
        if 1 <= longer <= self._highest:
            self.set(longer)
        elif 1 <= digit <= self._highest:
            self.set(digit)

    def set(self, value: int | None) -> None:
        """Choose a number, or none."""
        self.value = value
        for number, button in enumerate(self._buttons, 1):
            button.checked = number == value
        if self._field is not None:
            was = self._field.blockSignals(True)
            self._field.value = value or 0
            self._field.blockSignals(was)

    def _set_by_mouse(self, value: int) -> None:
        self.set(value or None)
        self._on_chosen()
