"""Header of an image file, the same for every format, and the detached data that it may point to."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags
from CTSuperResolutionLib.volume.voxel_data import VoxelData

MILLIMETRES = {
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "millimeters": 1.0, "millimetres": 1.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "micrometre": 1e-3,
    "micrometers": 1e-3, "micrometres": 1e-3, "nm": 1e-6, "nanometer": 1e-6, "nanometre": 1e-6,
    "cm": 10.0, "centimeter": 10.0, "centimetre": 10.0, "m": 1e3, "meter": 1e3, "metre": 1e3, "meters": 1e3,
    "metres": 1e3,
}  # fmt: skip
"""Units of length that headers state, in mm."""

LONGEST_NAME = 255
"""Characters of a file's name that a file system takes, at most."""


class MalformedHeaderError(Exception):
    """The header breaks its format, or has something that is not read; the message says what, if it is not empty."""


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """What an image file states of its image.

    Attributes:
        sizes: voxels along its axes of space and time, the fastest first.
        components: values in a voxel.
        spacing: of the first three axes, mm, as stated: possibly zero, negative or not a number; None where it is not.
        axes: (3, 3), mm; column i is the LPS step along axis i. None where there are fewer or more than three.
        origin: LPS centre of the first voxel, mm.
        data: the voxels. None where the image is no volume.
        notes: sentences that the user should see.
        acquisition: what key/value pairs of the file state of it, not yet compared with the grid.
    """

    sizes: tuple[int, ...]
    components: int
    spacing: tuple[float, ...] | None
    axes: np.ndarray | None
    origin: np.ndarray
    data: VoxelData | None
    notes: tuple[str, ...] = ()
    acquisition: AcquisitionTags = field(default_factory=AcquisitionTags)


def damaged(path: Path, format_name: str) -> JobError:
    """The error for a file that breaks its format."""
    hint = " (or its data file is missing)" if path.suffix.lower() in (".nhdr", ".mhd") else ""
    return JobError(f"{path} is truncated, damaged or not a {format_name} file{hint}; copy or save it again.")


def millimetres(unit: str) -> float:
    """A unit of length in mm; no unit is mm.

    Raises:
        MalformedHeaderError: it is none that is known.
    """
    name = unit.strip().lower()
    if name and name not in MILLIMETRES:
        raise MalformedHeaderError(f"states lengths in {unit.strip()!r}, which is no unit that is known")
    return MILLIMETRES.get(name, 1.0)


def unit_note(path: Path, unit: str, factor: float) -> tuple[str, ...]:
    """The sentence for a unit that is not mm."""
    return () if factor == 1 else (f"{path.name} states its lengths in {unit}; they were converted to mm.",)


def number(text: str) -> float:
    """A number; NaN where the text is none, as in the digits of other scripts, which Python would read."""
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers, separated by spaces.

    Raises:
        MalformedHeaderError: there are others.
    """
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}(\s+[+-]?[0-9]{1,18})*\s*", text):
        raise MalformedHeaderError
    return tuple(map(int, text.split()))


def volume_shape(sizes: Sequence[int]) -> tuple[int, int, int]:
    """Sizes (x, y, z) as a shape (z, y, x).

    Raises:
        MalformedHeaderError: one is below 0.
    """
    x, y, z = sizes
    if min(sizes) < 0:
        raise MalformedHeaderError
    return z, y, x


def whole_number(text: str) -> int:
    """The one whole number of a text.

    Raises:
        MalformedHeaderError: there is another one, or something else.
    """
    found, *more = whole_numbers(text)
    if more:
        raise MalformedHeaderError
    return found


def beside(header: Path, name: str) -> Path:
    """The data file that a detached header names: a regular file in the header's own folder.

    A header from elsewhere could otherwise have any file of the computer read, or a pipe or device waited for.

    Raises:
        MalformedHeaderError: it is not there, lies elsewhere, or is no regular file.
    """
    if "\0" in name or len(name) > LONGEST_NAME:
        raise MalformedHeaderError
    folder = Path(os.path.realpath(header.parent))
    found = Path(os.path.realpath(folder / name))
    if found.parent != folder:
        raise MalformedHeaderError(f"has its data in {name!r}, which is not in the folder of the header")
    if not found.exists():
        raise MalformedHeaderError
    if not found.is_file():
        raise MalformedHeaderError(f"has its data in {name!r}, which is not a regular file")
    return found
