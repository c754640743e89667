"""The mediastinum: heart, great vessels, windpipe and gullet."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.shapes import ellipsoid, ramp, smooth_minimum, tube
from CTSuperResolutionLib.phantom.slab import AIR, Box, Slab
from CTSuperResolutionLib.phantom.texture import Texture
from CTSuperResolutionLib.phantom.trunk import FAT

BLOOD, MYOCARDIUM, WALL, CALCIUM = 43.0, 56.0, 40.0, 750.0  # HU

# Tubes through (x, y, z) mm with radii in mm: outer surface for vessels, lumen for airways.
VESSELS = {
    "aorta": (
        (
            (2, -16, -4),
            (-6, -23, 16),
            (-8, -24, 34),
            (-3, -19, 50),
            (9, -9, 57),
            (19, 7, 54),
            (22, 20, 42),
            (22, 26, 20),
            (21, 26, -20),
            (17, 23, -60),
            (9, 20, -115),
        ),
        (11, 11.5, 11.5, 11, 10, 9.5, 9, 8.8, 8.5, 8.2, 8),
    ),
    "pulmonary trunk": (
        ((10, -38, -6), (13, -32, 12), (15, -20, 23), (22, -7, 26), (31, 2, 19), (34, 7, 6)),
        (11, 11, 10, 8, 7, 5.5),
    ),
    "right pulmonary artery": (
        ((14, -19, 22), (2, -5, 19), (-14, -2, 17), (-26, 0, 11), (-31, 4, 0)),
        (9, 8, 7.5, 6.5, 5.5),
    ),
    "superior vena cava": (((-23, -12, 84), (-24, -14, 50), (-24, -15, 20), (-19, -16, -6)), (6.5, 7, 7.5, 8)),
    "inferior vena cava": (((-12, -12, -36), (-16, -4, -60), (-14, 6, -115)), (9, 9, 9)),
    "right pulmonary veins": (((-8, 5, -5), (-22, 4, -4), (-31, 1, -7)), (6, 5.5, 4.5)),
    "left pulmonary veins": (((16, 5, -4), (27, 5, -3), (35, 3, -6)), (6, 5.5, 4.5)),
    "azygos": (((-24, -8, 38), (-14, 14, 38), (-7, 21, 24), (-7, 22, -30), (-5, 21, -115)), (3.5, 3, 2.5, 2.3, 2)),
    "brachiocephalic": (((-3, -17, 54), (-13, -13, 74), (-20, -10, 125)), (5.5, 5.5, 4.5)),
    "left carotid": (((6, -10, 58), (10, -4, 80), (12, -4, 125)), (3.8, 3.5, 3.2)),
    "left subclavian": (((15, 3, 57), (19, 4, 82), (26, 0, 125)), (4.5, 4.2, 4)),
    "left innominate vein": (((30, -18, 92), (8, -26, 74), (-22, -14, 62)), (5, 5.5, 6)),
}
AIRWAYS = {
    "trachea": (((-2, -4, 130), (-3, 2, 90), (-5, 8, 58), (-4, 10, 32)), (7, 7.2, 7.2, 7.2)),
    "right main bronchus": (((-4, 10, 34), (-15, 11, 22), (-25, 10, 14), (-31, 11, 5)), (6, 5.6, 5, 4.2)),
    "left main bronchus": (((-4, 10, 34), (9, 9, 23), (23, 10, 16), (34, 13.5, 11)), (5.6, 5, 4.6, 4)),
}
GULLET = (((2, 13, 125), (3, 17, 58), (4, 20, 20), (5, 19, -30), (12, 10, -66)), (4.5, 4.5, 4.8, 5, 5))
CORONARY = (((0, -36, -4), (18, -50, -20), (32, -52, -40), (40, -44, -56)), (1.6, 1.5, 1.2, 0.9))

HEART_CENTRE = np.array([12.0, -24.0, -27.0])  # (x, y, z) mm
HEART_AXES = (43.0, 33.0, 31.0)  # mm: base to apex, and across
APEX = np.array([0.64, -0.42, -0.643])  # (x, y, z), from base to apex

Organs = dict[str, tuple[Box, np.ndarray]]


def organs_in(slab: Slab) -> Organs:
    """Every organ that reaches into the slab, by name: its box and the distance to its surface there."""
    tubes = {**VESSELS, **AIRWAYS, "gullet": GULLET}
    found = {name: tube(slab, points, radii) for name, (points, radii) in tubes.items()}
    found["heart"], found["left atrium"] = _heart(slab), _left_atrium(slab)
    return {name: place for name, place in found.items() if place}


def column(slab: Slab, organs: Organs) -> np.ndarray:
    """Distance to all that lies between the lungs, with the fat around it, (z, y, x)."""
    z, y, x = slab.coordinates()
    half_width = 10.0 + 9.0 * ramp(y, -45.0, -22.0) - 7.0 * ramp(y, 8.0, 30.0) + 6.0 * ramp(z, 25.0, 60.0)
    distance = (np.abs(x - 2.0) - half_width).astype(np.float32)
    for name, (box, organ) in organs.items():
        margin = {"heart": 3.0, "trachea": 3.5}.get(name, 2.2)
        distance[box] = smooth_minimum(distance[box], organ - margin, 5.0)
    return distance


def paint_mediastinum(slab: Slab, organs: Organs, medium: Texture, coarse: Texture) -> None:
    """Paint the organs over whatever is there: heart first, then vessels, gullet and airways."""
    if "heart" in organs:
        _paint_heart(slab, organs, medium, coarse)
    for name in ("left atrium", *VESSELS):
        if name in organs:
            box, distance = organs[name]
            slab.paint(distance, WALL + 4.0, box)
            slab.paint(distance + 1.2, BLOOD, box)
    if "gullet" in organs:
        box, distance = organs["gullet"]
        slab.paint(distance, WALL, box)
        slab.paint(distance + 4.1, -600.0, box)
    airways = [organs[name] for name in AIRWAYS if name in organs]
    for box, distance in airways:
        slab.paint(distance - 1.3, WALL, box)
    for box, distance in airways:
        slab.paint(distance, AIR, box)


def _left_atrium(slab: Slab) -> tuple[Box, np.ndarray] | None:
    box = slab.box((-26.0, -14.0, -28.0), (16.0, 24.0, 36.0))
    if box is None:
        return None
    z, y, x = slab.coordinates(box)
    return box, ellipsoid((z + 5.0, y - 4.0, x - 4.0), (14.0, 11.0, 19.0))


def _heart(slab: Slab) -> tuple[Box, np.ndarray] | None:
    reach = 50.0
    low, high = HEART_CENTRE[::-1] - reach, HEART_CENTRE[::-1] + reach
    box = slab.box(low, high)
    return (box, ellipsoid(_heart_frame(slab, box), HEART_AXES)) if box else None


def _heart_frame(slab: Slab, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates along the heart's long axis (apex positive), across it to the left, and upwards."""
    z, y, x = slab.coordinates(box)
    dx, dy, dz = (c - centre for c, centre in zip((x, y, z), HEART_CENTRE, strict=True))
    left = np.cross([0.0, 0.0, 1.0], APEX)
    left /= np.linalg.norm(left)
    up = np.cross(APEX, left)
    return tuple((dx * float(a[0]) + dy * float(a[1]) + dz * float(a[2])).astype(np.float32) for a in (APEX, left, up))


