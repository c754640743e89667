"""The class decorator @parameterNodeWrapper."""

from __future__ import annotations

import typing
from typing import Any

import slicer
import vtk

from . import gui
from .kinds import Kind, kind_of


def parameterNodeWrapper(cls: type) -> type:
    """Class decorator: each typed member is kept in the parameter node that the class is constructed with."""
    members: dict[str, tuple[Kind, Any]] = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        kind = kind_of(hint)
        members[name] = (kind, getattr(cls, name) if hasattr(cls, name) else kind.default())
        setattr(cls, name, _member(name, kind))
    for name, item in vars(Wrapped).items():
        if name.startswith("__") and name != "__init__":
            continue
        if name != "__init__" and hasattr(cls, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, item)
    cls._members = members
    return cls


def _member(name: str, kind: Kind) -> property:
    def write(self: Any, value: Any) -> None:
        kind.check(value)
        kind.write(self.parameterNode, name, value)

    return property(lambda self: kind.read(self.parameterNode, name), write)


class Wrapped:
    """What such a class has beside its members."""

    def __init__(self, parameterNode: Any):
        self.parameterNode = parameterNode
        self._guis: dict[int, dict[str, gui.Connector]] = {}
        self._gui_observers: dict[int, int] = {}
        self._updating, self._next_gui = False, 0
        for name, (kind, default) in self._members.items():
            if not parameterNode.HasParameter(name):
                kind.check(default)
                kind.write(parameterNode, name, default)

    # --- widgets ---

    def connectGui(self, ui: Any) -> int:
        """Connect all widgets with a dynamic property SlicerParameterName, both ways; returns a tag."""
        return self.connectParametersToGui(gui.named_widgets(ui))

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Connect members to widgets, both ways; returns a tag."""
        for name in mapping.keys() - self._members.keys():
            raise ValueError(f"Cannot find a param with the given name: {name}; there are {', '.join(self._members)}.")
        connectors = {name: gui.connector(widget, self._members[name][0]) for name, widget in mapping.items()}
        tag, self._next_gui = self._next_gui, self._next_gui + 1
        self._guis[tag] = connectors
        for name, item in connectors.items():
            item.write(getattr(self, name))
            item.on_changed(self._from_widget(name, item))
        self._gui_observers[tag] = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._to_widgets())
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Undo a connection."""
        for item in self._guis.pop(tag, {}).values():
            item.on_changed(None)
        if tag in self._gui_observers:
            self.RemoveObserver(self._gui_observers.pop(tag))

    def _from_widget(self, name: str, item: gui.Connector) -> Any:
        def changed() -> None:
            with slicer.util.NodeModify(self):
                if not self._updating:
                    setattr(self, name, item.read())

        return changed

    def _to_widgets(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in self._guis.values():
                    for name, item in connectors.items():
                        item.write(getattr(self, name))
        finally:
            self._updating = False

    # --- the node's own ---

    def StartModify(self) -> int:
        """Hold back the node's events."""
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> int:
        """Let them go."""
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        """Watch the node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """Stop watching."""
        self.parameterNode.RemoveObserver(tag)
