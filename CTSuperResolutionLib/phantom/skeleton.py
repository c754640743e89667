"""Bone and the spine: vertebral bodies with endplates, discs, arches and processes around the canal."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.shapes import FAR, cone, ellipse, ellipsoid, smooth_minimum
from CTSuperResolutionLib.phantom.slab import Box, Coordinates, Slab
from CTSuperResolutionLib.phantom.texture import Texture

CORTEX, MARROW, DISC, CORD, EPIDURAL = 1150.0, 190.0, 75.0, 32.0, -40.0  # HU
PITCH = 21.0  # mm from one vertebra to the next
HALF_HEIGHT = 8.6  # mm of a vertebral body
LEVELS = tuple(PITCH * (7 - number) for number in range(1, 14))  # mm: T7 is at 0


def spine_y(z: np.ndarray | float) -> np.ndarray | float:
    """y in mm of the vertebral bodies' centres at height z: the thoracic kyphosis."""
    return 37.0 - z * z / 900.0


def paint_bone(
    slab: Slab,
    box: Box,
    distance: np.ndarray,
    cortex: np.ndarray | float,
    texture: Texture,
    marrow: float = MARROW,
    contrast: float = 95.0,
) -> None:
    """A shell of compact bone `cortex` mm thick around spongy bone whose struts follow the texture's zero surfaces."""
    struts = 0.75 - np.abs(texture.sample(slab, box))
    slab.paint(distance, CORTEX, box)
    slab.paint(distance + cortex, marrow + contrast * struts, box)


def spine_column(slab: Slab) -> np.ndarray:
    """Distance to a smooth column around all vertebral bodies, (z, y, x), for the lungs to keep away from."""
    z, y, x = slab.coordinates()
    return ellipse(x, y - 8.0 - spine_y(z), 17.0, 22.0)


def paint_spine(slab: Slab, trabeculae: Texture, medium: Texture) -> None:
    """Every disc, vertebra and the canal within the slab."""
    for level in LEVELS:
        _paint_disc(slab, level - PITCH / 2)
    for level in LEVELS:
        _paint_vertebra(slab, level, trabeculae, medium)


def _local(slab: Slab, level: float, half: tuple[float, float, float]) -> tuple[Box, Coordinates] | None:
    """Box around a level and its own coordinates (up, back, side), tilted with the spine's curve."""
    centre = float(spine_y(level))
    box = slab.box((level - half[0], centre - 18.0, -half[2]), (level + half[0], centre + half[1], half[2]))
    if box is None:
        return None
    z, y, x = slab.coordinates(box)
    slope = -2.0 * level / 900.0  # dy/dz of the curve
    length = (1.0 + slope * slope) ** 0.5
    dz, dy = z - level, y - centre
    return box, ((dz + slope * dy) / length, (dy - slope * dz) / length, x + 0.0 * dz)


def _body(up: np.ndarray, back: np.ndarray, side: np.ndarray, bulge: np.ndarray | float) -> np.ndarray:
    """In-plane distance to a vertebral body: heart-shaped, its back wall hollow towards the canal."""
    hollow = 2.2 * np.exp(-((side / 6.0) ** 2))
    taper = 1.0 + 0.16 * np.clip(-back / 10.0, -1.0, 1.0)  # narrower in front
    round_ = ellipse(side * taper, back + 0.5, 14.0 + bulge, 11.0 + bulge)
    return np.maximum(round_, back - 9.0 + hollow)


def _paint_disc(slab: Slab, level: float) -> None:
    place = _local(slab, level, (4.0, 16.0, 18.0))
    if place:
        box, (up, back, side) = place
        slab.paint(np.maximum(_body(up, back, side, 0.4), np.abs(up) - 2.8), DISC + 12.0, box)
        slab.paint(ellipsoid((up, back, side), (2.4, 6.0, 9.0)), DISC, box)


def _paint_vertebra(slab: Slab, level: float, trabeculae: Texture, medium: Texture) -> None:
    place = _local(slab, level, (26.0, 50.0, 34.0))
    if place is None:
        return
    box, (up, back, side) = place
    waist = -1.6 * np.maximum(1.0 - (up / HALF_HEIGHT) ** 2, 0.0)
    flat = _body(up, back, side, waist)
    plate = np.abs(up) - HALF_HEIGHT + 0.9 * np.exp(-(((back + 1.0) / 8.0) ** 2 + (side / 9.0) ** 2))
    body = np.maximum(flat, plate)
    arch = _arch(up, back, side)
    bone = smooth_minimum(body, arch, 2.5)
    canal = ellipse(side, back - 17.0, 8.2, 7.6)
    near = np.abs(up) - 10.5
    slab.paint(np.maximum(canal, near), EPIDURAL, box)
    bone = np.maximum(bone, -canal)
    wobble = 0.9 + 0.15 * medium.sample(slab, box)
    paint_bone(slab, box, bone, np.clip(wobble, 0.6, 1.3), trabeculae)
    vein = np.maximum(np.abs(up) - 1.0, np.maximum(np.abs(side) - 1.4, -back))
    slab.paint(np.maximum(vein, flat), 60.0, box)
    slab.paint(np.maximum(ellipse(side, back - 17.0, 5.6, 5.2), near), CORD, box)


def _arch(up: np.ndarray, back: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Distance to pedicles, joints, laminae, transverse processes and the spinous process (mirrored in x)."""
    at = (up, back, np.abs(side))
    parts = (
        cone(at, (10.0, 6.0, 3.5), (11.0, 17.0, 3.5), 3.6, 3.8),  # pedicle
        cone(at, (11.5, 18.0, 9.0), (11.0, 20.0, -9.0), 3.0, 3.0),  # joints above and below
        cone(at, (11.0, 19.5, 1.0), (3.0, 27.0, -5.0), 3.2, 3.0),  # lamina
        cone(at, (12.0, 18.0, 3.0), (28.0, 25.0, 6.0), 3.6, 3.4),  # transverse process
        cone((up, back, 1.9 * np.abs(side)), (0.0, 27.0, -5.0), (0.0, 37.0, -16.0), 4.2, 4.4),  # spinous process
    )
    distance = np.full(up.shape, FAR, dtype=np.float32)
    for part in parts:
        distance = smooth_minimum(distance, part, 1.5)
    return distance
