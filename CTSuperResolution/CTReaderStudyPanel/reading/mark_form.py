"""Form for marks, which the reader makes by clicking into the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTReaderStudyPanel.reading.marks import Marks
from CTSuperResolutionLib.study.protocol import MARKS, Task

KEYS = {"I": MARKS[0], "M": MARKS[1]}


class MarkForm:
    """The kind of the next mark, and how many there are. No mark at all is an answer, too.

    Args:
        task: its question.
        volume: the image.
        on_change: called after each choice.

    Attributes:
        widget: the form.
    """

    def __init__(self, task: Task, volume: slicer.vtkMRMLScalarVolumeNode, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._marks = Marks(volume)
        self._kind = MARKS[0]
        self._titles = dict(zip(MARKS, (_("Invented (I)"), _("Missing (M)")), strict=True))
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        question = qt.QLabel(task.criteria[0])
        question.wordWrap = True
        layout.addWidget(question)
        layout.addWidget(qt.QLabel(_("Click into the image. The next mark means:")))
        row = qt.QHBoxLayout()
        layout.addLayout(row)
        self._buttons: dict[str, qt.QToolButton] = {}
        for kind in MARKS:
            button = qt.QToolButton()
            button.checkable = True
            button.focusPolicy = qt.Qt.NoFocus
            button.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
            button.connect("clicked()", lambda kind=kind: self._choose(kind))
            row.addWidget(button)
            self._buttons[kind] = button
        self._remove_button = qt.QPushButton(_("Remove the last mark (Del)"))
        self._remove_button.focusPolicy = qt.Qt.NoFocus
        self._remove_button.connect("clicked()", self._remove_last)
        layout.addWidget(self._remove_button)
        self._show()

    def press(self, key: str) -> None:
        """The kind of the next mark, or taking the last one back."""
        if key in KEYS:
            self._choose(KEYS[key])
        elif key == "Del":
            self._remove_last()

    def click(self, ras: Sequence[float]) -> bool:
        """Mark a place."""
        made = self._marks.add(self._kind, ras)
        self._changed()
        return made

    def answer(self) -> dict[str, Any] | None:
        """The marks, which may be none."""
        return {"marks": self._marks.to_list()}

    def keys(self) -> str:
        """What the keys do."""
        return _("click: mark · I: invented · M: missing · Del: remove the last mark")

    def show(self, shown: bool) -> None:
        """Show or hide the marks in the image."""
        self._marks.show(shown)

    def remove(self) -> None:
        """Take the marks out of the scene."""
        self._marks.remove()

    def _choose(self, kind: str) -> None:
        self._kind = kind
        self._changed()

    def _remove_last(self) -> None:
        self._marks.remove_last()
        self._changed()

    def _changed(self) -> None:
        self._show()
        self._on_change()

    def _show(self) -> None:
        for kind, button in self._buttons.items():
            button.text = f"{self._titles[kind]}: {self._marks.count(kind)}"
            button.checked = kind == self._kind
        self._remove_button.enabled = bool(self._marks.to_list())
