"""Voxel grid of a series of DICOM slices, found from the slices' own positions and checked to be regular."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from CTSuperResolutionLib.errors import Advice, JobError, OtherOption, Untilt
from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags
from CTSuperResolutionLib.volume.checks import check_kind, check_spacing
from CTSuperResolutionLib.volume.dicom import Choice, Series
from CTSuperResolutionLib.volume.dicom_slice import ORIENTATION_TOLERANCE, ImagePlane, Slice
from CTSuperResolutionLib.volume.geometry import GridGeometry, grid_geometry
from CTSuperResolutionLib.volume.spacing import Block, count_missing, find_blocks, is_even, mean_step

SAME_PLACE_MM = 1e-3
"""Slices nearer than this lie at the same place."""

ROUNDING_MM = 0.101
"""Sideways shift that is no tilt: some scanners write tenths of a millimetre."""

SHIFT_TOLERANCE = 0.5
"""Largest shift of a slice out of the straight line of the others, in pixels."""

Placed = list[tuple[Slice, ImagePlane]]


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order along their normal, and their grid.

    Attributes:
        slices: from the first to the last.
        geometry: of the grid that begins with the first slice and continues along the normal.
        acquisition: what the slices agree on.
        shifts: (n, 2), pixels along (y, x) by which the slices are displaced on that grid; None where none is.
    """

    slices: tuple[Slice, ...]
    geometry: GridGeometry
    acquisition: AcquisitionTags
    shifts: np.ndarray | None


def stack(choice: Choice, *, untilt: bool = False) -> Stack:
    """Order the slices of a series along their common normal and find their grid.

    The grid's z axis is the cross product of the directions of a row and a column, as in ITK, so it is never a
    reflection. Its spacing is the mean distance of the slices.

    Args:
        choice: the series, or one of its blocks.
        untilt: accept slices that are displaced sideways, as by a tilted gantry.

    Raises:
        JobError: the slices do not make one regular grid at right angles: a slice states no place, or sizes,
            orientations or pixel spacings differ, slices share a place, are missing, unevenly spaced or tilted.
    """
    series = choice.series
    name = f"Series {series.number}"
    placed = _placed(name, series)
    axes = _axes(name, placed)
    placed.sort(key=lambda item: float(np.dot(item[1].position, axes[:, 2])))
    placed = _one_block(name, choice, placed, axes)
    positions = np.array([plane.position for _, plane in placed])
    step = mean_step(positions @ axes[:, 2])
    row_distance, column_distance = placed[0][1].pixel_spacing
    geometry, shifts = _lie(name, positions, axes * [column_distance, row_distance, step], placed[0][0].size, untilt)
    slices = tuple(s for s, _ in placed)
    return Stack(slices, geometry, AcquisitionTags.of_slices([s.acquisition for s in slices], step), shifts)


def _placed(name: str, series: Series) -> Placed:
    """The slices with their planes, once what they state of these agrees."""
    first = series.slices[0]
    placed: Placed = []
    for s in series.slices:
        check_kind(s.path, 3, s.components)
        if s.frames > 1:
            raise JobError(
                f"{s.path} is a multi-frame (enhanced) DICOM file, which is not supported; save it as NRRD with "
                "3D Slicer, or as NIfTI with dcm2niix, and give that file."
            )
        if s.is_capture:
            raise JobError(f"{name} holds secondary captures (such as {s.path}) and no CT slices; choose another one.")
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
    _alike(name, "slice orientations", [plane.orientation for _, plane in placed], ORIENTATION_TOLERANCE)
    tolerance = 1e-3 * max(placed[0][1].pixel_spacing)
    _alike(name, "pixel spacings", [plane.pixel_spacing for _, plane in placed], tolerance)
    return placed


def _axes(name: str, placed: Placed) -> np.ndarray:
    """(3, 3): directions of a row, of a column and of the normal, as columns."""
    first, plane = placed[0]
    row, column = np.reshape(plane.orientation, (2, 3))
    normal = np.cross(row, column)
    if length := float(np.linalg.norm(normal)):
        normal /= length
    axes = np.column_stack([row, column, normal])
    row_distance, column_distance = plane.pixel_spacing
    check_spacing(name, (column_distance, row_distance), allow_unusual=True)
    unit = np.abs(np.linalg.norm(axes, axis=0) - 1).max() <= ORIENTATION_TOLERANCE
    if not unit or grid_geometry(axes * [column_distance, row_distance, 1], (0, 0, 0), (1, *first.size)) is None:
        raise JobError(
            f"{name} states an orientation that is not at right angles ({first.path}); export the series again from "
            "the scanner or archive."
        )
    return axes


