"""Widgets for the members of a parameter node wrapper; a pair that the host does not connect is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .kinds import Boolean, Kind, Node

NAME_PROPERTY = "SlicerParameterName"
"""The dynamic property by which a widget says whose widget it is."""

INT_RANGE = -(2**31), 2**31 - 1
"""A spin box's limits where the type has none."""


def named_widgets(ui: Any) -> dict[str, Any]:
    """Widgets by their parameter's name, of an object as childWidgetVariables makes it."""
    named = [(widget.property(NAME_PROPERTY), widget) for widget in vars(ui).values()]
    return {name: widget for name, widget in named if name}


class Connector:
    """One widget. ``signal`` says when its value changes."""

    def __init__(self, widget: Any, signal: str, read: Callable[[], Any], write: Callable[[Any], None]):
        self._widget, self._signal, self.read, self.write = widget, signal, read, write
        self._target: Callable | None = None

    def on_changed(self, target: Callable | None) -> None:
        """Call a function at each change; None stops that."""
        if self._target is not None:
            self._widget.disconnect(self._signal, self._target)
        self._target = target
        if target is not None:
            self._widget.connect(self._signal, target)


def connector(widget: Any, kind: Kind) -> Connector:
    """The connector of a widget to a type; RuntimeError where there is none."""
    name = type(widget).__name__
    if isinstance(kind, Boolean) and name == "QCheckBox":
        return _property(widget, "toggled(bool)", "checked")
    if kind.type is int and name == "QSpinBox":
        limits = kind.limits
        widget.minimum, widget.maximum = (limits.minimum, limits.maximum) if limits else INT_RANGE
        return _property(widget, "valueChanged(int)", "value")
    if isinstance(kind, Node) and name == "qMRMLNodeComboBox":
        widget.nodeTypes = [kind.type().GetClassName()]
        return Connector(widget, "currentNodeChanged(vtkMRMLNode*)", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(
        f"Unable to create GUI connector from datatype '{kind.type}' to widget type '{name}'; "
        "if Slicer has one, add it to Testing/slicer_host."
    )


def _property(widget: Any, signal: str, name: str) -> Connector:
    return Connector(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))
