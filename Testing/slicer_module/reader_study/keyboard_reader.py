"""A person at the panel of reader studies, with nothing but a keyboard once the study is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from CTReaderStudyPanel.reading.sitting import State
from slicer_host.fixtures import ROOT

MODULE_FILE = ROOT / "CTSuperResolution" / "CTReaderStudy.py"


class Reader:
    """Opens a study and answers."""

    def __init__(self, widget: Any, slicer: Any, application: Any, wait_until: Callable[..., None]) -> None:
        import slicer as slicer_

        self.widget, self.slicer, self._application, self._wait = widget, slicer, application, wait_until
        self.section = widget.panel.read
        self.ui: SimpleNamespace = slicer_.util.childWidgetVariables(self.section.widget)

    @property
    def sitting(self):
        return self.section.sitting

    @property
    def trial(self):
        return self.sitting.trial

    def open(self, folder: Path, name: str = "Ada") -> None:
        """Choose the folder and the name, press the button, and begin the session."""
        self.ui.folderEdit.currentPath = str(folder)
        if (place := self.ui.readerComboBox.findText(name)) > 0:
            self.ui.readerComboBox.setCurrentIndex(place)
        self.ui.startButton.click()
        if self.sitting.state is State.BREAK:
            self.press("Space")
        self.settle()

    def settle(self) -> None:
        """Images come, and views get their sizes."""
        self._wait(lambda: self.sitting.state is not State.LOADING)
        for _turn in range(3):
            self.slicer.app.processEvents()

    def press(self, *keys: str) -> None:
        """Keys as a keyboard sends them to the window; in a real Slicer, their shortcuts."""
        window = self.slicer.util.mainWindow()
        for key in keys:
            if self._application.is_real:
                found = [s for s in window.children() if s.inherits("QShortcut") and s.key.toString() == key]
                found[0].activated.emit()
            else:
                press_key(window, key)
            self.slicer.app.processEvents()

    def answer(self) -> None:
        """Answer the trial that is shown, by keys alone."""
        kind = self.trial.task.kind
        if kind in ("grading", "reference_rating"):
            self.press(*"345"[: len(self.trial.questions)])
        elif kind == "forced_choice":
            self.press("Left", *("2" * bool(self.trial.task.strength)))
        self.press("Space")
        while self.sitting.state in (State.BREAK, State.FEEDBACK):
            self.press("Space")
        self.settle()

    def volumes(self) -> list[Any]:
        """What the views on the screen show, from left to right."""
        views = self.slicer.app.layoutManager().layoutLogic().GetViewNodes()
        nodes = [views.GetItemAsObject(place) for place in range(views.GetNumberOfItems())]
        logics = [self.slicer.app.applicationLogic().GetSliceLogic(node) for node in nodes]
        names = [logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in logics if logic is not None]
        return [self.slicer.mrmlScene.GetNodeByID(name) if name else None for name in names]


def press_key(window: Any, key: str) -> None:
    """Press a key in the test host's window."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    other = {"Del": "Delete", "PgUp": "PageUp", "PgDown": "PageDown", "Esc": "Escape", "Enter": "Return"}
    code = getattr(Qt.Key, f"Key_{other.get(key, key)}")
    plain = window.__dict__["_object"]
    while not plain.isActiveWindow():
        plain.activateWindow()
        QApplication.processEvents()
    QTest.keyClick(plain.focusWidget() or plain, code)