def _one_block(name: str, choice: Choice, placed: Placed, axes: np.ndarray) -> Placed:
    """The slices, or those of the chosen block, once their spacing is one."""
    positions = np.array([plane.position for _, plane in placed])
    heights = positions @ axes[:, 2]
    steps = np.diff(heights)
    if shared := int((steps < SAME_PLACE_MM).sum()):
        raise JobError(
            f"{name} has {shared} slice{'' if shared == 1 else 's'} at the place of another (several phases or "
            "reconstructions in one); export one of them as a series by itself."
        )
    slices = [s for s, _ in placed]
    blocks = [] if is_even(heights) else find_blocks(heights, [s.acquisition.slice_thickness for s in slices])
    if choice.block is not None:
        if not 1 <= choice.block <= len(blocks):
            raise JobError(f"{name} has {len(blocks) or 'no'} blocks of slices, so there is no {choice.block}.")
        block = blocks[choice.block - 1]
        return placed[block.start : block.stop]
    if is_even(heights):
        return placed
    uneven = f"{name} has unevenly spaced slices, {steps.min():.3g} to {steps.max():.3g} mm apart"
    if blocks:
        listed = " and ".join(_block_text(block, slices) for block in blocks)
        complete = ", and none is missing by their numbers" if _numbered_without_gap(slices) else ""
        lean = _sideways(positions, axes)
        tilted = abs(lean).max() > ROUNDING_MM
        tilt = f", tilted by {_tilt_degrees(positions, axes):.1f} degrees" if tilted else ""
        numbers = [f"{choice.series.number}.{k}" for k in range(1, len(blocks) + 1)]
        raise JobError(
            f"{uneven}, in {len(blocks)} blocks{tilt}: {listed}{complete}",
            OtherOption("series", f"a block with {{}} {' or '.join(numbers)}{' and untilt it' if tilted else ''}"),
        )
    if (missing := count_missing(steps)) is not None:
        count, after = missing
        raise JobError(
            f"{name} lacks about {count} slice{'' if count == 1 else 's'}: after slice {after + 1} of "
            f"{len(heights)} the next one is {steps[after]:.3g} mm away and not {float(np.median(steps)):.3g} mm; "
            "export the whole series again."
        )
    raise JobError(f"{uneven}; resample it to even spacing, for example with 3D Slicer, and give it as NRRD.")


def _block_text(block: Block, slices: Sequence[Slice]) -> str:
    thicknesses = {s.acquisition.slice_thickness for s in slices[block.start : block.stop]}
    thick = f" and {thickness:.3g} mm thick" if len(thicknesses) == 1 and (thickness := thicknesses.pop()) else ""
    return f"slices {block.start + 1} to {block.stop} are {block.step:.3g} mm apart{thick}"


def _numbered_without_gap(slices: Sequence[Slice]) -> bool:
    """Whether the instance numbers rise or fall by one from slice to slice."""
    numbers = [s.instance_number for s in slices]
    known = [n for n in numbers if n is not None]
    return len(known) == len(numbers) and {abs(b - a) for a, b in pairwise(known)} == {1}


def _lie(
    name: str, positions: np.ndarray, steps: np.ndarray, size: tuple[int, int], untilt: bool
) -> tuple[GridGeometry, np.ndarray | None]:
    """The grid of evenly spaced slices, and how they are displaced on it.

    Args:
        positions: (n, 3), mm. steps: (3, 3), mm, as the axes of :func:`.grid_geometry`.
        size: rows and columns.
    """
    pixels = np.linalg.norm(steps, axis=0)
    axes = steps / pixels
    heights = (positions - positions[0]) @ axes[:, 2]
    sideways = _sideways(positions, axes)
    slope = sideways[-1] / heights[-1]
    bent = float(np.abs(sideways - np.outer(heights, slope)).max()) > SHIFT_TOLERANCE * min(pixels[:2])
    leaning = float(np.abs(sideways).max()) > ROUNDING_MM
    shape = (len(positions), *size)
    geometry = grid_geometry(steps, positions[0], shape)
    assert geometry is not None, "the normal is at right angles to a plane that was checked"
    if not bent and not leaning:
        return geometry, None
    lean = steps.copy()
    lean[:, 2] += pixels[2] * (axes[:, :2] @ slope[::-1])
    if not bent and (near := grid_geometry(lean, positions[0], shape)) is not None:
        return near, None
    if untilt and not np.abs(sideways).max() > max(heights[-1], *(pixels[:2] * size[::-1])):
        return geometry, sideways / pixels[1::-1]
    why = "a table that moved" if bent else f"a gantry tilt of {_tilt_degrees(positions, axes):.1f} degrees"
    raise JobError(
        f"{name} has slices shifted sideways by up to {np.linalg.norm(sideways, axis=1).max():.3g} mm ({why})",
        *([] if untilt else [Untilt()]),
        Advice(
            "straighten it, for example with dcm2niix or 3D Slicer's DICOM import, and give it as NRRD or NIfTI",
        ),
    )


def _sideways(positions: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(n, 2): displacement of the slices from the first one along (y, x), mm."""
    return (positions - positions[0]) @ axes[:, 1::-1]


def _tilt_degrees(positions: np.ndarray, axes: np.ndarray) -> float:
    """The angle between the slices' normal and the way from the first slice to the last."""
    way = positions[-1] - positions[0]
    return math.degrees(math.atan2(float(np.linalg.norm(way @ axes[:, :2])), abs(float(way @ axes[:, 2]))))


def _alike(name: str, what: str, values: Sequence[Sequence[float]], tolerance: float) -> None:
    if np.ptp(np.array(values), axis=0).max() > tolerance:
        raise _mixed(name, f"several {what}")


def _mixed(name: str, what: str) -> JobError:
    return JobError(f"{name} mixes {what}; export its axial slices as a series by themselves.")
