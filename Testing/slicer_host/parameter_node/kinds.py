"""How a value of each type is kept in a parameter node, as text or as a reference to a node.

Keys are Slicer's: a scene saved by one can be read by the other.
"""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from typing import Any

import slicer

from .annotations import Default, IsInstance, IsNone, NotNone, Validator, split

PATHS = (
    pathlib.Path,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)


class Kind:
    """One type. ``checks`` refuse values before they are written."""

    def __init__(self, checks: list[Validator]):
        self.checks = checks

    def default(self) -> Any:
        """The value where no other default is given."""
        raise NotImplementedError

    def check(self, value: Any) -> None:
        """Raise TypeError or ValueError where the value is not allowed."""
        for check in self.checks:
            check.validate(value)

    def is_in(self, node: Any, name: str) -> bool:
        """Whether the node has a value of that name."""
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        """Keep a checked value in the node."""
        node.SetParameter(name, self.text(value))

    def text(self, value: Any) -> str:
        """The value as text."""
        return str(value)

    def read(self, node: Any, name: str) -> Any:
        """Take it out again."""
        return node.GetParameter(name)

    def remove(self, node: Any, name: str) -> None:
        """Forget it."""
        node.UnsetParameter(name)


class Plain(Kind):
    """int, float, str and paths."""

    def __init__(self, kind: type):
        super().__init__([NotNone(), IsInstance((int, float) if kind is float else kind)])
        self._kind = kind

    def default(self) -> Any:
        """0, "" or the empty path."""
        return self._kind()

    def read(self, node: Any, name: str) -> Any:
        """From text."""
        return self._kind(node.GetParameter(name))


class Boolean(Kind):
    """True and False."""

    def __init__(self):
        super().__init__([NotNone(), IsInstance(bool)])

    def default(self) -> bool:
        """False."""
        return False

    def text(self, value: bool) -> str:
        """True or False."""
        return "True" if value else "False"

    def read(self, node: Any, name: str) -> bool:
        """From text."""
        return node.GetParameter(name) == "True"


class Choices(Kind):
    """A Python enumeration, kept by name."""

    def __init__(self, kind: type[enum.Enum]):
        super().__init__([IsInstance(kind)])
        self._kind = kind

    def default(self) -> enum.Enum:
        """The first."""
        return next(iter(self._kind))

    def text(self, value: enum.Enum) -> str:
        """Its name."""
        return value.name

    def read(self, node: Any, name: str) -> enum.Enum:
        """From its name."""
        return self._kind[node.GetParameter(name)]


class Node(Kind):
    """A node of the scene, kept as a reference, so that saving and loading keep it right."""

    def __init__(self, kind: type):
        super().__init__([IsInstance(kind)])

    def default(self) -> None:
        """None."""
        return

    def write(self, node: Any, name: str, value: Any) -> None:
        """A reference, and an empty parameter that says that there is one."""
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        """The node, or None where it is gone."""
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        """Both."""
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class Nothing(Kind):
    """None, as a part of Optional."""

    def __init__(self):
        super().__init__([IsNone()])

    def default(self) -> None:
        """None."""
        return

    def read(self, node: Any, name: str) -> None:
        """None."""
        return


def kind_of(annotated: Any) -> tuple[Kind, Default]:
    """The kind for a type with annotations, and its default; raises where Slicer knows no such type."""
    bare, annotations = split(annotated)
    kind = _bare(bare)
    kind.checks = [*kind.checks, *[item for item in annotations if isinstance(item, Validator)]]
    given = next((item for item in annotations if isinstance(item, Default)), None)
    return kind, given or Default(kind.default())


def _bare(kind: Any) -> Kind:
    from . import packs
    from .containers import AnyOf, Listed, Mapped, Tupled

    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        raise TypeError(f"Slicer 5.8 does not know {kind}; write Optional[...] or Union[...].")
    if origin is typing.Union:
        return AnyOf([kind_of(part)[0] for part in arguments])
    if origin is list:
        return Listed(kind_of(arguments[0])[0])
    if origin is tuple:
        return Tupled([kind_of(part)[0] for part in arguments])
    if origin is dict:
        return Mapped(kind_of(arguments[0])[0], kind_of(arguments[1])[0])
    if kind is bool:
        return Boolean()
    if kind in (int, float, str, *PATHS):
        return Plain(kind)
    if kind is type(None):
        return Nothing()
    if packs.isParameterPack(kind):
        return packs.Pack(kind)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return Node(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return Choices(kind)
    raise TypeError(f"Unable to create serializer for type: {kind}")
