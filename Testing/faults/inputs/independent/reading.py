"""A reading: what a file says of its voxels and of their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reading:
    """Voxels in space.

    Attributes:
        array: values, shape (z, y, x).
        steps: 3 x 3, column i the LPS step of grid axis (x, y, z)[i] in mm.
        origin: LPS place of the first voxel in mm.
    """

    array: np.ndarray
    steps: np.ndarray
    origin: np.ndarray


class Unreadable(Exception):
    """The file cannot be read, or says too little."""


def number(text: str) -> float:
    """A number of C's ``strtod``, and nothing else."""
    if not text.isascii() or "_" in text:
        raise Unreadable(f"no number: {text[:40]}")
    try:
        return float(text)
    except ValueError:
        raise Unreadable(f"no number: {text[:40]}") from None
