"""Calling methods as PythonQt does: by position only, wrong arguments are a ValueError, results are wrapped."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QObject

from . import signals
from .wrapping import is_alive, unwrap, wrap

# Where PySide returns (answer, filter) and PythonQt the answer.
FIRST_OF_RESULT = {"getOpenFileName", "getOpenFileNames", "getSaveFileName"}
# Where PySide returns something that PythonQt does not.
NO_RESULT = {"setOverrideCursor"}


class Method:
    """A method of one object, or a static one where ``owner`` is a class."""

    def __init__(self, owner: Any, name: str, function: Callable):
        self._owner, self.__name__, self._function = owner, name, function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it; arguments go by position."""
        return call(f"{self._class_name()}.{self.__name__}", self._function, arguments, named)

    def __eq__(self, other: object) -> bool:
        """Two looks at the same method of the same object are the same."""
        return isinstance(other, Method) and self._owner is other._owner and self.__name__ == other.__name__

    def __hash__(self) -> int:
        """As equality."""
        return hash((id(self._owner), self.__name__))

    def __repr__(self) -> str:
        """As in <qt_slot clicked of QPushButton instance>."""
        return f"<qt_slot {self.__name__} of {self._class_name()}>"

    def _class_name(self) -> str:
        return (self._owner if isinstance(self._owner, type) else type(self._owner)).__name__


class OwnMethod(Method):
    """A method that PythonQt itself gives to every object; it works on wrappers, so nothing is unwrapped for it."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it; arguments go by position."""
        if named:
            raise ValueError(f"{self.__name__} takes arguments by position, not {', '.join(named)} by name.")
        return self._function(self._owner, *arguments)


def call(title: str, function: Callable, arguments: tuple, named: dict[str, Any]) -> Any:
    """Call a function of PySide or of the host with unwrapped arguments."""
    if named:
        raise ValueError(f"{title} takes arguments by position, not {', '.join(named)} by name.")
    given = [signals.guarded(item) if _is_plain_function(item) else unwrap(item) for item in arguments]
    try:
        result = function(*given)
    except TypeError as error:
        if not _at_the_border(error):
            raise
        raise ValueError(f"Called {title} with wrong arguments: {error}") from None
    name = title.split(".")[-1]
    if name in NO_RESULT:
        return None
    return wrap(result[0] if name in FIRST_OF_RESULT else result)


def _at_the_border(error: TypeError) -> bool:
    """Whether the signature did not fit; an error from inside one of the host's functions is something else."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals["__name__"].startswith(__package__)


def _is_plain_function(item: Any) -> bool:
    """Whether an argument is something to be called back."""
    return isinstance(item, (types.FunctionType, types.MethodType, Method))


def check_alive(wrapper: Any, what: str) -> shiboken6.Object:
    """The PySide object, or PythonQt's complaint that it is gone."""
    found = wrapper.__dict__.get("_object")
    if found is None:
        raise ValueError(f"{type(wrapper).__name__} was not constructed: its __init__ did not call the base's.")
    if not is_alive(found):
        raise ValueError(f"Trying to {what} a destroyed {type(wrapper).__name__} object")
    return found


# --- methods that PythonQt adds to, or changes on, every QObject ---


def connect(wrapper: Any, signature: str, receiver: Any, slot: str | None = None) -> bool:
    """connect("signal(type)", function) or connect("signal(type)", object, "slot(type)")."""
    sender = check_alive(wrapper, "connect a signal of")
    check_signal(wrapper, signature)
    return signals.connect(sender, signature, _target(receiver, slot))


def disconnect(wrapper: Any, signature: str, receiver: Any = None, slot: str | None = None) -> bool:
    """Undo ``connect`` with the same arguments."""
    sender = check_alive(wrapper, "disconnect a signal of")
    check_signal(wrapper, signature)
    return signals.disconnect(sender, signature, None if receiver is None else _target(receiver, slot))


def _target(receiver: Any, slot: str | None) -> Callable:
    if slot is not None:
        return SlotOf(receiver, slot)
    if not callable(receiver):
        raise ValueError(f"A signal can be connected to something callable; {receiver!r} is not.")
    return receiver


class SlotOf:
    """A slot of an object, given by its signature; it gets as many arguments as that says."""

    def __init__(self, receiver: Any, slot: str):
        self._receiver, self._slot = receiver, slot
        name, arguments = slot.rstrip(")").split("(")
        self._run, self._count = getattr(receiver, name), len([item for item in arguments.split(",") if item])

    def __call__(self, *given: Any) -> None:
        """Call the slot."""
        self._run(*given[: self._count])

    def __eq__(self, other: object) -> bool:
        """The same slot of the same object."""
        return isinstance(other, SlotOf) and self._receiver is other._receiver and self._slot == other._slot

    __hash__ = None


def check_signal(wrapper: Any, signature: str) -> None:
    """A signal has to be listed for the class in Slicer, and be there in this Qt."""
    names = type(wrapper)._names
    name = type(wrapper).__name__
    if "(" not in signature:
        raise ValueError(f"Say the whole signature of the signal, as in clicked(bool), not {signature!r}.")
    normal = signals.normalized(signature)
    if normal not in names.signals:
        known = ", ".join(names.signal_named(normal.split("(")[0])) or ", ".join(sorted(names.signals))
        raise ValueError(f"{name} in Slicer has no signal {normal}; it has {known}.")
    if not signals.emitted_by(wrapper.__dict__["_object"], normal):
        raise ValueError(f"{name} has the signal {normal} in Slicer 5.8, but not in this host or not with Qt 6.")


def class_name(wrapper: Any) -> str:
    """The name of the class."""
    return type(wrapper).__name__


def delete(wrapper: Any) -> None:
    """Delete the C++ object now."""
    shiboken6.delete(check_alive(wrapper, "delete"))


def find_children(wrapper: Any, kind: Any = QObject, name: str | None = None) -> tuple:
    """All children of a class, by the class or its name, and with an object name where one is given."""
    found = check_alive(wrapper, "search").findChildren(QObject)
    if isinstance(kind, str):
        found = [child for child in found if child.inherits(kind)]
    else:
        found = [child for child in found if isinstance(child, getattr(kind, "_pyside", kind))]
    return wrap([child for child in found if name is None or child.objectName() == name])


def find_child(wrapper: Any, kind: Any = QObject, name: str | None = None) -> Any:
    """The first of ``findChildren``, or None."""
    return next(iter(find_children(wrapper, kind, name)), None)


def no_help(wrapper: Any) -> None:
    """PythonQt prints the class's names here."""
    print(sorted(type(wrapper)._names.properties | type(wrapper)._names.methods))


FOR_EVERY_QOBJECT = {
    "connect": connect,
    "disconnect": disconnect,
    "className": class_name,
    "delete": delete,
    "findChild": find_child,
    "findChildren": find_children,
    "help": no_help,
}
