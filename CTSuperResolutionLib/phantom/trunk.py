"""The trunk: skin, fat and muscle around the surface on which the ribs lie, and the dome of the diaphragm."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.shapes import ramp, smooth_minimum
from CTSuperResolutionLib.phantom.slab import Coordinates, Slab
from CTSuperResolutionLib.phantom.texture import Texture

SKIN, FAT, MUSCLE = 10.0, -105.0, 52.0  # HU
SKIN_THICKNESS = 1.8  # mm
PLEURA = 4.6  # mm from the rib surface inwards to the lung


def oval(u: np.ndarray, v: np.ndarray, a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """First-order distance to an oval between an ellipse and a squarer |u|^4 + |v|^4 = 1, half axes a and b mm."""
    u, v = u / a, v / b
    uu, vv = u * u, v * v
    round_, square = np.sqrt(uu + vv) + 1e-6, np.sqrt(np.sqrt(uu * uu + vv * vv)) + 1e-6
    cube = 1.0 / square**3
    gu, gv = u * (1.0 / round_ + uu * cube) / a, v * (1.0 / round_ + vv * cube) / b
    return (round_ + square - 2.0) / np.sqrt(gu * gu + gv * gv + 1e-12)


def outline(at: Coordinates) -> np.ndarray:
    """Distance to the skin's surface; the back has its furrow, the shoulders are wider."""
    z, y, x = at
    furrow = 4.0 * np.exp(-((x / 13.0) ** 2)) * ramp(y, 20.0, 60.0)
    return oval(x, y - 1.0 + furrow, 101.0 + 14.0 * ramp(z, 40.0, 120.0), 79.0 - 8.0 * ramp(z, 60.0, 130.0))


def cage_axes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half axes (a along x, b along y) in mm of the rib surface at height z."""
    taper = np.clip(1.0 - (np.maximum(z + 50.0, 0.0) / 180.0) ** 2, 0.02, None)
    return 86.0 * np.sqrt(taper), 62.0 * taper**0.36


def cage_frame(at: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """x and y as the rib surface sees them: behind, its midline is pushed in by the spine."""
    _, y, x = at
    return x, y + 1.0 + 12.0 * np.exp(-((x / 27.0) ** 2)) * ramp(y, 0.0, 50.0)


def cage(at: Coordinates) -> np.ndarray:
    """Distance to the surface on which the ribs lie, negative towards the lungs."""
    return oval(*cage_frame(at), *cage_axes(at[0]))


def diaphragm(at: Coordinates) -> np.ndarray:
    """Height in mm above the two domes of the diaphragm, negative in the abdomen; the right dome is higher."""
    z, y, x = at
    right = -47.0 - 0.0125 * ((x + 44.0) ** 2 + 0.8 * (y + 4.0) ** 2)
    left = -56.0 - 0.0125 * ((x - 46.0) ** 2 + 0.8 * (y + 2.0) ** 2)
    return z + smooth_minimum(-right, -left, 14.0)


def paint_trunk(slab: Slab, cage_distance: np.ndarray, coarse: Texture, medium: Texture) -> None:
    """Skin, subcutaneous fat, the muscles with fat between them, and mediastinal fat inside the ribs.

    Args:
        slab: painted.
        cage_distance: `cage` of the slab, (z, y, x).
        coarse: texture that makes fat thicker and thinner and separates muscles.
        medium: texture of strands and fibres.
    """
    skin = outline(slab.coordinates())
    lumps, strands = coarse.sample(slab), medium.sample(slab)
    z, y, _ = slab.coordinates()
    slab.paint(skin, SKIN)
    slab.paint(skin + SKIN_THICKNESS, FAT + 12.0 * np.maximum(1.0 - 2.5 * np.abs(strands), 0.0) + 4.0 * strands)
    thickness = 5.5 + 2.0 * ramp(y, 20.0, 80.0) + 1.6 * lumps + 3.0 * ramp(-z, 0.0, 90.0)
    fibres = MUSCLE + 7.0 * strands
    slab.paint(np.maximum(skin + SKIN_THICKNESS + thickness, -cage_distance - 2.0), fibres)
    # planes of fat between the layers of muscle, waxing and waning; marbling
    layer = np.abs(np.abs(cage_distance - 9.5 - 2.2 * lumps) - 3.8)
    plane = np.clip(1.2 - layer + 0.5 * strands, 0.0, 1.0) * (cage_distance > 0)
    marbling = np.clip(1.0 - 9.0 * np.abs(lumps + 0.3 * strands), 0.0, 0.6) * (cage_distance > 3.0)
    inside = slab.occupancy(skin + SKIN_THICKNESS + thickness)
    slab.blend(np.maximum(0.8 * plane, marbling) * inside, FAT + 5.0)
    # between the ribs: muscle with some fat; inside: mediastinal fat
    slab.paint(np.abs(cage_distance) - PLEURA + 1.0, MUSCLE - 28.0 + 14.0 * strands + 18.0 * lumps)
    slab.paint(cage_distance + PLEURA - 1.0, FAT + 8.0 + 18.0 * np.maximum(1.0 - 2.0 * np.abs(strands), 0.0))
