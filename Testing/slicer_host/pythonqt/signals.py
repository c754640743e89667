"""Connecting signals by their signature, as in button.connect("clicked(bool)", f)."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import SIGNAL, QMetaMethod, QMetaObject, QObject

from .wrapping import pointer, wrap

_connections: dict[int, list[tuple[str, Callable, Callable]]] = {}


def guarded(target: Callable) -> Callable:
    """The function as a receiver: it gets as many arguments as it takes, and its errors are shown and not raised."""
    count = _arguments_taken(target)

    def receive(*arguments: Any) -> None:
        try:
            target(*[wrap(argument) for argument in arguments[:count]])
        except Exception:
            sys.excepthook(*sys.exc_info())

    return receive


def _arguments_taken(target: Callable) -> int | None:
    """How many arguments PythonQt passes: it counts those of functions and methods without *args."""
    function = target.__func__ if isinstance(target, types.MethodType) else target
    if not isinstance(function, types.FunctionType) or function.__code__.co_flags & 0x04:
        return None
    return function.__code__.co_argcount - isinstance(target, types.MethodType)


def connect(sender: QObject, signature: str, target: Callable) -> bool:
    """Connect a signal, given by its full signature, to a function."""
    signature = normalized(signature)
    receiver = guarded(target)
    own = sender.metaObject().indexOfSignal(signature)
    if own >= 0:
        done = QObject.connect(sender, SIGNAL(signature), receiver)
    else:  # a widget of the host, whose signal carries Python objects in place of C++ pointers
        done = getattr(sender, signature.split("(")[0]).connect(receiver)
    key = pointer(sender)
    if key not in _connections:
        _connections[key] = []
        sender.destroyed.connect(lambda *_: _connections.pop(key, None))
    _connections[key].append((signature, target, receiver))
    return bool(done)


def disconnect(sender: QObject, signature: str, target: Callable | None) -> bool:
    """Undo a connection, or all of a signal's where no function is given; False where there was none."""
    signature = normalized(signature)
    known = _connections.get(pointer(sender), [])
    found = [entry for entry in known if entry[0] == signature and (target is None or entry[1] == target)]
    for entry in found if target is None else found[:1]:
        known.remove(entry)
        if sender.metaObject().indexOfSignal(signature) >= 0:
            QObject.disconnect(sender, SIGNAL(signature), entry[2])
        else:
            getattr(sender, signature.split("(")[0]).disconnect(entry[2])
    return bool(found)


def normalized(signature: str) -> str:
    """Qt's own form of a signature: no spaces, no const and &."""
    return bytes(QMetaObject.normalizedSignature(signature).data()).decode()


def emitted_by(sender: QObject, signature: str) -> bool:
    """Whether the object of PySide or of the host really has this signal."""
    name, arguments = normalized(signature)[:-1].split("(", 1)
    if sender.metaObject().indexOfSignal(f"{name}({arguments})") >= 0:
        return True
    count = len([argument for argument in arguments.split(",") if argument])
    for index in range(sender.metaObject().methodCount()):
        method = sender.metaObject().method(index)
        if method.methodType() == QMetaMethod.MethodType.Signal and bytes(method.name().data()).decode() == name:
            types_ = [bytes(kind.data()).decode() for kind in method.parameterTypes()]
            if len(types_) == count and "PyObject" in types_:
                return True
    return False
