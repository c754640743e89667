"""CTK's ways to choose a file or folder."""

from __future__ import annotations

import os
from enum import IntFlag

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QToolButton, QWidget

from slicer_host.pythonqt.classes import register

from .properties import Property, of_part, stored


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
        self._button.clicked.connect(self.browse)

    def setCurrentPath(self, path: str) -> None:
        """Show a path."""
        self._combo.setEditText(path)

    def comboBox(self) -> QComboBox:
        """The inner box."""
        return self._combo

    def browse(self) -> None:
        """Let the user choose."""
        filters = self.property("filters") or 0
        if filters & self.Filter.Files:
            found = QFileDialog.getOpenFileName(
                self, self.property("label"), self._combo.currentText(), ";;".join(self.property("nameFilters") or [])
            )[0]
        else:
            found = QFileDialog.getExistingDirectory(self, self.property("label"), self._combo.currentText())
        if found:
            self.setCurrentPath(found)

    def addCurrentPathToHistory(self) -> None:
        """Keep the path in the list below the line."""
        if self._combo.findText(self._combo.currentText()) < 0:
            self._combo.insertItem(0, self._combo.currentText())

    def _changed(self, path: str) -> None:
        self.currentPathChanged.emit(path)
        self.validInputChanged.emit(os.path.exists(path))

    currentPath = Property(str, lambda self: self._combo.currentText(), setCurrentPath)
    filters = stored(int, "filters", int(Filter.AllEntries | Filter.NoDotAndDotDot | Filter.Readable))
    label = stored(str, "label", "Choose a path")
    nameFilters = stored("QStringList", "nameFilters", [])
    options = stored(int, "options", 0)
    settingKey = stored(str, "settingKey", "")
    showBrowseButton = Property(
        bool, lambda self: not self._button.isHidden(), lambda self, value: self._button.setVisible(value)
    )
    showHistoryButton = stored(bool, "showHistoryButton", True)
    minimumContentsLength = of_part(int, "_combo", "minimumContentsLength")
    sizeAdjustPolicy = of_part(int, "_combo", "sizeAdjustPolicy")


@register
class ctkDirectoryButton(QWidget):
    """A button that shows a folder and lets the user choose another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, first: str | QWidget | None = None, parent: QWidget | None = None):
        super().__init__(parent if isinstance(first, str) else first)
        self._button = QPushButton(self)
        self._folder = first if isinstance(first, str) else os.getcwd()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)
        self._button.setText(self._folder)

    def browse(self) -> None:
        """Let the user choose."""
        found = QFileDialog.getExistingDirectory(self, self.property("caption"), self._folder)
        if found:
            self._set(found)
            self.directorySelected.emit(found)

    def _set(self, folder: str) -> None:
        changed = folder != self._folder
        self._folder = folder
        self._button.setText(folder)
        if changed:
            self.directoryChanged.emit(folder)

    directory = Property(str, lambda self: self._folder, _set)
    text = of_part(str, "_button", "text")
    icon = of_part(object, "_button", "icon")
    caption = stored(str, "caption", "Choose a folder")
