"""Voxel grid of a series of DICOM slices, found from the slices' own positions and checked to be regular."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.checks import ORTHONORMAL_TOLERANCE, check_kind
from CTSuperResolutionLib.volume.dicom import ImagePlane, Series, Slice

ORIENTATION_TOLERANCE = 1e-3
"""Difference of direction cosines within a series: 0.06 degree."""

SAME_PLACE_MM = 1e-3
"""Slices nearer than this lie at the same place."""

UNEVEN_TOLERANCE = 0.1
"""Largest distance of a slice from its place on the regular grid, in steps."""

ROUNDING_MM = 0.101
"""Distance allowed besides: some scanners write tenths of a millimetre, for this slice and for the grid's ends."""

ROUNDING_LIMIT = 0.35
"""Steps that no rounding excuses: one slice missing from 9 or more moves another by 0.375 steps or more."""

GAP_RATIO = 1.5
"""Where slices are not even, a step this many times the usual one means that some are missing."""

SHIFT_TOLERANCE = 0.5
"""Largest shift of a slice out of the stack, in pixels."""


@dataclass(frozen=True)
class Stack:
    """Slices in order along their normal, and their grid as in :class:`Volume`: mm, spacing (z, y, x)."""

    slices: tuple[Slice, ...]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


def stack(series: Series) -> Stack:
    """Order the slices of a series along their common normal and find their grid.

    The grid's z axis is the cross product of the directions of a row and a column, as in ITK, so it is never a
    reflection. Its spacing is the mean distance of the slices.

    Raises:
        JobError: the slices do not make one regular grid at right angles: a slice states no place, or sizes,
            orientations or pixel spacings differ, slices share a place, are missing, unevenly spaced or tilted.
    """
    name = f"Series {series.number}"
    first = series.slices[0]
    placed: list[tuple[Slice, ImagePlane]] = []
    for s in series.slices:
        check_kind(s.path, 3, s.components)
        if s.frames > 1:
            raise JobError(
                f"{s.path} is a multi-frame (enhanced) DICOM file, which is not supported; save it as NRRD with "
                "3D Slicer, or as NIfTI with dcm2niix, and give that file."
            )
        if s.plane is None:
            raise JobError(
                f"{s.path} states no slice position, orientation or pixel spacing; export the series again from "
                "the scanner or archive."
            )
        if s.size != first.size:
            (r0, c0), (r1, c1) = first.size, s.size
            raise _mixed(name, f"images of {c0} x {r0} and {c1} x {r1} pixels")
        placed.append((s, s.plane))
    if len(placed) == 1:
        raise JobError(f"{name} in {first.path.parent} is a single slice; give a series with the whole volume.")
    orientation, (row_distance, column_distance) = placed[0][1].orientation, placed[0][1].pixel_spacing
    _alike(name, "slice orientations", [plane.orientation for _, plane in placed], ORIENTATION_TOLERANCE)
    tolerance = 1e-3 * max(row_distance, column_distance)
    _alike(name, "pixel spacings", [plane.pixel_spacing for _, plane in placed], tolerance)

    row, column = np.reshape(orientation, (2, 3))
    cosines = np.stack([row, column, np.cross(row, column)], axis=1)
    if np.abs(cosines.T @ cosines - np.eye(3)).max() > ORTHONORMAL_TOLERANCE:
        raise JobError(
            f"{name} states an orientation that is not at right angles ({first.path}); export the series again from "
            "the scanner or archive."
        )
    normal = cosines[:, 2] / np.linalg.norm(cosines[:, 2])
    placed.sort(key=lambda item: float(np.dot(item[1].position, normal)))
    positions = np.array([plane.position for _, plane in placed])
    step = _even_step(name, positions @ normal)
    _check_upright(name, positions, normal, min(row_distance, column_distance))
    x, y, z = map(float, positions[0])
    return Stack(
        slices=tuple(s for s, _ in placed),
        spacing=(step, row_distance, column_distance),
        origin=(x, y, z),
        direction=tuple(map(float, np.column_stack([row, column, normal]).ravel())),
    )


def _alike(name: str, what: str, values: Sequence[Sequence[float]], tolerance: float) -> None:
    if np.ptp(np.array(values), axis=0).max() > tolerance:
        raise _mixed(name, f"several {what}")


def _mixed(name: str, what: str) -> JobError:
    return JobError(f"{name} mixes {what}; export its axial slices as a series by themselves.")


def _even_step(name: str, heights: np.ndarray) -> float:
    """The slice distance in mm, from the slices' heights along the normal in rising order."""
    steps = np.diff(heights)
    if shared := int((steps < SAME_PLACE_MM).sum()):
        raise JobError(
            f"{name} has {shared} slice{'' if shared == 1 else 's'} at the place of another (several phases or "
            "reconstructions in one); export one of them as a series by itself."
        )
    step = float(heights[-1] - heights[0]) / (len(heights) - 1)
    uneven = np.abs(heights - heights[0] - step * np.arange(len(heights))).max()
    if uneven <= max(UNEVEN_TOLERANCE * step, min(ROUNDING_MM, ROUNDING_LIMIT * step)):
        return step
    usual = float(np.median(steps))
    if gaps := [k for k, s in enumerate(steps) if s > GAP_RATIO * usual]:
        missing = sum(max(1, round(steps[k] / usual) - 1) for k in gaps)
        raise JobError(
            f"{name} lacks about {missing} slice{'' if missing == 1 else 's'}: after slice {gaps[0] + 1} of "
            f"{len(heights)} the next one is {steps[gaps[0]]:.3g} mm away and not {usual:.3g} mm; export the whole "
            "series again."
        )
    raise JobError(
        f"{name} has unevenly spaced slices, {steps.min():.3g} to {steps.max():.3g} mm apart; resample it to even "
        "spacing, for example with 3D Slicer, and give it as NRRD."
    )


def _check_upright(name: str, positions: np.ndarray, normal: np.ndarray, pixel: float) -> None:
    """The slices (n, 3), mm, lie straight above each other along the normal, to SHIFT_TOLERANCE of a ``pixel``, mm."""
    offsets = positions - positions[0]
    heights = offsets @ normal
    sideways = np.linalg.norm(offsets - heights[:, None] * normal, axis=1)
    worst = int(sideways.argmax())
    if sideways[worst] > SHIFT_TOLERANCE * pixel:
        angle = math.degrees(math.atan2(sideways[worst], heights[worst]))
        raise JobError(
            f"{name} has slices shifted sideways by up to {sideways[worst]:.3g} mm (a gantry tilt of {angle:.1f} "
            "degrees, or a table that moved); straighten it, for example with dcm2niix or 3D Slicer's DICOM import, "
            "and give it as NRRD or NIfTI."
        )
