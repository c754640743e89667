"""Parameter packs: several values that belong together, as one member of a parameter node wrapper."""

from __future__ import annotations

import typing
from typing import Any

import slicer

from .annotations import IsInstance, NotNone
from .kinds import Kind, kind_of


def isParameterPack(kind: Any) -> bool:
    """Whether it is a class or object made with @parameterPack."""
    return getattr(kind, "_is_parameterPack", False)


def parameterPack(classtype: type | None = None) -> Any:
    """Class decorator: typed members with defaults, checked when set."""
    return _made(classtype) if classtype is not None else _made


def _made(cls: type) -> type:
    hints = typing.get_type_hints(cls, include_extras=True)
    if not hints:
        raise ValueError("Unable to find any members in parameterPack")
    members = {}
    for name, hint in hints.items():
        kind, default = kind_of(hint)
        value = getattr(cls, name) if name in vars(cls) else default.value
        kind.check(value)
        members[name] = (kind, value, hint)
        setattr(cls, name, _member(name, kind))
    cls._members, cls._is_parameterPack = members, True
    own = vars(cls).get("__init__")
    cls.__init__ = (lambda self, *given, **named: (_fill(self), own(self, *given, **named))[1]) if own else _fill
    if "__eq__" not in vars(cls):
        cls.__eq__ = lambda self, other: isParameterPack(other) and _values(self) == _values(other)
        cls.__hash__ = None
    if "__repr__" not in vars(cls):
        cls.__repr__ = _text
    cls.getValue, cls.setValue = _get, _set
    cls.dataType = staticmethod(lambda name: _data_type(cls, name))
    return cls


def _fill(self: Any, *given: Any, **named: Any) -> None:
    """Set what is given, by place or name, and the defaults of the rest."""
    names = list(self._members)
    if len(given) > len(names) or set(named) - set(names):
        raise TypeError(f"{type(self).__name__} takes {', '.join(names)}.")
    values = {name: default for name, (_, default, _) in self._members.items()}
    for name, value in {**values, **dict(zip(names, given, strict=False)), **named}.items():
        setattr(self, name, value)


def _member(name: str, kind: Kind) -> property:
    def write(self: Any, value: Any) -> None:
        kind.check(value)
        self.__dict__[name] = value
        if "_save" in self.__dict__:
            self._save(self)

    return property(lambda self: self.__dict__[name], write)


def _text(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in _values(self).items())})"


def _values(self: Any) -> dict[str, Any]:
    return {name: self.__dict__[name] for name in self._members}


def _get(self: Any, name: str) -> Any:
    top, _, rest = name.partition(".")
    if top not in self._members:
        raise ValueError(f"{self} has no member '{top}'")
    return _get(getattr(self, top), rest) if rest else getattr(self, top)


def _set(self: Any, name: str, value: Any) -> None:
    top, _, rest = name.partition(".")
    if top not in self._members:
        raise ValueError(f"{self} has no member '{top}'")
    if rest:
        _set(getattr(self, top), rest, value)
    else:
        setattr(self, top, value)


def _data_type(cls: type, name: str) -> Any:
    top, _, rest = name.partition(".")
    hint = cls._members[top][2]
    return _data_type(hint, rest) if rest else hint


class Pack(Kind):
    """A pack in a parameter node: each member under the pack's name and its own."""

    def __init__(self, kind: type):
        super().__init__([NotNone(), IsInstance(kind)])
        self._kind = kind

    def default(self) -> Any:
        """The defaults of all members."""
        return self._kind()

    def is_in(self, node: Any, name: str) -> bool:
        """Whether the first member is there."""
        first, (kind, _, _) = next(iter(self._kind._members.items()))
        return kind.is_in(node, f"{name}.{first}")

    def write(self, node: Any, name: str, value: Any) -> None:
        """All members."""
        with slicer.util.NodeModify(node):
            for member, (kind, _, _) in self._kind._members.items():
                kind.write(node, f"{name}.{member}", value.__dict__[member])

    def read(self, node: Any, name: str) -> Any:
        """A pack that writes its changes into the node."""
        found = self._kind.__new__(self._kind)
        for member, (kind, _, _) in self._kind._members.items():
            found.__dict__[member] = kind.read(node, f"{name}.{member}")
            if isParameterPack(found.__dict__[member]):
                found.__dict__[member].__dict__["_save"] = lambda _: self.write(node, name, found)
        found.__dict__["_save"] = lambda pack: self.write(node, name, pack)
        return found

    def remove(self, node: Any, name: str) -> None:
        """All members."""
        for member, (kind, _, _) in self._kind._members.items():
            kind.remove(node, f"{name}.{member}")


@parameterPack
class FloatRange:
    """A range of numbers."""

    minimum: float
    maximum: float
