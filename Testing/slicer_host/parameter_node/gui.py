"""Widgets for the members of a parameter node wrapper; a pair that Slicer does not connect is refused."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any

import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, RangeBounds, SingleStep, WithinRange, first, split
from .kinds import PATHS
from .packs import FloatRange

SlicerParameterNamePropertyName = "SlicerParameterName"


def named_widgets(ui: Any) -> dict[str, Any]:
    """Widgets by their parameter's name: of a widget's children, or of an object as childWidgetVariables makes it."""
    import qt

    is_widget = getattr(ui, "isWidgetType", lambda: False)()
    widgets = ui.findChildren(qt.QWidget) if is_widget else ui.__dict__.values()
    named = [(widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets]
    return {name: widget for name, widget in named if name}


class Connector:
    """One widget. ``signal`` says when its value changes."""

    def __init__(self, widget: Any, signal: str, read: Callable[[], Any], write: Callable[[Any], None]):
        self._widget, self._signal, self.read, self.write = widget, signal, read, write
        self._target: Callable | None = None

    def on_changed(self, target: Callable | None) -> None:
        """Call a function at each change; None stops that."""
        if self._target is not None and self._signal:
            self._widget.disconnect(self._signal, self._target)
        self._target = target
        if target is not None and self._signal:
            self._widget.connect(self._signal, target)


def connector(widget: Any, hint: Any) -> Connector:
    """The connector of a widget to a type; RuntimeError where Slicer has none."""
    kind, annotations = split(hint)
    made = _of_class(type(widget).__name__, widget, kind, annotations)
    if made is None:
        raise RuntimeError(
            f"Unable to create GUI connector from datatype '{hint}' to widget type '{type(widget).__name__}'."
        )
    return made


def _of_class(name: str, widget: Any, kind: Any, annotations: list) -> Connector | None:
    is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
    if kind is bool and name in ("QCheckBox", "ctkCheckBox", "QPushButton"):
        if name == "QPushButton":
            widget.checkable = True
        return _property(widget, "toggled(bool)", "checked")
    if kind is int and name in ("QSlider", "QSpinBox"):
        _limit(widget, annotations, name == "QSlider", -(2**31), 2**31 - 1)
        return _property(widget, "valueChanged(int)", "value")
    if kind in (int, float) and name in (
        "QDoubleSpinBox",
        "ctkSliderWidget",
        "qMRMLSliderWidget",
        "ctkDoubleSlider",
        "ctkDoubleSpinBox",
        "qMRMLSpinBox",
    ):
        if name != "ctkDoubleSlider" and (kind is int or first(annotations, Decimals)):
            widget.decimals = 0 if kind is int else first(annotations, Decimals).value
        # Qt makes numbers of its own from infinity; a slider cannot do without limits.
        _limit(widget, annotations, name in ("ctkSliderWidget", "qMRMLSliderWidget"), float("-inf"), float("inf"))
        return Connector(
            widget, "valueChanged(double)", lambda: kind(widget.value), lambda value: setattr(widget, "value", value)
        )
    if name in ("QComboBox", "ctkComboBox") and (is_enum or kind in (int, float, str, bool)):
        return _combo_box(widget, kind, annotations)
    if kind is str and name == "QLineEdit":
        return Connector(widget, "textChanged(QString)", lambda: widget.text, lambda text: _set_text(widget, text))
    if kind is str and name == "QLabel":
        return _property(widget, "", "text")
    if kind is str and name == "QTextEdit":
        return Connector(widget, "textChanged()", widget.toPlainText, widget.setPlainText)
    if kind in PATHS and name == "ctkPathLineEdit":
        return Connector(
            widget,
            "currentPathChanged(QString)",
            lambda: kind(widget.currentPath),
            lambda path: setattr(widget, "currentPath", str(path)),
        )
    if kind in PATHS and name == "ctkDirectoryButton":
        return Connector(
            widget,
            "directoryChanged(QString)",
            lambda: kind(widget.directory),
            lambda path: setattr(widget, "directory", str(path)),
        )
    if kind is FloatRange and name == "ctkRangeWidget":
        bounds = first(annotations, RangeBounds)
        if bounds is None:
            raise RuntimeError("A range widget needs the annotation RangeBounds.")
        widget.setRange(bounds.minimum, bounds.maximum)
        return Connector(
            widget,
            "valuesChanged(double,double)",
            lambda: FloatRange(widget.minimumValue, widget.maximumValue),
            lambda value: widget.setValues(value.minimum, value.maximum),
        )
    if name == "qMRMLNodeComboBox" and node_types(kind):
        widget.nodeTypes = node_types(kind)
        return Connector(widget, "currentNodeChanged(vtkMRMLNode*)", widget.currentNode, widget.setCurrentNode)
    return None


def node_types(kind: Any) -> list[str]:
    """Class names of a node type, or of a Union of node types; empty for anything else."""
    parts = [split(part)[0] for part in typing.get_args(kind)] if typing.get_origin(kind) is typing.Union else [kind]
    parts = [part for part in parts if part is not type(None)]
    if not all(isinstance(part, type) and issubclass(part, slicer.vtkMRMLNode) for part in parts):
        return []
    return [part().GetClassName() for part in parts]


def _property(widget: Any, signal: str, name: str) -> Connector:
    return Connector(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))


def _set_text(widget: Any, text: str) -> None:
    if widget.text != text:  # writing moves the cursor
        widget.text = text


def _limit(widget: Any, annotations: list, needed: bool, lowest: float, highest: float) -> None:
    step = first(annotations, SingleStep)
    if step is not None:
        widget.singleStep = step.value
    within = first(annotations, WithinRange)
    low = within or first(annotations, Minimum)
    high = within or first(annotations, Maximum)
    if needed and (low is None or high is None):
        raise RuntimeError(f"Cannot have a connection to {type(widget).__name__} where the type is unbounded.")
    widget.minimum = low.minimum if low else lowest
    widget.maximum = high.maximum if high else highest


def _combo_box(widget: Any, kind: Any, annotations: list) -> Connector:
    """A box whose items are filled from the type."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        label = getattr(kind, "label", lambda value: value.name)
        items = [(label(value), value) for value in kind]
    else:
        choice = first(annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        items = [(str(value), value) for value in choice.choices]
    widget.clear()
    for text, _ in items:
        widget.addItem(text)
    values = [value for _, value in items]

    def write(value: Any) -> None:
        if value not in values:
            raise ValueError(f"Unable to find value {value} in choices {values}")
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged(int)", lambda: values[widget.currentIndex], write)
