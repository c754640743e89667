"""Python classes derived from Qt's: their methods are called by Qt where they overwrite one of its virtual methods."""

from __future__ import annotations

import sys
from typing import Any

from .wrapping import unwrap, wrap

_made: dict[type, type] = {}


def wrapped_class(cls: type) -> type:
    """The class of Slicer that a Python class is derived from, or that it is."""
    return next(base for base in cls.__mro__ if "_pyside" in vars(base))


def pyside_class(cls: type, wrapped: type) -> type:
    """The class to make: PySide's own, or one derived from it that calls the Python class's methods."""
    if cls is wrapped:
        return wrapped._pyside
    if cls not in _made:
        _made[cls] = type(
            cls.__name__,
            (wrapped._pyside,),
            {name: _forward(wrapped._pyside, name) for name in _overwritten(cls, wrapped)},
        )
        _made[cls]._wrapper_class = cls
    return _made[cls]


def _overwritten(cls: type, wrapped: type) -> list[str]:
    """Methods of the Python class that have the name of one of Qt's."""
    own = {name for base in cls.__mro__[: cls.__mro__.index(wrapped)] for name in vars(base)}
    return [name for name in own if not name.startswith("_") and callable(getattr(wrapped._pyside, name, None))]


def _forward(pyside: type, name: str) -> Any:
    """What Qt calls: the method of the Python object, once that is there."""

    def call(self: Any, *arguments: Any) -> Any:
        shell = self.__dict__.get("_shell")
        if shell is None:
            return getattr(pyside, name)(self, *arguments)
        try:
            return unwrap(getattr(type(shell), name)(shell, *[wrap(argument) for argument in arguments]))
        except Exception:
            sys.excepthook(*sys.exc_info())
            return getattr(pyside, name)(self, *arguments)

    return call
