"""Scan before it is written: voxels of any kind on a grid anywhere in the patient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np

SHAPE = (9, 10, 12)
"""Voxels along (z, y, x)."""

TYPES = ("int16", "int16", "int16", "uint16", "int8", "uint8", "int32", "uint32", "float32", "float64")


@dataclass(frozen=True)
class Scan:
    """Voxels and their grid.

    Attributes:
        array: stored values, shape (z, y, x).
        spacing: mm, (x, y, z).
        origin: LPS, mm.
        direction: 3 x 3, column i the LPS direction of grid axis (x, y, z)[i].
    """

    array: np.ndarray
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: np.ndarray

    @property
    def steps(self) -> np.ndarray:
        """3 x 3, column i the LPS step of grid axis i, mm."""
        return self.direction * np.array(self.spacing)


def draw_scan(chance: Random, *, plain: bool = False, reflected: bool = True) -> tuple[Scan, str]:
    """A scan, and what is odd about its voxels; nothing where it shall be ``plain``."""
    array, about = _plain_voxels(chance), ""
    if not plain:
        array, about = _odd_voxels(array, chance)
    spacing = tuple(round(chance.uniform(0.4, 3.0), 3) for _ in range(3))
    origin = tuple(round(chance.uniform(-200, 200), 2) for _ in range(3))
    return Scan(array, spacing, origin, _direction(chance, reflected)), about


def _plain_voxels(chance: Random) -> np.ndarray:
    return np.random.default_rng(chance.getrandbits(32)).integers(-1000, 1500, SHAPE).astype(np.int16)


def _odd_voxels(array: np.ndarray, chance: Random) -> tuple[np.ndarray, str]:
    kind = chance.choice(("type", "value", "shift", "factor", "constant", "shape"))
    if kind == "type":
        name = chance.choice(TYPES)
        bounds = np.iinfo(name) if np.issubdtype(name, np.integer) else np.finfo(name)
        return array.clip(bounds.min, bounds.max).astype(name), f"voxels as {name}"
    if kind == "value":
        value = chance.choice((math.nan, math.inf, -math.inf, -1500.5, -2000, -3024, -32768, 32768, 65535, 1e30, -1e30))
        changed = array.astype(chance.choice(("float32", "float64")))
        count = chance.choice((1, 10, changed.size))
        changed.ravel()[:count] = value
        return changed, f"{count} voxels of {value:g}"
    if kind == "shift":
        shift = chance.choice((1024, -1024, 1000, 31000))
        return (array.astype(np.int32) + shift).clip(-32768, 32767).astype(np.int16), f"voxels shifted by {shift}"
    if kind == "factor":
        factor = chance.choice((1e-3, 0.01, 40, 1e6, 0))
        return (array * factor).astype(np.float32), f"voxels times {factor:g}"
    if kind == "constant":
        value = chance.choice((0, -1000, 100))
        return np.full_like(array, value), f"all voxels {value}"
    shape = tuple(chance.choice((1, 2, 7, 8, 33)) for _ in range(3))
    grown = np.random.default_rng(chance.getrandbits(32)).integers(-1000, 1500, shape).astype(np.int16)
    return grown, f"{' x '.join(map(str, shape))} voxels"


def _direction(chance: Random, reflected: bool) -> np.ndarray:
    """Straight, turned by a right angle or oblique; at times a reflection."""
    kind = chance.choice(("straight", "permuted", "oblique"))
    turn = np.eye(3)
    if kind == "permuted":
        turn = turn[chance.sample(range(3), 3)] * np.array([chance.choice((-1, 1)) for _ in range(3)])
    elif kind == "oblique":
        turn, _ = np.linalg.qr(np.random.default_rng(chance.getrandbits(32)).standard_normal((3, 3)))
    if np.linalg.det(turn) < 0 and not reflected:
        turn[:, 2] *= -1
    return turn + 0.0
