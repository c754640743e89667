"""Reading of projections: a stack and its geometry become line integrals on a centred detector, or one sentence."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.projection.geometry import ScanGeometry, check_inside_orbit
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.reconstruction.attenuation import WATER_PER_MM
from CTSuperResolutionLib.reconstruction.geometry_file import StatedGeometry
from CTSuperResolutionLib.reconstruction.projections import Projections, VolumePlace
from CTSuperResolutionLib.reconstruction.stack_file import StackFile, find_stack, read_stack, read_stated_geometry
from CTSuperResolutionLib.reconstruction.tilt import upright_views

MOST_INTEGRAL = 50.0  # e^-50 of a beam is nothing: such values are no line integrals
NEGATIVE = -0.05  # of the largest: noise reaches below zero, but no object's median row does
CUT_OFF = 0.05  # of the largest: what the outermost columns may show of air and noise
FARTHEST = 0.25  # of the detector's width or height, that its centre may lie beside the central ray


def read_projections(
    place: Path,
    geometry: Path | None = None,
    *,
    shape: tuple[int, int, int] | None = None,
    spacing: tuple[float, float, float] | None = None,
) -> Projections:
    """Read a stack of projections with its geometry.

    A detector whose middle lies beside the central ray is cut to the pixels that lie around it evenly; views of one
    that is tilted are interpolated onto an upright one.

    Args:
        place: stack (NRRD, MHA, NPY), or a folder that 'ctsr simulate' wrote. geometry: JSON or RTK's XML; None for
            the one beside the stack.
        shape, spacing: of the volume to reconstruct, (z, y, x), in place of the stated ones.

    Raises:
        JobError: something is missing, or does not go together.
    """
    stack_path, geometry_path = find_stack(place, geometry)
    stated, stack = read_stated_geometry(geometry_path), read_stack(stack_path)
    views, rows, columns = stack.values.shape
    if views != len(stated.angles):
        raise JobError(
            f"The stack {stack_path} has {views} views and its geometry {len(stated.angles)} angles; give the angle of "
            "every view."
        )
    if stated.detector_shape not in (None, (rows, columns)):
        raise JobError(
            f"The stack {stack_path} has views of {rows} x {columns} pixels (v, u) and its geometry states "
            f"{stated.detector_shape[0]} x {stated.detector_shape[1]}; correct one of them."  # type: ignore[index]
        )
    integrals, notes = _line_integrals(stack.values, stated, stack_path)
    detector_spacing, offset = _detector(stack, stated, stack_path)
    if stated.tilt is not None:
        upright = upright_views(integrals, stated, detector_spacing, offset)
        integrals, stated, offset = upright.values, upright.geometry, upright.offset
        notes.append(
            "The views were interpolated onto an upright detector, for that of the scan is tilted; the volume is made "
            f"around the plane of the source's path, {stated.height:.4g} mm from the middle of the axis."
        )
    integrals, more = _centred(integrals, detector_spacing, offset, stack_path)
    rays = ScanGeometry(
        stated.angles, integrals.shape[1:], detector_spacing, stated.source_distance, stated.detector_distance
    )
    where = _place(stated, rays, shape, spacing)
    notes += more + _doubts(integrals, rays, where.grid)
    if stated.water_per_mm is None:
        notes.append(
            f"The attenuation of water is taken for {WATER_PER_MM:g} per mm, for the geometry does not state it."
        )
    if rays.is_cone:
        check_inside_orbit(where.grid, rays.cone_distances[0])
    return Projections(integrals, rays, where, stated.water_per_mm or WATER_PER_MM, tuple(notes))


def _line_integrals(values: np.ndarray, stated: StatedGeometry, path: Path) -> tuple[np.ndarray, list[str]]:
    """Pixels as line integrals: −ln(I / I0) where they are intensities."""
    notes: list[str] = []
    if stated.i0 is not None:
        if float(np.median(values.max(axis=(1, 2)))) > 2 * stated.i0:
            raise JobError(f"The intensities in {path} are far above i0 = {stated.i0:g}; correct i0 in the geometry.")
        dark = values <= 0
        if dark.mean() > 0.5:
            raise JobError(f"The intensities in {path} are mostly 0 or below; check that they are no line integrals.")
        if dark.any():
            notes.append(f"{100 * dark.mean():.2g} % of the pixels caught nothing, and are taken for half a photon.")
        values = -np.log(np.maximum(values, np.float32(min(0.5, 1e-6 * stated.i0))) / np.float32(stated.i0))
        return values.astype(np.float32), notes
    largest = float(values.max())
    if largest > MOST_INTEGRAL:
        raise JobError(
            f"The values in {path} reach {largest:.4g}, too much for line integrals of attenuation; if they are "
            "intensities, state so in the geometry, with i0."
        )
    if largest <= 0 or float(np.median(values)) < NEGATIVE * largest:
        raise JobError(
            f"The line integrals in {path} are negative or nothing; check their sign, and that they are relative to an "
            "empty scan."
        )
    return values, notes


def _detector(stack: StackFile, stated: StatedGeometry, path: Path) -> tuple[tuple[float, float], tuple[float, float]]:
    """Spacing of the pixels and offset of the detector's middle from the central ray, mm, (v, u)."""
    if stated.detector_spacing is not None:
        return stated.detector_spacing, stated.detector_offset
    if stack.spacing is None or stack.centre is None:
        raise JobError(
            f"{path} does not say how large its pixels are, and its geometry neither; give a NRRD or MHA file."
        )
    if min(stack.spacing) <= 0:
        raise JobError(f"{path} states pixels without a size; correct its spacing.")
    (v, u), (by_v, by_u) = stack.centre, stated.detector_offset
    return stack.spacing, (v + by_v, u + by_u)


