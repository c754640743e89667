"""slicer.app."""

from __future__ import annotations

import gc
import locale
import os
from typing import Any

from PySide6.QtCore import QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication, QWidget

from slicer_host import names
from slicer_host.pythonqt.classes import register
from slicer_host.widgets.properties import Property

from .folders import Folders

VERSION = names.listed("python")["versions"]["slicer"]


@register
class qSlicerApplication(QApplication):
    """The application, with real Qt event loop and real MRML scene."""

    startupCompleted = Signal()

    def __init__(self, folders: Folders):
        super().__init__([str(folders.home / "bin" / "SlicerApp-real")])
        locale.setlocale(locale.LC_NUMERIC, "C")  # Qt takes the user's, in which VTK could read 1.5 as 1
        self.setApplicationName("Slicer")
        self.setOrganizationName("slicer-host")
        self.setApplicationVersion(VERSION)
        self.setQuitOnLastWindowClosed(False)
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        for scope in (QSettings.Scope.UserScope, QSettings.Scope.SystemScope):
            QSettings.setPath(QSettings.Format.IniFormat, scope, str(folders.settings))
        self._folders, self._temporary = folders, str(folders.temporary)
        self._user_settings = QSettings()
        self._scene = self._logic = self._layout_manager = self._io = self._modules = None

    def take(self, scene: Any, logic: Any, layout_manager: Any, io: Any, modules: Any) -> None:
        """The host's way to give the application its parts."""
        self._scene, self._logic, self._layout_manager = scene, logic, layout_manager
        self._io, self._modules = io, modules

    # --- parts ---

    def applicationLogic(self) -> Any:
        """The real vtkSlicerApplicationLogic."""
        return self._logic

    def layoutManager(self) -> Any:
        """The views."""
        return self._layout_manager

    def coreIOManager(self) -> Any:
        """Loading and saving."""
        return self._io

    def moduleManager(self) -> Any:
        """The modules."""
        return self._modules

    @staticmethod
    def topLevelWidgets() -> list[QWidget]:
        """Every window. While PySide turns Qt's list into objects, collected garbage could take a window with it."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            return QApplication.topLevelWidgets()
        finally:
            if collecting:
                gc.enable()

    # --- how it was started ---

    def testingEnabled(self) -> bool:
        """Message boxes are skipped and logged."""
        return True

    def startupEnvironment(self) -> QProcessEnvironment:
        """The environment before Slicer added to it."""
        found = QProcessEnvironment.systemEnvironment()
        paths = os.environ.get("PATH", "").split(os.pathsep)
        found.insert("PATH", os.pathsep.join(path for path in paths if path != str(self._folders.python.parent)))
        return found

    # --- settings ---

    def settings(self) -> QSettings:
        """Settings, in a temporary folder."""
        return self._user_settings

    userSettings = settings

    # --- drawing ---

    def pauseRender(self) -> int:
        """Stop drawing views until resumed as often."""
        return self._layout_manager.pauseRender()

    def resumeRender(self) -> int:
        """Undo one pause."""
        return self._layout_manager.resumeRender()

    slicerHome = Property(str, lambda self: str(self._folders.home))
    temporaryPath = Property(
        str, lambda self: self._temporary, lambda self, path: self.__dict__.__setitem__("_temporary", path)
    )
