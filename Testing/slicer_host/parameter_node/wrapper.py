"""The class decorator @parameterNodeWrapper, as Slicer 5.8.1 has it.

Values are kept in the wrapper and read again only at a ModifiedEvent of the node; ``connectGui`` returns no tag, and
``disconnectGui`` leaves the node's observer, which holds the wrapper, where it is.
"""

from __future__ import annotations

import typing
import weakref
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
        setattr(cls, name, _member(name))
    for name, item in vars(Wrapped).items():
        if name.startswith("__") and name != "__init__":
            continue
        if name != "__init__" and hasattr(cls, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, item)
    cls._members = members
    return cls


def _member(name: str) -> property:
    return property(lambda self: self._values[name].value, lambda self, value: self._values[name].write(value))


class CachedValue:
    """The value of one member, as it was when the node last said that it was modified.

    The node's observer does not hold it: it ends with the wrapper.
    """

    def __init__(self, name: str, kind: Kind, default: Any, node: Any):
        self._name, self._kind, self._default, self._node = name, kind, default, node
        self._writing = False
        self.value = self._read()
        itself = weakref.ref(self)
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: itself()._modified())

    def __del__(self):
        self._node.RemoveObserver(self._tag)

    def write(self, value: Any) -> None:
        """Keep a value here and in the node; those who watch the node find it in both."""
        self._kind.check(value)
        self._writing = True
        try:
            with slicer.util.NodeModify(self._node):
                self._kind.write(self._node, self._name, value)
                self.value = self._read()
        finally:
            self._writing = False

    def _read(self) -> Any:
        if not self._node.HasParameter(self._name):
            self._kind.write(self._node, self._name, self._default)
        return self._kind.read(self._node, self._name)

    def _modified(self) -> None:
        if not self._writing:
            self.value = self._read()


class Wrapped:
    """What such a class has beside its members."""

    def __init__(self, parameterNode: Any):
        self.parameterNode = parameterNode
        self._guis: dict[int, dict[str, gui.Connector]] = {}
        self._updating, self._next_gui = False, 0
        for name, (kind, default) in self._members.items():
            if not parameterNode.HasParameter(name):
                kind.check(default)
                kind.write(parameterNode, name, default)
        self._values = {
            name: CachedValue(name, kind, default, parameterNode) for name, (kind, default) in self._members.items()
        }

    # --- widgets ---

    def connectGui(self, ui: Any) -> None:
        """Connect all widgets with a dynamic property SlicerParameterName, both ways; the tag is lost."""
        self.connectParametersToGui(gui.named_widgets(ui))

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
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._to_widgets())
        return tag

    def disconnectGui(self, tag: int | None) -> None:
        """Undo the widgets' side of a connection; without its tag, nothing."""
        for item in self._guis.pop(tag, {}).values():
            item.on_changed(None)

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
