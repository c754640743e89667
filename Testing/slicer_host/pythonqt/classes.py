"""Slicer's classes by name: each is a wrapper around a class of PySide or a widget that the host brings."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from slicer_host import names
from slicer_host.errors import NotBuiltInHost

from .instance import Wrapper
from .wrapping import set_class_finder

_by_name: dict[str, type] = {}
_host_classes: dict[str, type] = {}

# Listed by introspection, but better left alone.
REFUSED = {
    "Signal": "does not work across Slicer's versions; connect by signature",
    "Slot": "is not needed; connect any function",
    "Property": "is not needed; use a Python property",
    "QTextCodec": "is gone in Qt 6; use bytes.decode",
}


def register(host_class: type) -> type:
    """Decorator: a widget that the host brings under a name of Slicer's (ctk..., qMRML..., qSlicer...)."""
    _host_classes[host_class.__name__] = host_class
    return host_class


def find(module: str, name: str) -> type:
    """The class ``name`` of qt, ctk or slicer; AttributeError where Slicer has none."""
    if not names.exists(module, name):
        raise AttributeError(f"{module} in Slicer has no {name}.")
    if name in REFUSED:
        raise AttributeError(f"{module}.{name} {REFUSED[name]}.")
    if name not in _by_name:
        pyside = _host_classes.get(name) or _of_pyside(name)
        if pyside is None:
            if module == "qt":
                raise AttributeError(f"qt.{name} is there in Slicer with Qt 5, but not with Qt 6; use what both have.")
            raise NotBuiltInHost(f"{module}.{name}")
        _by_name[name] = make(name, pyside)
    return _by_name[name]


def make(name: str, pyside: type) -> type:
    """A wrapper class; where Slicer's list has only the name of a class, it gets the names of its nearest base."""
    described = names.of_class(name)
    if described is None:
        bases = (names.of_class(base.__name__) for base in pyside.__mro__)
        described = next((base for base in bases if base), names.Names(*[frozenset()] * 4))
    if not described.properties and not described.signals and issubclass(pyside, QtCore.QObject):
        described = _sorted_out(described, pyside.staticMetaObject)
    return type(Wrapper)(name, (Wrapper,), {"_pyside": pyside, "_names": described})


def _sorted_out(described: names.Names, meta: QtCore.QMetaObject) -> names.Names:
    """The names of a class that could not be made alone in Slicer: listed, but not which are properties or signals."""
    properties = {meta.property(index).name() for index in range(meta.propertyCount())} & described.values
    signatures = [
        bytes(meta.method(index).methodSignature().data()).decode()
        for index in range(meta.methodCount())
        if meta.method(index).methodType() == QtCore.QMetaMethod.MethodType.Signal
    ]
    signals = {signature for signature in signatures if signature.split("(")[0] in described.values}
    values = described.values - properties - {signature.split("(")[0] for signature in signals}
    return names.Names(frozenset(properties), described.methods or values, frozenset(signals), values)


def _of_pyside(name: str) -> Any:
    """PySide's class of that name."""
    for module in (QtCore, QtGui, QtWidgets):
        if hasattr(module, name):
            return getattr(module, name)
    return None


def find_host(pyside: type) -> type:
    """The wrapper class of an object that Qt or the host handed out."""
    if hasattr(pyside, "_wrapper_class"):
        return pyside._wrapper_class
    for base in pyside.__mro__:
        for module in ("qt", "ctk", "slicer"):
            if names.exists(module, base.__name__):
                return find(module, base.__name__)
    raise NotBuiltInHost(f"a wrapper for Qt's {pyside.__name__}")


set_class_finder(find_host)
