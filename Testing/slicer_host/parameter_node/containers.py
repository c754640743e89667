"""How lists, tuples, dictionaries and unions are kept in a parameter node: element by element."""

from __future__ import annotations

from typing import Any

import slicer

from .kinds import Kind, Nothing
from .observed import ObservedDict, ObservedList


class Listed(Kind):
    """list[...]."""

    def __init__(self, element: Kind):
        super().__init__([])
        self._element = element

    def default(self) -> list:
        """[]."""
        return []

    def is_in(self, node: Any, name: str) -> bool:
        """Whether it has a length."""
        return bool(node.HasParameter(f"{name}.len"))

    def write(self, node: Any, name: str, value: Any) -> None:
        """Its length and each element."""
        for item in value:
            self._element.check(item)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            node.SetParameter(f"{name}.len", str(len(value)))
            for index, item in enumerate(value):
                self._element.write(node, f"{name}.{index}", item)

    def read(self, node: Any, name: str) -> ObservedList:
        """A list that writes its changes into the node."""
        return ObservedList(
            [self._element.read(node, f"{name}.{index}") for index in range(self._length(node, name))],
            lambda value: self.write(node, name, value),
        )

    def remove(self, node: Any, name: str) -> None:
        """All elements."""
        for index in range(self._length(node, name)):
            self._element.remove(node, f"{name}.{index}")
        node.UnsetParameter(f"{name}.len")

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}.len") or 0)


class Tupled(Kind):
    """tuple[...]."""

    def __init__(self, elements: list[Kind]):
        super().__init__([])
        self._elements = elements

    def default(self) -> tuple:
        """The default of each."""
        return tuple(element.default() for element in self._elements)

    def is_in(self, node: Any, name: str) -> bool:
        """Whether the first element is there."""
        return self._elements[0].is_in(node, f"{name}_0")

    def write(self, node: Any, name: str, value: tuple) -> None:
        """Each element."""
        if len(value) != len(self._elements):
            raise ValueError(f"The tuple has to have {len(self._elements)} elements, not {len(value)}.")
        with slicer.util.NodeModify(node):
            for index, (element, item) in enumerate(zip(self._elements, value, strict=True)):
                element.check(item)
                element.write(node, f"{name}_{index}", item)

    def read(self, node: Any, name: str) -> tuple:
        """As a tuple."""
        return tuple(element.read(node, f"{name}_{index}") for index, element in enumerate(self._elements))

    def remove(self, node: Any, name: str) -> None:
        """All elements."""
        for index, element in enumerate(self._elements):
            element.remove(node, f"{name}_{index}")


class Mapped(Listed):
    """dict[...], kept as a list of pairs."""

    def __init__(self, key: Kind, value: Kind):
        super().__init__(Tupled([key, value]))

    def default(self) -> dict:
        """{}."""
        return {}

    def write(self, node: Any, name: str, value: Any) -> None:
        """As pairs."""
        super().write(node, name, list(value.items()) if isinstance(value, (dict, ObservedDict)) else value)

    def read(self, node: Any, name: str) -> ObservedDict:
        """A dictionary that writes its changes into the node."""
        return ObservedDict(dict(super().read(node, name)), lambda value: self.write(node, name, value))


class AnyOf(Kind):
    """Optional and Union."""

    def __init__(self, parts: list[Kind]):
        super().__init__([])
        self._parts = parts

    def default(self) -> Any:
        """None where that is the second of two, else the first's."""
        is_optional = len(self._parts) == 2 and isinstance(self._parts[1], Nothing)
        return None if is_optional else self._parts[0].default()

    def check(self, value: Any) -> None:
        """One part has to take it."""
        super().check(value)
        self._part_for(value)

    def _part_for(self, value: Any) -> int:
        # None goes to Nothing, though a node part would take it too.
        order = [index for index, part in enumerate(self._parts) if isinstance(part, Nothing) == (value is None)]
        for index in order:
            try:
                self._parts[index].check(value)
                return index
            except (TypeError, ValueError) as error:
                problem = error
        raise problem if order else TypeError(f"Unable to write value '{value}' of type '{type(value)}'")

    def is_in(self, node: Any, name: str) -> bool:
        """Whether one part is there."""
        return any(part.is_in(node, f"{name}.{index}") for index, part in enumerate(self._parts))

    def write(self, node: Any, name: str, value: Any) -> None:
        """The part that takes it."""
        index = self._part_for(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self._parts[index].write(node, f"{name}.{index}", value)

    def read(self, node: Any, name: str) -> Any:
        """The part that is there."""
        for index, part in enumerate(self._parts):
            if part.is_in(node, f"{name}.{index}"):
                return part.read(node, f"{name}.{index}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node: Any, name: str) -> None:
        """All parts."""
        for index, part in enumerate(self._parts):
            part.remove(node, f"{name}.{index}")