def _paint_heart(slab: Slab, organs: Organs, medium: Texture, coarse: Texture) -> None:
    """Pericardium, fat in the grooves, muscle, the four chambers, a coronary artery with calcium."""
    box, distance = organs["heart"]
    along, left, up = _heart_frame(slab, box)
    strands = medium.sample(slab, box)
    slab.paint(distance, 20.0, box)  # pericardium
    slab.paint(distance + 1.3, FAT + 8.0 + 10.0 * np.abs(strands), box)
    at_apex = ramp(along, 18.0, 40.0) * ramp(-up, -20.0, 20.0)
    fat = 1.8 + 1.4 * np.abs(coarse.sample(slab, box)) + 0.4 * strands + 5.0 * at_apex
    groove = np.exp(-(((along + 12.0 - 0.25 * up) / 4.5) ** 2)) + 0.8 * np.exp(-(((left + 9.0 - 0.2 * up) / 3.5) ** 2))
    muscle = distance + fat + 7.0 * groove
    slab.paint(muscle, MYOCARDIUM + 3.0 * strands, box)
    ventricle = ellipsoid((along - 9.0, left - 8.0, up + 2.0), (21.0, 12.0, 13.0))
    right_ventricle = np.maximum(ellipsoid((along - 6.0, left + 17.0, up + 4.0), (24.0, 10.0, 19.0)), muscle + 3.0)
    right_atrium = np.maximum(ellipsoid((along + 25.0, left + 18.0, up + 2.0), (15.0, 14.0, 22.0)), distance + 4.0)
    for chamber in (ventricle, right_ventricle, right_atrium):
        slab.paint(chamber, BLOOD - 3.0, box)
    found = tube(slab, *CORONARY)
    if found:
        box, distance = found
        slab.paint(distance, BLOOD, box)
        along_y = slab.coordinates(box)[1]
        slab.paint(np.maximum(distance + 0.3, np.abs(along_y + 49.0) - 1.5), CALCIUM, box)
