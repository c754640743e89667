"""Tilt: source and detector that stand askew to the axis they turn about, and views as an upright detector has them.

A ray is told by its source and its direction, so views of one flat detector are those of any other that catches the
same rays: a change of projective coordinates, the same for all views of a circular scan. The source of a tilted scan
turns above or below the middle of the axis, which the volume's place has to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.reconstruction.geometry_file import StatedGeometry

LARGEST = math.radians(45)  # beyond which rows and columns of an upright detector are not those of the scan's


@dataclass(frozen=True)
class UprightViews:
    """Views on an upright detector.

    Attributes:
        values: (views, v, u). geometry: what is stated of them, without a tilt.
        offset: of the detector's middle from the central ray, mm, (v, u).
    """

    values: np.ndarray
    geometry: StatedGeometry
    offset: tuple[float, float]


def upright_views(
    values: np.ndarray, stated: StatedGeometry, spacing: tuple[float, float], offset: tuple[float, float]
) -> UprightViews:
    """Views of a tilted detector as those of an upright one through its middle, interpolated by cubic splines.

    Rows and columns that the detector did not see whole are left out.

    Coordinates are (u, v, s), with v along the axis and s from it to the source, and turn with them. A tilt turns what
    stands upright by ``in_plane`` about s, then by ``out_of_plane`` about u.

    Args:
        values: (views, v, u). stated: with a tilt. spacing: of the pixels, mm, (v, u).
        offset: of the detector's middle, mm, (v, u).

    Raises:
        JobError: parallel rays that are not square to the axis, or a detector that is nowhere near upright.
    """
    tilt, source_distance, detector_distance = stated.tilt, stated.source_distance, stated.detector_distance
    assert tilt is not None
    turned = _about_u(tilt.out_of_plane) @ _about_s(tilt.in_plane)  # columns: the detector's u, v and normal
    cone = source_distance is not None and detector_distance is not None
    if abs(turned[1, 2]) > (math.sin(LARGEST) if cone else 1e-6) or abs(turned[1, 1]) < math.cos(LARGEST):
        raise JobError(
            f"The detector is tilted by {math.degrees(tilt.in_plane):.3g} degrees in its plane and "
            f"{math.degrees(tilt.out_of_plane):.3g} out of it, which is not read here; use RTK."
        )
    middle, origin, angle = turned @ (offset[1], offset[0], 0.0), np.zeros(3), 0.0
    if source_distance is not None and detector_distance is not None:
        middle = turned @ (offset[1], offset[0], source_distance - detector_distance)
        origin = turned @ (tilt.source_offset[1], tilt.source_offset[0], source_distance)
        angle = math.atan2(origin[0], origin[2])
    upright = _about_v(angle)  # columns: u, v and s of the upright detector
    place = upright.T @ (middle - origin)
    rows, columns = values.shape[1:]
    v = place[1] + (np.arange(rows) - (rows - 1) / 2)[:, None] * spacing[0]
    u = place[0] + (np.arange(columns) - (columns - 1) / 2)[None, :] * spacing[1]
    rays = np.stack(np.broadcast_arrays(u, v, place[2]), -1) @ upright.T  # from the source to upright pixels
    if cone:  # and to the scan's detector; parallel ones meet both in one plane
        rays = rays * ((middle - origin) @ turned[:, 2] / (rays @ turned[:, 2]))[..., None]
    on_detector = (origin + rays - middle) @ turned[:, :2] / spacing[::-1] + ((columns - 1) / 2, (rows - 1) / 2)
    where = np.stack([on_detector[..., 1], on_detector[..., 0]])
    last = np.reshape((rows - 1, columns - 1), (2, 1, 1))
    inside: np.ndarray = np.logical_and(where >= 0, where <= last)
    kept = _seen(inside[0] & inside[1])
    where = where[:, kept[0], kept[1]]
    moved = np.stack([ndi.map_coordinates(view, where, order=3, mode="mirror") for view in values])
    place_v, place_u = (float(axis[part].mean()) for axis, part in zip((v[:, 0], u[0]), kept, strict=True))
    geometry = replace(
        stated,
        angles=tuple(own + angle for own in stated.angles),
        source_distance=math.hypot(origin[0], origin[2]) if cone else None,
        detector_distance=-float(place[2]) if cone else None,
        tilt=None,
        height=float(origin[1]),
    )
    return UprightViews(moved.astype(np.float32), geometry, (place_v, place_u))


def _seen(inside: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns left when the line at a rim of which most is missing is taken off, until nothing is missing."""
    top, left, (bottom, right) = 0, 0, inside.shape
    while top < bottom and left < right and not inside[top:bottom, left:right].all():
        part = inside[top:bottom, left:right]
        worst = int(np.argmin([rim.mean() for rim in (part[0], part[-1], part[:, 0], part[:, -1])]))
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    if top == bottom or left == right:
        raise JobError("The detector of the tilted scan sees nothing around the central ray; check its geometry.")
    return slice(top, bottom), slice(left, right)


def _about_u(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def _about_v(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def _about_s(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
