"""Refinement: by how much a result is finer than its scan, as a scale or a spacing asks for it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from CTSuperResolutionLib.errors import JobError, OtherOption

SCALES = ("2", "4", "8", "isotropic")
"""Those that the panel offers by name; any whole factor and three of them are scales as well."""

MAX_FACTOR = 10

MAX_MAGNIFICATION = 10.5
"""The most that a spacing may ask for: slices of 5 mm with pixels of 0.48 mm are to become isotropic, too."""

FINEST_MM, COARSEST_MM = 0.01, 100.0
"""Between these lies every spacing of a CT."""

OFFERED_MM = 1.0
"""The spacing that the panel offers first."""

ALIKE = 1e-3
"""Two spacings that differ by no more of each other are one: headers round them, and so do those who type them."""

WHOLE = 1e-6
"""What a factor may be off a whole one that it is taken for."""

APART = 1.5
"""The least ratio of spacings that "isotropic" evens out: below, only a spacing that is asked for does."""

Triple = tuple[float, float, float]

Spacing = float | Triple
"""A wanted spacing in mm: one for all axes that are coarser, or along (z, y, x)."""

Factors = tuple[float, float, float]
"""How many times finer a result is than its scan along (z, y, x); whole ones are of the type int."""


@dataclass(frozen=True)
class Refinement:
    """By how much a result is finer than its scan.

    Attributes:
        factors: along (z, y, x).
        spacing: of the result, mm, (z, y, x).
    """

    factors: Factors
    spacing: Triple

    @property
    def is_whole(self) -> bool:
        """Whether all factors are whole."""
        return all(isinstance(factor, int) for factor in self.factors)

    @classmethod
    def by_scale(cls, scale: str, spacing: Sequence[float]) -> Refinement:
        """The refinement of a scan of that spacing, mm, (z, y, x), by a scale as :func:`parse_scale` gives it.

        Raises:
            JobError: isotropic, and there is nothing or too much to refine.
        """
        if scale != "isotropic":
            return cls._by_factors(whole_factors(scale), spacing)
        finest, coarsest = min(spacing), max(spacing)
        if coarsest / finest - 1 <= ALIKE:
            raise JobError("The voxels are isotropic already; choose a factor such as 4.")
        if coarsest / finest < APART:
            raise JobError(
                f"The spacings {_sides(spacing)} mm are less than {APART:g} times apart, which counts as isotropic "
                f"already; give a spacing such as {finest:.4g} mm, or choose a factor such as 4."
            )
        return cls.to_spacing((finest, finest, finest), spacing)

    @classmethod
    def to_spacing(cls, wanted: Spacing, spacing: Sequence[float]) -> Refinement:
        """The refinement of a scan of that spacing, mm, (z, y, x), to a wanted one.

        An axis that is wanted as it is (see :data:`ALIKE`) stays so; with one length for all axes, so does a finer one.

        Raises:
            JobError: coarser than the scan, as it is, or too fine.
        """
        lengths = wanted if isinstance(wanted, tuple) else [min(wanted, own) for own in spacing]
        along = [_to_spacing(*axis) for axis in zip("zyx", lengths, spacing, strict=True)]
        if all(factor == 1 for factor, _ in along):
            raise JobError(f"The voxels are {_sides(spacing)} mm already; give a finer spacing.")
        (z, dz), (y, dy), (x, dx) = along
        return cls((z, y, x), (dz, dy, dx))

    @classmethod
    def _by_factors(cls, factors: tuple[int, int, int], spacing: Sequence[float]) -> Refinement:
        dz, dy, dx = (d / s for d, s in zip(spacing, factors, strict=True))
        return cls(factors, (dz, dy, dx))


def parse_scale(scale: object) -> str:
    """Check a scale and bring it to its plain form.

    Raises:
        JobError: not a whole factor above 1, isotropic, or three factors of which one is above 1.
    """
    text = str(scale).replace(" ", "").lower()
    if text in SCALES:
        return text
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise JobError(
            f"The scale '{scale}' is not a whole factor from 2 to {MAX_FACTOR}, isotropic or three factors z,y,x such "
            "as 4,1,1; other factors come with a spacing in mm."
        )
    found = tuple(int(part) for part in parts)
    if len(found) == 1 and not 2 <= found[0] <= MAX_FACTOR:
        raise JobError(f"The factor {found[0]} is not from 2 to {MAX_FACTOR}; choose one that is.")
    if min(found) < 1 or max(found) > MAX_FACTOR or max(found) == 1:
        raise JobError(f"The factors {_joined(found)} are not from 1 to {MAX_FACTOR}, one above 1; choose such ones.")
    return _joined(found)


def whole_factors(scale: str | None) -> tuple[int, int, int]:
    """The factors along (z, y, x) of a scale as :func:`parse_scale` gives it.

    Raises:
        JobError: isotropic or none, which say no factors without a scan.
    """
    if scale is None or scale == "isotropic":
        raise JobError("Whole factors are needed here: choose a scale such as 4 or three factors z,y,x.")
    given = scale.split(",")
    z, y, x = map(int, given if len(given) == 3 else 3 * given)
    return z, y, x


def parse_spacing(spacing: Any) -> Spacing:
    """Read a wanted spacing: one length in mm or three, z,y,x, as text, a number or a list of numbers.

    Raises:
        JobError: not that, or no length that voxels of a CT have.
    """
    parts = spacing.split(",") if isinstance(spacing, str) else spacing
    parts = parts if isinstance(parts, list | tuple) else [parts]
    try:
        if any(isinstance(part, bool) for part in parts):
            raise TypeError
        lengths = [float(part) for part in parts]
        if len(lengths) not in (1, 3):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise JobError(
            f"The spacing '{spacing}' is not one length in mm such as 0.8 or three z,y,x such as 0.8,0.7,0.7."
        ) from None
    if not all(FINEST_MM <= length <= COARSEST_MM for length in lengths):  # of what is not a number neither holds
        raise JobError(
            f"The spacing {_joined(lengths)} mm does not lie between {FINEST_MM:g} and {COARSEST_MM:g} mm; give a "
            "length such as 0.8."
        )
    z, y, x = lengths if len(lengths) == 3 else 3 * lengths
    return (z, y, x) if len(lengths) == 3 else z


def _to_spacing(axis: str, wanted: float, spacing: float) -> tuple[float, float]:
    """Factor and spacing along one axis."""
    if abs(wanted / spacing - 1) <= ALIKE:
        return 1, spacing
    factor = spacing / wanted
    if factor < 1:
        raise JobError(
            f"The spacing of {wanted:g} mm along {axis} is coarser than the scan's {spacing:.6g} mm; give at most that."
        )
    if factor > MAX_MAGNIFICATION:
        finest = math.ceil(1000 * spacing / MAX_MAGNIFICATION) / 1000
        raise JobError(
            f"A spacing of {wanted:.6g} mm takes {factor:.1f} times finer sampling along {axis}, and "
            f"{MAX_MAGNIFICATION:g} is the most",
            OtherOption("spacing", f"{{}} {finest:g} or more"),
        )
    whole = round(factor)
    return (whole, spacing / whole) if abs(factor - whole) <= WHOLE else (factor, wanted)


def _sides(spacing: Iterable[float]) -> str:
    return " x ".join(f"{length:.4g}" for length in spacing)


def _joined(numbers: Iterable[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
