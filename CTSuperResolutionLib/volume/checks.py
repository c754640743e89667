"""Checks of a volume's name, kind, shape, geometry and values; each raises JobError with the sentence for the user."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import AcceptUnusual, Advice, JobError

MIN_SIDE = 8
"""Fewest voxels along any axis."""

ORTHONORMAL_TOLERANCE = 1e-3
"""Largest deviation of the direction cosines' Gram matrix from the identity: above text rounding, below 0.1 degree."""

SPACING_RANGE_MM = (1e-3, 100.0)
"""Spacings of CT, micro-CT included. Metres or micrometres taken for millimetres fall outside."""

VALUE_RANGE = (-40960.0, 32767.0)
"""Stored CT values: int16, where padding of -32768 may lie another 8192 (the rescale intercept) lower."""

MIN_CONTRAST_HU = 20.0
"""CT spans more than this anywhere, by its noise alone; [0, 1], [-1, 1] and z-scored images do not."""

AIR_HU = -1024.0
"""Nothing in a patient is below it, and padding becomes it."""

PADDING_HU = -1500.0
"""Lower values are padding (-2000, -3024, -32768), no HU. Down to here a sharp kernel's undershoot beside air may
reach; it belongs to the scan, and cutting it off would spoil what the scan says of the edge."""

CEILING_HU = 32767.0
"""Metal may exceed 3071 HU in scans with an extended scale; int16 is what the result is written in."""


def check_name(path: Path) -> None:
    """Refuse a file name that ITK, which wants UTF-8, would abort the whole process for.

    Raises:
        JobError: the name cannot be written in UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="backslashreplace").decode()
        raise JobError(f"The name of {shown} is not valid UTF-8; rename it.") from None


def check_kind(name: object, dimension: int, components: int) -> None:
    """The image is a single-valued 3D volume.

    Args:
        name: what to call it in the message, here and in the other checks.
        dimension: number of its spatial (and time) axes.
        components: values in a voxel.
    """
    if components > 1:
        kind = {2: "a complex or two-channel image", 3: "a colour or vector image"}.get(components, "a vector image")
        raise JobError(
            f"{name} is {kind} with {components} values in every voxel; give a CT volume with one value in each."
        )
    if dimension != 3:
        hint = "save one of its volumes by itself" if dimension > 3 else "give the whole CT volume"
        raise JobError(f"{name} is a {dimension}D image, but a 3D volume is needed; {hint}.")


def check_shape(name: object, shape: Sequence[int]) -> None:
    """Every side of the volume, shape (z, y, x), has at least MIN_SIDE voxels."""
    if min(shape) < MIN_SIDE:
        z, y, x = shape
        raise JobError(
            f"{name} has {x} x {y} x {z} voxels (x, y, z), but at least {MIN_SIDE} are needed along every axis; "
            "give a larger volume."
        )


def check_spacing(name: object, spacing: Sequence[float] | None, *, allow_unusual: bool) -> None:
    """The spacing in mm, in any axis order, can be that of a CT; None stands for a file that states none."""
    if spacing is None:
        if not allow_unusual:
            raise JobError(
                f"{name} states no voxel spacing",
                Advice("save it again with its spacing in mm"),
                AcceptUnusual("take 1 mm"),
            )
        return
    text = " x ".join(f"{s:g}" for s in spacing)
    if not all(math.isfinite(s) and s > 0 for s in spacing):
        raise JobError(f"{name} has an impossible voxel spacing of {text} mm; save it again with its true spacing.")
    low, high = SPACING_RANGE_MM
    if not allow_unusual and not all(low <= s <= high for s in spacing):
        raise JobError(
            f"{name} has a voxel spacing of {text} mm, which is not that of a CT",
            Advice("save it again with its spacing in mm"),
            AcceptUnusual(),
        )


def check_direction(name: object, origin: Sequence[float], direction: Sequence[float]) -> None:
    """Origin and direction cosines (nine, row by row) are finite, and the grid's axes at right angles."""
    if not np.isfinite([*origin, *direction]).all():
        raise JobError(f"{name} has an origin or direction that is not a number; save it again with its true geometry.")
    cosines = np.reshape(direction, (3, 3))
    if np.abs(cosines.T @ cosines - np.eye(3)).max() > ORTHONORMAL_TOLERANCE:
        raise sheared(name)


def sheared(name: object) -> JobError:
    """The error for a grid whose axes are not at right angles."""
    return JobError(
        f"{name} has voxel axes that are not at right angles and of unit length (gantry tilt or shear); resample it "
        "to a straight grid, for example with 3D Slicer's Resample Scalar/Vector/DWI Volume."
    )


def check_values(name: object, array: np.ndarray, *, allow_unusual: bool) -> None:
    """The values, shape (z, y, x), are finite and can be Hounsfield units.

    A crop of CT need not hold air, nor fat, so only what no CT does is refused: values that int16 HU cannot have,
    no negative value at all (MR, PET, labels, and CT stored with an offset), or next to no contrast (a normalised
    image). ``allow_unusual`` lets these pass, but never NaN or infinity.
    """
    low, high = float(array.min()), float(array.max())
    if not math.isfinite(low + high):
        count = sum(part.size - int(np.count_nonzero(np.isfinite(part))) for part in array)
        raise JobError(
            f"{name} has {count} of {array.size} voxels that are NaN or infinite; set them to -1024 HU (air) and save "
            "it again."
        )
    if allow_unusual:
        return
    problem, span = f"{name} is not CT in Hounsfield units", f"its values run from {low:g} to {high:g}"
    if low < VALUE_RANGE[0] or high > VALUE_RANGE[1]:
        raise JobError(f"{problem}, for {span}", Advice("give a CT volume"), AcceptUnusual())
    if high - low < MIN_CONTRAST_HU:
        raise JobError(f"{problem}, for {span} (normalised or empty)", Advice("give a CT volume"), AcceptUnusual())
    if low >= 0:
        raise JobError(
            f"{problem}, for {span} and none is negative",
            Advice("give a CT volume (if it is CT stored with an offset, subtract 1024)"),
            AcceptUnusual(),
        )
