"""slicer.modules and the module manager."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from slicer_host import names
from slicer_host.errors import NotBuiltInHost
from slicer_host.pythonqt.classes import register
from slicer_host.pythonqt.wrapping import wrap
from slicer_host.widgets.mrml_widget import qMRMLWidget
from slicer_host.widgets.properties import Property, stored


class AnyModule(QObject):
    """What all modules have."""

    title = stored(str, "title", "")
    categories = stored("QStringList", "categories", [])
    dependencies = stored("QStringList", "dependencies", [])
    contributors = stored("QStringList", "contributors", [])
    helpText = stored(str, "helpText", "")
    acknowledgementText = stored(str, "acknowledgementText", "")
    icon = stored(QIcon, "icon", QIcon())
    name = Property(str, lambda self: self._name)
    path = Property(str, lambda self: self._path)

    def __init__(self, name: str, path: str, scene: Any, logic: Any = None):
        super().__init__()
        self._name, self._path, self._scene, self._logic = name, path, scene, logic

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene

    def logic(self) -> Any:
        """The module's logic."""
        return self._logic


@register
class qSlicerLoadableModule(AnyModule):
    """One of Slicer's own modules: its logic is real, its panel is not built into the host."""

    def widgetRepresentation(self) -> Any:
        """The panel."""
        raise NotBuiltInHost(f"The panel of the module {self._name}")


@register
class qSlicerMarkupsModule(qSlicerLoadableModule):
    """The module Markups, whose tool bar Slicer shows as soon as markups come into the scene; the host has none."""

    autoShowToolBar = stored(bool, "autoShowToolBar", True)


OWN = {"Markups": qSlicerMarkupsModule}
"""Slicer's own modules that have more than others."""


@register
class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The frame around a scripted module's panel."""

    def __init__(self, module: qSlicerScriptedLoadableModule):
        super().__init__()
        self._module, self._python, self._entered = module, None, False
        QVBoxLayout(self)
        self.setObjectName(f"{module.property('name')}ModuleWidget")

    isEntered = Property(bool, lambda self: self._entered)
    moduleName = Property(str, lambda self: self._module.property("name"))

    def build(self) -> None:
        """Make the Python panel and set it up, as Slicer does when the module is shown for the first time."""
        self.setMRMLScene(self._module.mrmlScene())
        self._python = self._module.python_class("Widget")(wrap(self))
        setattr(sys.modules["slicer"].modules, f"{self._module.property('name')}Widget", self._python)
        self._python.setup()
        if self.layout().count() and self.layout().itemAt(self.layout().count() - 1).widget() is not None:
            self.layout().addStretch(1)

    def self(self) -> Any:
        """The Python object."""
        return self._python

    def enter(self) -> None:
        """The user goes to the module."""
        if not self._entered:
            self._entered = True
            getattr(self._python, "enter", lambda: None)()

    def exit(self) -> None:
        """The user leaves the module."""
        if self._entered:
            self._entered = False
            getattr(self._python, "exit", lambda: None)()

    def reload(self) -> None:
        """Make the Python panel anew."""
        self.build()


@register
class qSlicerScriptedLoadableModule(AnyModule):
    """A module written in Python, loaded from its file."""

    def __init__(self, path: str, scene: Any):
        name = os.path.splitext(os.path.basename(path))[0]
        super().__init__(name, path, scene)
        self._widget = None
        folder = os.path.dirname(path)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location(name, path)
        self.python = importlib.util.module_from_spec(spec)
        sys.modules[name] = self.python
        spec.loader.exec_module(self.python)
        self.instance = self.python_class("")(wrap(self))

    def python_class(self, ending: str) -> type:
        """The class of the module's file with that ending."""
        return getattr(sys.modules[self._name], self._name + ending)

    def widgetRepresentation(self) -> QWidget:
        """The panel, made the first time."""
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.build()
        return self._widget

    def forget_widget(self) -> None:
        """The host's way to throw the panel away."""
        if self._widget is not None:
            self._widget.deleteLater()
            self._widget = None


@register
class qSlicerModuleManager(QObject):
    """slicer.app.moduleManager()."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, scene: Any, logics: dict[str, Any], parent: QObject | None = None):
        super().__init__(parent)
        self._scene = scene
        self._modules: dict[str, AnyModule] = {
            name: OWN.get(name, qSlicerLoadableModule)(name, "", scene, logic) for name, logic in logics.items()
        }

    def module(self, name: str) -> AnyModule | None:
        """The module of that name, or None."""
        return self._modules.get(name)

    def load(self, path: str) -> qSlicerScriptedLoadableModule:
        """The host's way to load a scripted module from its file."""
        module = qSlicerScriptedLoadableModule(path, self._scene)
        name = module.property("name")
        self._modules[name] = module
        namespace = sys.modules["slicer"].modules
        setattr(namespace, name.lower(), wrap(module))
        setattr(namespace, f"{name}Instance", module.instance)
        self.moduleLoaded.emit(name)
        return module

    def unload(self, name: str) -> None:
        """The host's way to unload it: panels get their ``cleanup``."""
        self.moduleAboutToBeUnloaded.emit(name)
        module = self._modules.pop(name)
        module.forget_widget()
        namespace = sys.modules["slicer"].modules
        for attribute in (name.lower(), f"{name}Instance", f"{name}Widget"):
            namespace.__dict__.pop(attribute, None)


class Modules:
    """The namespace slicer.modules: an attribute for each module, in lower case."""

    def __init__(self, manager: qSlicerModuleManager):
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        """One of Slicer's own modules."""
        for known in names.words("modules"):
            if known.lower() == name:
                module = self._manager.module(known)
                if module is None:
                    raise NotBuiltInHost(f"The module {known}")
                return wrap(module)
        raise AttributeError(f"There is no module {name!r} in slicer.modules.")
