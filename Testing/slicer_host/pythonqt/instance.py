"""The wrapper around one Qt object: what Python code in Slicer holds in its hands."""

from __future__ import annotations

import operator
from typing import Any

from PySide6.QtCore import QMetaType, QObject

from . import enums, methods, shells
from .wrapping import remember, unwrap, wrap


class WrapperClass(type):
    """The class of Slicer's Qt classes. It is where values and static or unbound methods are looked up."""

    def __getattr__(cls, name: str) -> Any:
        """As in qt.Qt.AlignLeft, qt.QTimer.singleShot, qt.QWidget.mousePressEvent."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in cls._names.values:
            found = enums.find(cls._pyside, name)
            if found is not None:
                return found
            if name not in cls._names.methods:
                raise AttributeError(f"{cls.__name__}.{name} is a value in Slicer with Qt 5, but not with Qt 6.")
        listed = listed_method(cls, name)
        if listed is None:
            raise AttributeError(f"{cls.__name__} in Slicer has no attribute {name!r}.")
        if listed in methods.FOR_EVERY_QOBJECT:
            return methods.FOR_EVERY_QOBJECT[listed]
        return methods.Method(cls, name, built(cls, cls._pyside, listed))


class Wrapper(metaclass=WrapperClass):
    """A Qt object with PythonQt's conventions. Only names that Slicer lists for its class can be used."""

    _is_wrapper = True
    _pyside: type
    _names: Any

    def __init__(self, *arguments: Any, **named: Any):
        if named:
            raise ValueError(f"{type(self).__name__} takes arguments by position, not {', '.join(named)} by name.")
        wrapped_class = shells.wrapped_class(type(self))
        pyside = shells.pyside_class(type(self), wrapped_class)
        try:
            made = pyside(*[unwrap(argument) for argument in arguments])
        except (TypeError, NotImplementedError) as error:
            raise ValueError(f"Could not make a {type(self).__name__}: {error}") from None
        self.__dict__["_object"] = made
        remember(made, self)
        if pyside is not wrapped_class._pyside:
            made._shell = self  # lives as long as the C++ object, as its methods are called from there

    # --- attributes ---

    def __getattr__(self, name: str) -> Any:
        """Properties, methods, signals, values, dynamic properties and children, in PythonQt's order."""
        if name.startswith("_"):
            raise AttributeError(name)
        cls, names = type(self), type(self)._names
        real_name = "objectName" if name == "name" and "name" not in names.properties else name
        if real_name in names.properties:
            found = methods.check_alive(self, f"read property {name!r} from")
            if found.metaObject().indexOfProperty(real_name) < 0:
                raise AttributeError(missing(cls, real_name))
            return wrap(found.property(real_name))
        listed = listed_method(cls, name)
        if listed is not None:
            if listed in methods.FOR_EVERY_QOBJECT:
                return methods.OwnMethod(self, name, methods.FOR_EVERY_QOBJECT[listed])
            found = methods.check_alive(self, f"call {name!r} of")
            return methods.Method(self, name, _late(self, name, built(cls, found, listed)))
        if names.signal_named(name):
            return Signal(self, name)
        if name in names.values:
            return getattr(cls, name)
        return self._dynamic(name)

    def _dynamic(self, name: str) -> Any:
        """A dynamic property or a child by its object name."""
        found = methods.check_alive(self, f"read {name!r} from")
        if name in _dynamic_names(found):
            return wrap(found.property(name))
        if isinstance(found, QObject):
            for child in found.children():
                if child.objectName() == name:
                    return wrap(child)
        raise AttributeError(f"{type(self).__name__} in Slicer has no attribute named {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Write a property. Other attributes can be set on objects of derived Python classes only."""
        cls, names = type(self), type(self)._names
        real_name = "objectName" if name == "name" and "name" not in names.properties else name
        if real_name in names.properties:
            write_property(self, real_name, value)
        elif listed_method(cls, name) and cls is shells.wrapped_class(cls):
            raise AttributeError(f"Slot '{name}' can not be overwritten on {cls.__name__} object")
        elif names.signal_named(name):
            raise AttributeError(f"Signal '{name}' can not be overwritten on {cls.__name__} object")
        elif cls is not shells.wrapped_class(cls):
            object.__setattr__(self, name, value)
        else:
            found = methods.check_alive(self, f"set {name!r} of")
            if name in _dynamic_names(found):
                found.setProperty(name, unwrap(value))
                return
            raise AttributeError(
                f"Attribute '{name}' does not exist on {cls.__name__} in Slicer, "
                "and creation of new attributes on C++ objects is not allowed"
            )

    def __dir__(self) -> list[str]:
        """What Slicer lists."""
        names = type(self)._names
        return sorted({*names.properties, *names.methods, *names.values, *object.__dir__(self)})

    # --- comparing ---

    def __eq__(self, other: object) -> bool:
        """The same Qt object, or equal values."""
        mine = self.__dict__.get("_object")
        if other is None:
            return not self
        if not isinstance(other, Wrapper):
            return NotImplemented
        theirs = other.__dict__.get("_object")
        return mine is theirs if isinstance(mine, QObject) else mine == theirs

    def __hash__(self) -> int:
        """By identity."""
        return id(self.__dict__.get("_object"))

    def __bool__(self) -> bool:
        """False once the C++ object is gone."""
        found = self.__dict__.get("_object")
        return found is not None and methods.is_alive(found)

    def __repr__(self) -> str:
        """As PythonQt shows an object."""
        return f"{type(self).__name__} (test host, {self.__dict__.get('_object')!r})"


def _dynamic_names(found: Any) -> list[str]:
    """Names of the properties that were set on the object and that its class does not have."""
    return [bytes(name.data()).decode() for name in found.dynamicPropertyNames()] if isinstance(found, QObject) else []


def _operator(name: str) -> Any:
    """Arithmetic of points, sizes and the like."""

    def apply(self: Wrapper, other: Any) -> Any:
        return wrap(getattr(operator, name)(self.__dict__["_object"], unwrap(other)))

    return apply


for _name in ("add", "sub", "mul", "truediv"):
    setattr(Wrapper, f"__{_name}__", _operator(_name))


class Signal:
    """The other way to connect, as in button.clicked.connect(f)."""

    def __init__(self, wrapper: Wrapper, name: str):
        self._wrapper, self._name = wrapper, name

    def _signature(self) -> str:
        """The overload with most arguments, as that one is the signal and the others leave defaults out."""
        known = [item for item in type(self._wrapper)._names.signal_named(self._name)]
        return max(known, key=lambda item: (item.count(",") + (not item.endswith("()")), item))

    def connect(self, receiver: Any) -> bool:
        """Connect to a function."""
        return methods.connect(self._wrapper, self._signature(), receiver)

    def disconnect(self, receiver: Any = None) -> bool:
        """Undo it."""
        return methods.disconnect(self._wrapper, self._signature(), receiver)

    def emit(self, *arguments: Any) -> None:
        """Emit it."""
        methods.check_signal(self._wrapper, self._signature())
        getattr(self._wrapper.__dict__["_object"], self._name).emit(*[unwrap(item) for item in arguments])

    __call__ = emit


def _late(wrapper: Wrapper, name: str, function: Any) -> Any:
    """A method that checks at the time of the call that the object still lives."""

    def run(*arguments: Any) -> Any:
        methods.check_alive(wrapper, f"call {name!r} of")
        return function(*arguments)

    return run


def listed_method(cls: WrapperClass, name: str) -> str | None:
    """The method's name in Slicer's list; exec_ stands for exec, as Python once had that word for itself."""
    if name in cls._names.methods:
        return name
    without = name[:-1] if name.endswith("_") and not name.endswith("__") else ""
    return without if without in cls._names.methods else None


def built(cls: WrapperClass, owner: Any, name: str) -> Any:
    """The function of PySide or of the host's own widget; says so where it has none."""
    function = getattr(owner, name, None) or getattr(owner, name + "_", None)
    if function is None or not callable(function):
        raise AttributeError(missing(cls, name))
    return function


def missing(cls: WrapperClass, name: str) -> str:
    """Why a listed name is not there."""
    if cls._pyside.__module__.startswith("PySide6"):
        return f"{cls.__name__}.{name} is there in Slicer with Qt 5, but not with Qt 6; use what both have."
    return f"{cls.__name__}.{name} exists in Slicer but is not built into the test host; add it to Testing/slicer_host."


def write_property(wrapper: Wrapper, name: str, value: Any) -> None:
    """Write a Qt property, converting as PythonQt does; raises where it does not take the value."""
    found = methods.check_alive(wrapper, f"set property {name!r} of")
    index = found.metaObject().indexOfProperty(name)
    if index < 0:
        raise AttributeError(missing(type(wrapper), name))
    description = found.metaObject().property(index)
    if not description.isWritable():
        raise AttributeError(f"Property '{name}' of {type(wrapper).__name__} object is not writable")
    given = unwrap(value)
    kind = description.metaType().id()
    if kind == QMetaType.Type.Int.value and isinstance(given, float):
        given = int(given)
    elif kind == QMetaType.Type.QString.value and not isinstance(given, str):
        given = str(given)
    elif kind == QMetaType.Type.Bool.value and isinstance(given, (int, float)):
        given = bool(given)
    try:
        done = description.write(found, given)
    except (TypeError, RuntimeError):
        done = False
    if not done:
        raise AttributeError(
            f"Property '{name}' of type '{description.typeName()}' of {type(wrapper).__name__} does not accept "
            f"an object of type {type(value).__name__} ({value!r})"
        )
