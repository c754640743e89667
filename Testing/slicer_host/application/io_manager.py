"""Loading and saving of scenes by the scene itself."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from PySide6.QtCore import QObject

from slicer_host.errors import NotBuiltInHost
from slicer_host.pythonqt.classes import register


@register
class qSlicerIOManager(QObject):
    """slicer.app.coreIOManager()."""

    def __init__(self, scene: Any, application_logic: Any, parent: QObject | None = None):
        super().__init__(parent)
        self._scene, self._application_logic = scene, application_logic

    def loadNodes(self, kind: str, properties: dict, nodes: Any = None, messages: Any = None) -> bool:
        """Load a scene."""
        if kind != "SceneFile":
            raise NotBuiltInHost(f"Loading a {kind}")
        return self.loadScene(properties["fileName"], properties.get("clear", False))

    def saveNodes(self, kind: str, properties: dict, messages: Any = None) -> bool:
        """Save the scene."""
        if kind != "SceneFile":
            raise NotBuiltInHost(f"Saving a {kind}")
        return self.saveScene(properties["fileName"])

    def loadScene(self, path: str, clear: bool = True) -> bool:
        """Load a scene, in place of the present one or into it."""
        if not os.path.exists(path):
            return False
        if path.lower().endswith(".mrb"):
            if clear:
                self._scene.Clear(0)
            folder = tempfile.mkdtemp(dir=self._application_logic.GetTemporaryPath())
            return bool(self._application_logic.OpenSlicerDataBundle(path, folder))
        self._scene.SetURL(path)
        return bool(self._scene.Connect() if clear else self._scene.Import())

    def saveScene(self, path: str) -> bool:
        """Save a scene: .mrml or .mrb."""
        if path.lower().endswith(".mrb"):
            return bool(self._scene.WriteToMRB(path))
        if not path.lower().endswith(".mrml"):
            raise NotBuiltInHost("Saving a scene into a folder")
        self._scene.SetURL(path)
        return bool(self._scene.Commit())
