"""What can stand in Annotated[...]: defaults, limits, and how a widget shows a number."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Annotated, Any


class Default:
    """The value of a parameter that was not set yet; ``generator`` makes a new one each time."""

    def __init__(self, value: Any = None, *, generator: Callable | None = None):
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        """The value."""
        return self._generator() if self._generator else self._value


class Validator:
    """Refuses values by raising."""

    def validate(self, value: Any) -> None:
        """Raise where the value is not allowed."""
        raise NotImplementedError


class NotNone(Validator):
    """There has to be a value."""

    def validate(self, value: Any) -> None:
        """Raise ValueError for None."""
        if value is None:
            raise ValueError("Value must not be None")


class IsNone(Validator):
    """There must be no value."""

    def validate(self, value: Any) -> None:
        """Raise ValueError for anything but None."""
        if value is not None:
            raise ValueError("Value must be None")


class IsInstance(Validator):
    """The value has to be of a class, or None."""

    def __init__(self, classtype: Any):
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        """Raise TypeError for other classes."""
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type '{self.classtype}', is type '{type(value)}' value '{value}'")


class WithinRange(Validator):
    """From ``minimum`` to ``maximum``, both included."""

    def __init__(self, minimum: Any, maximum: Any):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        """Raise ValueError outside."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Minimum(Validator):
    """Not below ``minimum``."""

    def __init__(self, minimum: Any):
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        """Raise ValueError below."""
        if value < self.minimum:
            raise ValueError(f"Value must be greater than {self.minimum}, is {value}")


class Maximum(Validator):
    """Not above ``maximum``."""

    def __init__(self, maximum: Any):
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        """Raise ValueError above."""
        if value > self.maximum:
            raise ValueError(f"Value must be less than {self.maximum}, is {value}")


class Choice(Validator):
    """One of ``choices``."""

    def __init__(self, choices: Any):
        self.choices = choices

    def validate(self, value: Any) -> None:
        """Raise ValueError for others."""
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be in one of the following: {self.choices}")


class Exclude(Validator):
    """None of ``excludedValues``."""

    def __init__(self, excludedValues: Any):
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        """Raise ValueError for these."""
        if value in self.excludedValues:
            raise ValueError(f"Value is {value}, but must not be one of: {self.excludedValues}")


class RangeBounds(Validator):
    """A FloatRange within limits."""

    def __init__(self, minimum: float, maximum: float):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        """Raise ValueError outside."""
        if not self.minimum <= value.minimum <= value.maximum <= self.maximum:
            found = f"[{value.minimum}, {value.maximum}]"
            raise ValueError(f"Range must be within [{self.minimum}, {self.maximum}], is {found}")


@dataclasses.dataclass
class Decimals:
    """Digits after the point in the widget."""

    value: int


@dataclasses.dataclass
class SingleStep:
    """The widget's step."""

    value: float


@dataclasses.dataclass
class Label:
    """The label of a widget that is made from the type."""

    value: str


def split(kind: Any) -> tuple[Any, list]:
    """A type without its annotations, and those."""
    if typing.get_origin(kind) is Annotated:
        bare, *annotations = typing.get_args(kind)
        return bare, annotations
    return kind, []


def first(annotations: list, kind: type) -> Any:
    """The first annotation of a class, or None."""
    return next((item for item in annotations if isinstance(item, kind)), None)
