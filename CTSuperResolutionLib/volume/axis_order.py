"""Which axis of the array the simulated scanner turns about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Turn:
    """An order of the array's axes that puts the axis of rotation first.

    A view of the scan is blurred and sampled along the detector alike at every angle only if the two axes that turn
    share one factor. So the odd one out is turned about: z where all factors are equal, and the slice axis of a
    thick-slice scan, however it is stored.

    Attributes:
        order: ``order[k]`` is the array's axis that becomes axis k.
    """

    order: tuple[int, int, int]

    @classmethod
    def of(cls, factors: Sequence[int]) -> Turn:
        """The turn that suits the factors (z, y, x), of which two are equal."""
        odd = next((k for k in range(3) if list(factors).count(factors[k]) == 1), 0)
        return cls((odd, *(k for k in range(3) if k != odd)))

    def there(self, values: Sequence[T]) -> tuple[T, T, T]:
        """Three per-axis values in the turned order."""
        return tuple(values[k] for k in self.order)

    def volume(self, array: np.ndarray) -> np.ndarray:
        """An array with its axes in the turned order."""
        return np.ascontiguousarray(array.transpose(self.order))

    def back(self, array: np.ndarray) -> np.ndarray:
        """An array in the turned order with its axes as they were."""
        return np.ascontiguousarray(array.transpose(np.argsort(self.order)))
