"""Types of parameters: how a value of each is checked and kept in a parameter node, as text or as a node reference.

Keys are Slicer's: a scene saved by one can be read by the other.
"""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any

import slicer

from slicer_host.errors import NotBuiltInHost


@dataclass
class WithinRange:
    """An annotation: from ``minimum`` to ``maximum``, both included."""

    minimum: Any
    maximum: Any

    def validate(self, value: Any) -> None:
        """Raise ValueError outside."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Kind:
    """A type that is kept as text: int or str. ``limits`` is None where every value of the type is allowed."""

    def __init__(self, type_: type, limits: WithinRange | None = None):
        self.type, self.limits = type_, limits

    def default(self) -> Any:
        """The value where the class gives none."""
        return self.type()

    def check(self, value: Any) -> None:
        """Raise TypeError or ValueError where the value is not allowed."""
        if value is None:
            raise ValueError("Value must not be None")
        if not isinstance(value, self.type):
            raise TypeError(f"Value must be of type '{self.type}', is type '{type(value)}' value '{value}'")
        if self.limits is not None:
            self.limits.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        """Keep a checked value in the node."""
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        """Take it out again."""
        return self.type(node.GetParameter(name))


class Boolean(Kind):
    """True and False, kept as these words."""

    def read(self, node: Any, name: str) -> bool:
        """From text."""
        return node.GetParameter(name) == "True"


class Node(Kind):
    """A node of the scene, kept as a reference, so that saving and loading keep it right."""

    def default(self) -> None:
        """None."""

    def check(self, value: Any) -> None:
        """None is allowed."""
        if value is not None:
            super().check(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        """A reference, and an empty parameter that says that there is one."""
        super().write(node, name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        """The node, or None where it is gone."""
        return node.GetNodeReference(name)


def kind_of(hint: Any) -> Kind:
    """The kind for a type with or without annotations; raises where Slicer, or the host, knows no such type."""
    bare, *annotations = typing.get_args(hint) if typing.get_origin(hint) is Annotated else [hint]
    limits = next((item for item in annotations if isinstance(item, WithinRange)), None)
    if isinstance(bare, types.UnionType):
        raise TypeError(f"Slicer 5.8 does not know {bare}; write Optional[...] or Union[...].")
    if bare is bool:
        return Boolean(bare)
    if bare in (int, str):
        return Kind(bare, limits)
    if isinstance(bare, type) and issubclass(bare, slicer.vtkMRMLNode):
        return Node(bare)
    known = (float, enum.Enum, pathlib.PurePath)
    if typing.get_origin(bare) in (list, tuple, dict, typing.Union) or (
        isinstance(bare, type) and issubclass(bare, known)
    ):
        raise NotBuiltInHost(f"A parameter of type {bare}")
    raise TypeError(f"Unable to create serializer for type: {bare}")
