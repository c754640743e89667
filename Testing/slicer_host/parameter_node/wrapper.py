"""The class decorator @parameterNodeWrapper."""

from __future__ import annotations

import typing
from typing import Any

import slicer
import vtk

from . import gui
from .annotations import Default
from .kinds import kind_of
from .packs import isParameterPack


def isParameterNodeWrapper(found: Any) -> bool:
    """Whether it is a class or object made with @parameterNodeWrapper."""
    return getattr(found, "_is_parameter_node_wrapper", False)


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Class decorator: each typed member is kept in the parameter node that the class is constructed with."""
    return _made(classtype) if classtype is not None else _made


def _made(cls: type) -> type:
    members = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        kind, default = kind_of(hint)
        members[name] = (kind, Default(getattr(cls, name)) if hasattr(cls, name) else default, hint)
        setattr(cls, name, _member(name, kind))
    for name, item in vars(Wrapped).items():
        if name.startswith("__") and name != "__init__":
            continue
        if name != "__init__" and hasattr(cls, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, item)
    cls._members, cls._is_parameter_node_wrapper = members, True
    cls.dataType = staticmethod(lambda name: _data_type(cls, name))
    return cls


def _member(name: str, kind: Any) -> property:
    def write(self: Any, value: Any) -> None:
        kind.check(value)
        kind.write(self.parameterNode, self._prefix + name, value)

    return property(lambda self: kind.read(self.parameterNode, self._prefix + name), write)


def _data_type(cls: type, name: str) -> Any:
    top, _, rest = name.partition(".")
    if top not in cls._members:
        raise ValueError(f"Cannot find a param with the given name: {top}; there are {', '.join(cls._members)}.")
    hint = cls._members[top][2]
    return hint.dataType(rest) if rest else hint


class Wrapped:
    """What such a class has beside its members."""

    def __init__(self, parameterNode: Any, prefix: str | None = None):
        self.parameterNode, self._prefix = parameterNode, prefix or ""
        self._guis: dict[int, dict[str, Any]] = {}
        self._gui_observers: dict[int, int] = {}
        self._updating, self._next_gui = False, 0
        for name, (kind, default, _) in self._members.items():
            if not kind.is_in(parameterNode, self._prefix + name):
                value = default.value
                kind.check(value)
                kind.write(parameterNode, self._prefix + name, value)

    def getValue(self, name: str) -> Any:
        """A member by its name, or a part of a pack by pack.part."""
        _data_type(type(self), name)
        top, _, rest = name.partition(".")
        value = getattr(self, top)
        return value.getValue(rest) if rest and isParameterPack(value) else value

    def setValue(self, name: str, value: Any) -> None:
        """Set a member by its name."""
        _data_type(type(self), name)
        top, _, rest = name.partition(".")
        if rest:
            getattr(self, top).setValue(rest, value)
        else:
            setattr(self, top, value)

    # --- widgets ---

    def connectGui(self, ui: Any) -> int:
        """Connect all widgets with a dynamic property SlicerParameterName, both ways; returns a tag."""
        return self.connectParametersToGui(gui.named_widgets(ui))

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Connect members to widgets, both ways; returns a tag."""
        connectors = {name: gui.connector(widget, type(self).dataType(name)) for name, widget in mapping.items()}
        tag, self._next_gui = self._next_gui, self._next_gui + 1
        self._guis[tag] = connectors
        for name, item in connectors.items():
            item.write(self.getValue(name))
            item.on_changed(self._from_widget(name, item))
        self._gui_observers[tag] = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._to_widgets())
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Undo a connection."""
        for item in self._guis.pop(tag, {}).values():
            item.on_changed(None)
        if tag in self._gui_observers:
            self.RemoveObserver(self._gui_observers.pop(tag))

    def _from_widget(self, name: str, item: Any) -> Any:
        def changed() -> None:
            with slicer.util.NodeModify(self):
                if not self._updating:
                    self.setValue(name, item.read())

        return changed

    def _to_widgets(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in self._guis.values():
                    for name, item in connectors.items():
                        item.write(self.getValue(name))
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

    def Modified(self) -> None:
        """Tell all that watch."""
        self.parameterNode.Modified()
