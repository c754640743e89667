"""Checks of a volume's name, kind, shape, geometry and values; each raises JobError with the sentence for the user."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import AcceptUnusual, Advice, JobError, Untilt

MIN_SIDE = 8
"""Fewest voxels along any axis."""

SPACING_RANGE_MM = (1e-3, 100.0)
"""Spacings of CT, micro-CT included. Metres or micrometres taken for millimetres fall outside."""

VALUE_RANGE = (-40960.0, 32767.0)
"""Stored CT values: int16, where padding of -32768 may lie another 8192 (the rescale intercept) lower."""

MIN_CONTRAST_HU = 20.0
"""CT spans more than this anywhere, by its noise alone; [0, 1], [-1, 1] and z-scored images do not."""

TOP_HU = 3071.0
"""Where the scale of 12-bit CT ends."""

LEAN_HU = -100.0
"""Below is fat, lung or air; the noise of soft tissue hardly comes there."""

OWN_RANGE = "process it in its own range"
"""What allowing unusual input does with values that are no HU."""

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
            "give more of it."
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


def check_finite_place(name: object, place: np.ndarray) -> None:
    """All numbers of a grid's origin and axes are finite."""
    if not np.isfinite(place).all():
        raise JobError(f"{name} has an origin or direction that is not a number; save it again with its true geometry.")


def sheared(name: object, *, untiltable: bool) -> JobError:
    """The error for a grid whose axes are not at right angles; ``untiltable`` if only its slices are displaced."""
    remedies = [Untilt()] if untiltable else []
    return JobError(
        f"{name} has voxel axes that are not at right angles and of unit length (gantry tilt or shear)",
        *remedies,
        Advice(
            "resample it to a straight grid, for example with 3D Slicer's Resample Scalar/Vector/DWI Volume, or save "
            "it again from the scan itself"
        ),
    )


def check_finite(name: object, array: np.ndarray) -> None:
    """No value, shape (z, y, x), is NaN or infinite."""
    if not math.isfinite(float(array.min()) + float(array.max())):
        count = sum(part.size - int(np.count_nonzero(np.isfinite(part))) for part in array)
        raise JobError(
            f"{name} has {count} of {array.size} voxels that are NaN or infinite; set them to -1024 HU (air) and save "
            "it again."
        )


def value_range(array: np.ndarray, outside: np.ndarray) -> tuple[float, float] | None:
    """The least and the largest value that is not ``outside`` (bool), of shape (z, y, x); None if there is none."""
    if outside.all():
        return None
    if not outside.any():
        return float(array.min()), float(array.max())
    pairs = list(zip(array, outside, strict=True))  # by slice, to hold no second float copy
    return (
        min(float(part.min(where=~out, initial=math.inf)) for part, out in pairs),
        max(float(part.max(where=~out, initial=-math.inf)) for part, out in pairs),
    )


def nothing_measured(name: object, *, region: bool) -> JobError:
    """The error of a scan, or of a ``region`` of one, without a voxel that a scanner measured."""
    if region:
        return JobError(f"The chosen region of {name} holds nothing but padding; choose another region.")
    return JobError(f"{name} holds nothing but padding; give a volume that shows something.")


def check_values(name: object, array: np.ndarray, outside: np.ndarray, *, region: bool = False) -> None:
    """The values that are not ``outside`` (padding), shape (z, y, x), can be Hounsfield units.

    A crop of CT need not hold air, nor fat, so only what no CT does is refused: values that int16 HU cannot have,
    no negative value at all (MR, PET, labels, and CT stored with an offset), next to no contrast (a normalised
    image), or tissue and air where an offset of some 1000 puts them (see :func:`has_offset`).

    Raises:
        JobError: they cannot.
    """
    found = value_range(array, outside)
    if found is None:
        raise nothing_measured(name, region=region)
    low, high = found
    aside = " (padding aside)" if outside.any() else ""
    low = min(low, float(array.min())) if float(array.min()) < VALUE_RANGE[0] else low  # no padding lies so low
    problem, span = f"{name} is not CT in Hounsfield units", f"its values run from {low:g} to {high:g}{aside}"
    if low < VALUE_RANGE[0] or high > VALUE_RANGE[1]:
        raise JobError(f"{problem}, for {span}", Advice("give a CT volume"), AcceptUnusual(OWN_RANGE))
    if high - low < MIN_CONTRAST_HU:
        raise JobError(
            f"{problem}, for {span} (normalised or empty)", Advice("give a CT volume"), AcceptUnusual(OWN_RANGE)
        )
    if low >= 0:
        raise JobError(
            f"{problem}, for {span} and none is negative",
            Advice("give a CT volume (if it is CT stored with an offset, subtract 1024)"),
            AcceptUnusual(),
        )
    if has_offset(array, outside):
        raise JobError(
            f"{problem}, for {span} and lie as those of CT stored with an offset of 1000 or 1024 do",
            Advice("subtract the offset"),
            AcceptUnusual(),
        )


def suits_hu_scale(array: np.ndarray, outside: np.ndarray) -> bool:
    """Whether values that are not ``outside``, shape (z, y, x), can be worked on as if they were HU.

    Those of MR can, or a crop of CT without a negative value. Counts beyond int16, grey values that mostly lie beyond
    the scale of CT, and normalised images, which rounding to whole HU would spoil, cannot.
    """
    found = value_range(array, outside)
    if found is None or float(array.min()) < VALUE_RANGE[0] or found[1] > VALUE_RANGE[1]:
        return False
    beyond = sum(int(np.count_nonzero(part[~out] > TOP_HU)) for part, out in zip(array, outside, strict=True))
    return bool(found[1] - found[0] >= MIN_CONTRAST_HU and 2 * beyond <= np.count_nonzero(~outside))


def has_offset(array: np.ndarray, outside: np.ndarray) -> bool:
    """Whether values look like HU + 1000 or HU + 1024: no fat, lung or air, but a peak where soft tissue would be.

    CT without anything below -100 HU is a crop of soft tissue and bone. Of bone there is the less, the denser it is;
    with an offset there is more at 950 to 1150 (soft tissue) than, for its width, at 150 to 850 (lung).
    """
    total = array.size - int(np.count_nonzero(outside))
    lean = lung = tissue = 0
    for part, out in zip(array, outside, strict=True):
        inside = part[~out]
        lean += int(np.count_nonzero(inside < LEAN_HU))
        if lean > 1e-3 * total:
            return False
        lung += int(np.count_nonzero((inside >= 150) & (inside < 850)))
        tissue += int(np.count_nonzero((inside >= 950) & (inside < 1150)))
    return tissue > 1e-2 * total and tissue / 200 > lung / 700
