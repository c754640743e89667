"""Intensity scales: Hounsfield units and the [0, 1] scale that the method works on.

Everything here is plain arithmetic on numpy arrays and torch tensors alike, of any shape, on any device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")
"""A numpy array or a torch tensor of floats."""

HU_RANGE = (-512.0, 3071.0)
"""The HU that become 0 and 1 (the paper, section 4.1)."""

AT_BOUND_HU = 0.5
"""A value this close to a bound of HU_RANGE, or beyond it, counts as staying there: it rounds to the bound's HU."""


def to_unit(hu: Array, bounds: tuple[float, float] = HU_RANGE) -> Array:
    """HU clipped to ``bounds`` (low, high) and scaled to [0, 1]. The input is left as it is.

    >>> to_unit(np.array([-1000.0, -512.0, 1279.5, 3071.0]))
    array([0. , 0. , 0.5, 1. ])
    """
    low, high = bounds
    unit = hu - low
    unit /= high - low
    return unit.clip(0, 1, out=unit) if isinstance(unit, np.ndarray) else unit.clip_(0, 1)


def to_unit_in_place(hu: torch.Tensor, bounds: tuple[float, float] = HU_RANGE) -> torch.Tensor:
    """As :func:`to_unit`, in the input's place."""
    low, high = bounds
    return hu.sub_(low).div_(high - low).clamp_(0, 1)


def to_hu(unit: Array, bounds: tuple[float, float] = HU_RANGE) -> Array:
    """HU of values on the [0, 1] scale, the inverse of :func:`to_unit`; values beyond [0, 1] are not clipped.

    >>> to_hu(np.array([0.0, 0.5, 1.0]))
    array([-512. , 1279.5, 3071. ])
    """
    low, high = bounds
    return unit * (high - low) + low


def restore_clipped(hu: Array, cubic_hu: Array, bounds: tuple[float, float] = HU_RANGE) -> Array:
    """Give back what :func:`to_unit` clipped away: air below ``bounds``, metal above.

    A voxel takes the value of the cubic upsampling where both hold: the result stayed at a bound (within
    ``AT_BOUND_HU``, or beyond), and the upsampling lies outside ``bounds`` on that same side. So a value that the
    method moved inside the range is never touched, and a value at the bound where the scan was not clipped stays.

    >>> restore_clipped(np.array([-512.0, -400.0, 40.0]), np.array([-1000.0, -1000.0, 50.0]))
    array([-1000.,  -400.,    40.])

    Args:
        hu: result of the processing, HU.
        cubic_hu: cubic upsampling of the *unclipped* scan on the same grid, HU.

    Returns:
        A new array, HU.
    """
    low, high = bounds
    clipped = ((hu <= low + AT_BOUND_HU) & (cubic_hu < low)) | ((hu >= high - AT_BOUND_HU) & (cubic_hu > high))
    restored = hu + 0  # a copy, of either kind of array
    restored[clipped] = cubic_hu[clipped]
    return restored
