"""Axis orders that put the simulated scanner's axis of rotation first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class AxisOrder:
    """The order of a volume's axes (z, y, x) in which the scanner takes them, its axis of rotation first.

    A view of the scan is blurred and sampled along the detector alike at every angle only if the two axes that span
    the plane of rotation share one factor. So the scanner rotates about the axis whose factor differs: about z where
    all factors are equal, and about the slice axis of a thick-slice scan, however it is stored. Where all differ, it
    is the axis with the largest.

    >>> order = AxisOrder.for_factors((1, 1, 4))  # thick slices along x
    >>> order
    AxisOrder(axes=(2, 0, 1))
    >>> order.permute(("z", "y", "x"))
    ('x', 'z', 'y')
    >>> scanned = order.to_scanner_order(np.zeros((3, 4, 5)))
    >>> scanned.shape
    (5, 3, 4)
    >>> order.from_scanner_order(scanned).shape
    (3, 4, 5)

    Attributes:
        axes: ``axes[k]`` is the volume's axis that becomes axis k.
    """

    axes: tuple[int, int, int]

    @classmethod
    def for_factors(cls, factors: Sequence[float]) -> AxisOrder:
        """The order that suits the factors (z, y, x)."""
        alone = [k for k in range(3) if list(factors).count(factors[k]) == 1]
        first = max(alone, key=lambda axis: factors[axis], default=0)
        second, third = (k for k in range(3) if k != first)
        return cls((first, second, third))

    def permute(self, values: Sequence[T]) -> tuple[T, T, T]:
        """Three values, one for each axis (z, y, x), in the scanner's order."""
        first, second, third = self.axes
        return values[first], values[second], values[third]

    def to_scanner_order(self, array: np.ndarray) -> np.ndarray:
        """A volume (z, y, x) with its axes in the scanner's order."""
        return np.ascontiguousarray(array.transpose(self.axes))

    def from_scanner_order(self, array: np.ndarray) -> np.ndarray:
        """A volume in the scanner's order with its axes (z, y, x) again."""
        return np.ascontiguousarray(array.transpose(np.argsort(self.axes)))
