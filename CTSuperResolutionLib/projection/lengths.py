"""Checks of lengths in millimetres."""

from __future__ import annotations

import math
from collections.abc import Sequence

from CTSuperResolutionLib.errors import JobError


def check_lengths(name: str, values: Sequence[float], count: int) -> None:
    """Raise JobError unless these are so many positive, finite lengths."""
    if len(values) != count or not all(math.isfinite(value) and value > 0 for value in values):
        raise JobError(f"The {name} {tuple(values)} must be {count} positive lengths in mm.")
