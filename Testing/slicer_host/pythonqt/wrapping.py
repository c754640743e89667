"""The border between the host's objects and PySide's: everything that crosses it is wrapped or unwrapped here."""

from __future__ import annotations

import enum
import os
import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QObject

from .enums import EnumValue

_of_pointer: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_class_for: Callable[[type], type] | None = None


def set_class_finder(finder: Callable[[type], type]) -> None:
    """Say how the class of a wrapper is found for the class of a PySide object."""
    global _class_for
    _class_for = finder


def wrap(value: Any) -> Any:
    """What Python code in Slicer would see: wrappers, plain numbers for enumerations, tuples for Qt's lists."""
    if isinstance(value, enum.Enum):
        return EnumValue(value)
    if isinstance(value, shiboken6.Object):
        return _wrapper(value)
    if isinstance(value, (list, tuple)):
        return tuple(wrap(item) for item in value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    return value


def unwrap(value: Any) -> Any:
    """What PySide understands."""
    if hasattr(type(value), "_is_wrapper"):
        return value.__dict__["_object"]
    if isinstance(value, EnumValue):
        return value.pyside
    if isinstance(value, os.PathLike):
        raise ValueError(f"Qt in Slicer does not take {value!r}; give it str(path).")
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    if isinstance(value, tuple):
        return tuple(unwrap(item) for item in value)
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    return value


def remember(value: shiboken6.Object, wrapper: Any) -> None:
    """Keep one wrapper per living object, so that ``is`` and attributes of derived classes hold."""
    if isinstance(value, QObject):
        _of_pointer[pointer(value)] = wrapper


def pointer(value: shiboken6.Object) -> int:
    """Where the C++ object lies."""
    return shiboken6.getCppPointer(value)[0]


def is_alive(value: shiboken6.Object) -> bool:
    """Whether the C++ object still exists."""
    return shiboken6.isValid(value)


def _wrapper(value: shiboken6.Object) -> Any:
    """The wrapper of a PySide object, made where there is none yet."""
    if not is_alive(value):
        return None
    if isinstance(value, QObject):
        known = _of_pointer.get(pointer(value))
        if known is not None and known.__dict__["_object"] is value:
            return known
    wrapper_class = _class_for(type(value))
    wrapper = wrapper_class.__new__(wrapper_class)
    wrapper.__dict__["_object"] = value
    remember(value, wrapper)
    return wrapper
