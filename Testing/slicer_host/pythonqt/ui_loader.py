"""Loading .ui files: what Slicer's classes do not list is refused, and signals with MRML types are connected."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QFile, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader as PySideLoader
from PySide6.QtWidgets import QLayout, QWidget

from slicer_host import names

from . import classes, methods
from .wrapping import wrap

# Properties in the file that Designer's loader makes into something else, by the class of the parent.
OF_A_PAGE = {"QTabWidget": {"title", "icon", "toolTip"}, "QToolBox": {"label", "icon", "toolTip"}}
OF_THE_LOADER = {"QLabel": {"buddy"}, "Line": {"orientation"}}
OF_A_LAYOUT = {
    "leftMargin",
    "topMargin",
    "rightMargin",
    "bottomMargin",
    "margin",
    "spacing",
    "horizontalSpacing",
    "verticalSpacing",
}


class QUiLoader(QObject):
    """Slicer's loader of .ui files."""

    def load(self, file: QFile, parent: QWidget | None = None) -> QWidget:
        """Make the widgets of an open file."""
        if not file.isOpen() and not file.open(QIODevice.OpenModeFlag.ReadOnly):
            raise ValueError(f"{file.fileName()} cannot be opened.")
        tree = xml.fromstring(bytes(file.readAll().data()))
        _check(tree, file.fileName())
        later = _taken_out(tree)
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)
        buffer = QBuffer()
        buffer.setData(QByteArray(xml.tostring(tree)))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        root = _Loader().load(buffer, parent)
        if root is None:
            raise ValueError(f"{file.fileName()} could not be loaded.")
        for object_name, name, text in later:
            _set_enum(_named(root, object_name), name, text)
        for connection in connections if connections is not None else ():
            _connect(root, *[connection.findtext(part) for part in ("sender", "signal", "receiver", "slot")])
        return root


class _Loader(PySideLoader):
    """Qt's loader with the widgets that the host brings."""

    def createWidget(self, class_name: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        module = next((module for module in ("ctk", "slicer") if names.exists(module, class_name)), None)
        if module is None:
            return super().createWidget(class_name, parent, name)
        made = classes.find(module, class_name)._pyside(parent)
        made.setObjectName(name)
        return made


def _check(tree: xml.Element, path: str) -> None:
    """Every class and property has to be one of Slicer's, and every value one that Qt 5 reads too."""
    for value in [*tree.iter("enum"), *tree.iter("set")]:
        if any(part.count("::") > 1 for part in (value.text or "").split("|")):
            raise ValueError(f"{path}: Qt 5 does not read {value.text}; leave the enumeration's name out.")
    for parent in tree.iter("widget"):
        parent_class = parent.get("class")
        for widget in [parent, *parent.findall("widget")]:
            name = widget.get("class")
            if name != "Line" and not any(names.exists(module, name) for module in ("qt", "ctk", "slicer")):
                raise ValueError(f"{path}: {name} of {widget.get('name')} is no class of Slicer's.")
            known = names.of_class(name if name != "Line" else "QFrame")
            for item in widget.findall("property") if known else ():
                special = OF_THE_LOADER.get(name, set()) | OF_A_PAGE.get(parent_class, set())
                listed = item.get("name") in known.properties | known.values | special
                if not listed and item.get("stdset") != "0":
                    what = f"{name} {widget.get('name')}"
                    raise ValueError(f"{path}: {what} has no property {item.get('name')} in Slicer.")
    for layout in tree.iter("layout"):
        known = names.of_class(layout.get("class"))
        for item in layout.findall("property"):
            if item.get("name") not in known.properties | OF_A_LAYOUT:
                raise ValueError(f"{path}: {layout.get('class')} has no property {item.get('name')} in Slicer.")


def _taken_out(tree: xml.Element) -> list[tuple[str, str, str]]:
    """Take out what Qt's loader cannot do with widgets written in Python: enumerations."""
    later = []
    for widget in tree.iter("widget"):
        if names.exists("qt", widget.get("class")) or widget.get("class") == "Line":
            continue
        inherited = names.of_class("QWidget").properties
        for item in list(widget.findall("property")):
            value = item[0]
            if value.tag in ("enum", "set") and item.get("name") not in inherited:
                later.append((widget.get("name"), item.get("name"), value.text))
                widget.remove(item)
    return later


def _set_enum(widget: QObject, name: str, text: str) -> None:
    """Set a property from text such as ctkPathLineEdit::Dirs|ctkPathLineEdit::Drives."""
    value: Any = None
    for part in text.split("|"):
        member = getattr(type(wrap(widget)), part.split("::")[-1])
        value = member if value is None else value | member
    setattr(wrap(widget), name, value)


def _connect(root: QWidget, sender: str, signal: str, receiver: str, slot: str) -> None:
    """Make one of the file's connections."""
    target = wrap(_named(root, receiver))
    methods.connect(wrap(_named(root, sender)), signal, target, slot)


def _named(root: QWidget, name: str) -> QObject:
    """The widget or layout of that name."""
    if root.objectName() == name:
        return root
    found = root.findChild(QWidget, name) or root.findChild(QLayout, name) or root.findChild(QObject, name)
    if found is None:
        raise ValueError(f"The .ui file connects {name}, which it does not have.")
    return found