def _centred(
    integrals: np.ndarray, spacing: tuple[float, float], offset: tuple[float, float], path: Path
) -> tuple[np.ndarray, list[str]]:
    """The pixels that lie evenly around the central ray, moved by less than half a half pixel to do so."""
    notes: list[str] = []
    for axis, name in ((1, "v"), (2, "u")):
        n, pitch, shift = integrals.shape[axis], spacing[axis - 1], offset[axis - 1]
        if abs(shift) > FARTHEST * n * pitch:
            raise JobError(
                f"The detector of {path} lies {shift:.4g} mm beside the central ray along {name}, so that it sees the "
                "object in part only; such half-fan scans are not reconstructed here, use RTK or TIGRE."
            )
        halves = round(2 * shift / pitch)  # in half pixels, which whole pixels cut from one side are
        cut = abs(halves)
        integrals = integrals.take(range(cut if halves < 0 else 0, n - cut if halves > 0 else n), axis=axis)
        rest = shift / pitch - halves / 2
        if cut:
            notes.append(
                f"{cut} pixels at one side along {name} were left out to centre the detector on the central ray."
            )
        if abs(rest) > 0.01:
            integrals = _moved(integrals, rest, axis)
            notes.append(f"The views were moved by {abs(rest):.2f} pixels along {name} onto a centred detector.")
    return np.ascontiguousarray(integrals), notes


def _moved(values: np.ndarray, pixels: float, axis: int) -> np.ndarray:
    """Values at places ``pixels`` lower along an axis, interpolated linearly; beyond the ends the last ones."""
    neighbour = np.concatenate([values.take([0], axis), values.take(range(values.shape[axis] - 1), axis)], axis)
    if pixels < 0:
        neighbour = np.concatenate([values.take(range(1, values.shape[axis]), axis), values.take([-1], axis)], axis)
    share = np.float32(abs(pixels))
    return (1 - share) * values + share * neighbour


def _place(
    stated: StatedGeometry,
    rays: ScanGeometry,
    shape: tuple[int, int, int] | None,
    spacing: tuple[float, float, float] | None,
) -> VolumePlace:
    """The grid as asked for, as stated, or what the detector sees in every view with its own pixels."""
    if stated.place is not None and shape is None and spacing is None:
        return stated.place
    made = field_of_view_grid(rays)
    if spacing is not None and shape is None:
        nz, ny, nx = (max(1, math.floor(n * d / s)) for (n, d), s in zip(made.axes, spacing, strict=True))
        shape = (nz, ny, nx)
    if shape is not None and spacing is None:
        dz, dy, dx = (n * d / m for (n, d), m in zip(made.axes, shape, strict=True))
        spacing = (dz, dy, dx)
    grid = VolumeGrid(shape or made.shape, spacing or made.spacing)
    return VolumePlace.around(grid, stated.direction, stated.height)


def field_of_view_grid(rays: ScanGeometry) -> VolumeGrid:
    """The largest square grid inside what every view sees, with voxels of a pixel's size on the axis."""
    nv, (dv, du) = rays.detector_shape[0], rays.detector_spacing
    if rays.is_cone:
        source, detector = rays.cone_distances
        dv, du = dv * source / detector, du * source / detector
    side = max(1, math.floor(math.sqrt(2) * field_of_view_radius(rays) / du))
    return VolumeGrid((nv, side, side), (dv, du, du))


def field_of_view_radius(rays: ScanGeometry) -> float:
    """How far from the axis every view sees a point in the central plane, mm: the outermost rays touch that circle."""
    half = rays.detector_shape[1] * rays.detector_spacing[1] / 2
    if not rays.is_cone:
        return half
    source, detector = rays.cone_distances
    return half * source / math.hypot(half, detector)


def _doubts(integrals: np.ndarray, rays: ScanGeometry, grid: VolumeGrid) -> list[str]:
    """What will not be right everywhere, in sentences."""
    notes = []
    sides = np.concatenate([integrals[:, :, :2], integrals[:, :, -2:]], axis=2).mean(axis=(1, 2))
    cut = float((sides > CUT_OFF * integrals.max()).mean())
    if cut > 0:
        notes.append(
            f"The object reaches beyond the detector in {100 * cut:.0f} % of the views; what lies near the rim of the "
            "volume will be too bright."
        )
    reach = math.hypot(*(n * d / 2 for n, d in grid.axes[1:]))
    seen = field_of_view_radius(rays)
    if reach > 1.02 * seen:
        notes.append(
            f"The volume reaches {reach:.0f} mm from the axis and every view sees {seen:.0f} mm; the corners beyond "
            "are known in part only."
        )
    return notes
