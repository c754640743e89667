"""ctkPathLineEdit, which asks for a file or folder."""

from __future__ import annotations

import os
from enum import IntFlag

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QToolButton, QWidget

from slicer_host.pythonqt.classes import register

from .properties import Property, stored


@register
class ctkPathLineEdit(QWidget):
    """A line for a path, with a button to browse for it."""

    class Filter(IntFlag):
        """What may be chosen, with the numbers of QDir's filters."""

        Dirs, Files, Drives, NoSymLinks = 0x001, 0x002, 0x004, 0x008
        AllEntries = 0x007
        Readable, Writable, Executable, Hidden, System = 0x010, 0x020, 0x040, 0x100, 0x200
        NoDot, NoDotDot, NoDotAndDotDot = 0x2000, 0x4000, 0x6000

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._combo, self._button = QComboBox(self), QToolButton(self)
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._button.setText("...")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo, 1)
        layout.addWidget(self._button)
        self._combo.editTextChanged.connect(self._changed)
        self._button.clicked.connect(self._browse)

    def setCurrentPath(self, path: str) -> None:
        """Show a path."""
        self._combo.setEditText(path)

    def _browse(self) -> None:
        """Let the user choose."""
        if self.property("filters") & self.Filter.Files:
            found = QFileDialog.getOpenFileName(self, "Choose a path", self._combo.currentText())[0]
        else:
            found = QFileDialog.getExistingDirectory(self, "Choose a path", self._combo.currentText())
        if found:
            self.setCurrentPath(found)

    def _changed(self, path: str) -> None:
        self.currentPathChanged.emit(path)
        self.validInputChanged.emit(os.path.exists(path))

    currentPath = Property(str, lambda self: self._combo.currentText(), setCurrentPath)
    filters = stored(int, "filters", int(Filter.AllEntries | Filter.NoDotAndDotDot | Filter.Readable))
