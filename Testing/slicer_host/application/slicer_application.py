"""slicer.app."""

from __future__ import annotations

import locale
import os
import platform
import sys
from typing import Any

from PySide6.QtCore import QObject, QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicer_host import names
from slicer_host.pythonqt.classes import register
from slicer_host.widgets.properties import Property, stored

from .folders import Folders

MACHINE = platform.machine()
SYSTEM = {"linux": "linux", "darwin": "macosx"}.get(sys.platform, "win")
VERSION = names.listed("python")["versions"]["slicer"]


def fixed(kind: Any, value: Any) -> Property:
    """A property that cannot be written."""
    return Property(kind, lambda _: value)


@register
class qSlicerApplicationCommandOptions(QObject):
    """What Slicer was started with: here as with --testing."""

    testingEnabled = fixed(bool, True)
    pythonScript = fixed(str, "")
    pythonCode = fixed(str, "")
    runPythonAndExit = stored(bool, "runPythonAndExit", False)
    additionalModulePaths = fixed("QStringList", [])


@register
class qSlicerApplication(QApplication):
    """The application, with real Qt event loop and real MRML scene."""

    mrmlSceneChanged = Signal(object)
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
        self._revision_settings = QSettings(str(folders.settings / "Slicer-revision.ini"), QSettings.Format.IniFormat)
        self._options = qSlicerApplicationCommandOptions(self)
        self._scene = self._logic = self._layout_manager = self._io = self._modules = None
        self._pauses = 0

    def take(self, scene: Any, logic: Any, layout_manager: Any, io: Any, modules: Any) -> None:
        """The host's way to give the application its parts."""
        self._scene, self._logic, self._layout_manager = scene, logic, layout_manager
        self._io, self._modules = io, modules

    # --- parts ---

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene

    def applicationLogic(self) -> Any:
        """The real vtkSlicerApplicationLogic."""
        return self._logic

    def layoutManager(self) -> Any:
        """The views."""
        return self._layout_manager

    def coreIOManager(self) -> Any:
        """Loading and saving."""
        return self._io

    ioManager = coreIOManager

    def moduleManager(self) -> Any:
        """The modules."""
        return self._modules

    def moduleLogic(self, name: str) -> Any:
        """The logic of a module, or None."""
        return self._logic.GetModuleLogic(name)

    # --- how it was started ---

    def commandOptions(self) -> QObject:
        """As started with --testing."""
        return self._options

    def testingEnabled(self) -> bool:
        """Message boxes are skipped and logged."""
        return True

    def startupEnvironment(self) -> QProcessEnvironment:
        """The environment before Slicer added to it."""
        found = QProcessEnvironment.systemEnvironment()
        paths = os.environ.get("PATH", "").split(os.pathsep)
        found.insert("PATH", os.pathsep.join(path for path in paths if path != str(self._folders.python.parent)))
        return found

    def environment(self) -> QProcessEnvironment:
        """The environment now."""
        return QProcessEnvironment.systemEnvironment()

    def moduleDocumentationUrl(self, name: str) -> str:
        """Where a module's page would be."""
        return f"{self.property('documentationBaseUrl')}user_guide/modules/{name.lower()}.html"

    def toSlicerHomeAbsolutePath(self, path: str) -> str:
        """A path within Slicer, from its home."""
        return os.path.join(str(self._folders.home), path)

    def toSlicerHomeRelativePath(self, path: str) -> str:
        """Undo that."""
        return os.path.relpath(path, str(self._folders.home))

    # --- settings ---

    def settings(self) -> QSettings:
        """Settings, in a temporary folder."""
        return self._user_settings

    userSettings = settings

    def revisionUserSettings(self) -> QSettings:
        """Settings of this version."""
        return self._revision_settings

    # --- drawing ---

    def pauseRender(self) -> int:
        """Stop drawing views until resumed as often."""
        return self._layout_manager.pauseRender()

    def resumeRender(self) -> int:
        """Undo one pause."""
        return self._layout_manager.resumeRender()

    def setRenderPaused(self, paused: bool) -> None:
        """Pause or resume."""
        (self.pauseRender if paused else self.resumeRender)()

    def restart(self) -> None:
        """Slicer would start anew."""
        raise RuntimeError("Slicer would restart now.")

    slicerHome = Property(str, lambda self: str(self._folders.home))
    slicerSharePath = fixed(str, "share/Slicer-5.8")
    startupWorkingPath = fixed(str, os.getcwd())
    launcherExecutableFilePath = Property(str, lambda self: str(self._folders.home / "Slicer"))
    launcherSettingsFilePath = Property(str, lambda self: str(self._folders.home / "bin/SlicerLauncherSettings.ini"))
    extensionsInstallPath = Property(str, lambda self: str(self._folders.root / "Extensions"))
    slicerUserSettingsFilePath = Property(str, lambda self: self._user_settings.fileName())
    slicerRevisionUserSettingsFilePath = Property(str, lambda self: self._revision_settings.fileName())
    temporaryPath = Property(
        str, lambda self: self._temporary, lambda self, path: self.__dict__.__setitem__("_temporary", path)
    )
    cachePath = stored(str, "cachePath", "")
    defaultScenePath = stored(str, "defaultScenePath", "")
    intDir = fixed(str, "")
    isInstalled = fixed(bool, True)
    releaseType = fixed(str, "Stable")
    revision = fixed(str, "33241")
    repositoryRevision = fixed(str, "11eaf62")
    majorVersion = fixed(int, int(VERSION.split(".")[0]))
    minorVersion = fixed(int, int(VERSION.split(".")[1]))
    mainApplicationName = fixed(str, "Slicer")
    mainApplicationMajorVersion = fixed(int, int(VERSION.split(".")[0]))
    mainApplicationMinorVersion = fixed(int, int(VERSION.split(".")[1]))
    applicationLocaleName = fixed(str, "en_US")
    documentationBaseUrl = fixed(str, "https://slicer.readthedocs.io/en/5.8/")
    documentationVersion = fixed(str, "5.8")
    documentationLanguage = fixed(str, "en")
    platform = fixed(str, f"{SYSTEM}-{MACHINE}")
    arch = fixed(str, MACHINE)
    os = fixed(str, SYSTEM)
