"""Ribs with their cartilages, breastbone, shoulder blades and collarbones."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.shapes import FAR, ellipse, ramp, tube
from CTSuperResolutionLib.phantom.skeleton import CORTEX, LEVELS, paint_bone, spine_y
from CTSuperResolutionLib.phantom.slab import Slab
from CTSuperResolutionLib.phantom.texture import Texture
from CTSuperResolutionLib.phantom.trunk import cage_axes, cage_frame

CARTILAGE = 110.0  # HU
BONE_END = 0.79  # share of the way around from spine to breastbone at which bone turns into cartilage
# For ribs 1 to 12: how far each has dropped (mm) at the end of its bone and at its front end, and where it ends.
RIBS = tuple(
    zip(
        (48, 62, 68, 70, 72, 73, 74, 74, 73, 70, 62, 50),
        (62, 60, 54, 51, 47, 44, 41, 44, 50, 60, 62, 50),
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.86, 0.84, 0.58, 0.4),
        strict=True,
    )
)


def rib_height(number: int, around: np.ndarray) -> np.ndarray:
    """z in mm of rib `number`'s (1 to 12) axis, `around` the chest from 0 at the spine to 1 at the breastbone."""
    drop, front, _ = RIBS[number - 1]
    falling = drop * np.sin(0.5 * np.pi * np.minimum(around / BONE_END, 1.0)) ** 2
    return LEVELS[number - 1] + 8.0 - falling + (drop - front) * ramp(around, BONE_END, 1.0)


def paint_ribs(slab: Slab, cage_distance: np.ndarray, trabeculae: Texture) -> None:
    """All ribs in the slab: they ride on the cage surface, so only voxels within 8 mm of it are looked at."""
    shell = np.nonzero(np.abs(cage_distance) < 8.0)
    if not len(shell[0]):
        return
    z, y, x = (axis[index] for axis, index in zip(slab.axes, shell, strict=True))
    radial = cage_distance[shell]
    a, b = cage_axes(z)
    u, v = cage_frame((z, y, x))
    around = np.arctan2(np.abs(u) / a, v / b) / np.pi
    arc = np.pi * np.sqrt((a * a + b * b) / 2.0)  # mm around one side
    bone = np.full(z.shape, FAR, dtype=np.float32)
    cartilage = bone.copy()
    for number in range(1, 13):
        end = RIBS[number - 1][2]
        rise = z - rib_height(number, around)
        near = np.nonzero((np.abs(rise) < 24.0) & (around < end + 0.1) & (np.abs(u) > 15.0))[0]
        if not len(near):
            continue
        s = around[near]
        slope = (rib_height(number, s + 0.01) - rib_height(number, s - 0.01)) / 0.02 / arc[near]
        across = rise[near] / np.sqrt(1.0 + slope * slope)
        rod = ellipse(across, radial[near] - 0.4, 6.0 - 1.2 * ramp(s, 0.3, 0.0), 3.1 + 0.9 * ramp(s, 0.25, 0.05))
        bone_end = min(BONE_END, end)
        bone[near] = np.minimum(bone[near], np.maximum(rod, (s - bone_end) * arc[near]))
        if end > BONE_END:
            plug = np.maximum(rod + 0.2, np.maximum((bone_end - s - 0.004) * arc[near], (s - end) * arc[near]))
            cartilage[near] = np.minimum(cartilage[near], plug)
    share = slab.occupancy(cartilage)
    hu = slab.hu[shell]
    hu += share * (CARTILAGE - hu)
    share = slab.occupancy(bone)
    hu += share * (CORTEX - hu)
    full = trabeculae.sample(slab)[shell]
    share = slab.occupancy(bone + 0.95)
    hu += share * (150.0 + 80.0 * (0.75 - np.abs(full)) - hu)
    slab.hu[shell] = hu
    _paint_necks(slab, trabeculae)


def _paint_necks(slab: Slab, trabeculae: Texture) -> None:
    """From each vertebra's side to where its rib begins on the cage."""
    for level in LEVELS[:12]:
        back = float(spine_y(level))
        for side in (-1.0, 1.0):
            points = (
                (side * 14.5, back + 7.0, level + 9.0),
                (side * 20.0, back + 14.0, level + 8.5),
                (side * 27.0, back + 19.5, level + 6.5),
            )
            found = tube(slab, points, (3.8, 2.9, 3.4))
            if found:
                paint_bone(slab, *found, 0.8, trabeculae)


def breastbone_y(z: np.ndarray) -> np.ndarray:
    """y in mm of the breastbone's middle at height z: on the front of the cage."""
    return -1.0 - cage_axes(z)[1]


def paint_front(slab: Slab, trabeculae: Texture) -> None:
    """Breastbone (manubrium, joint, body, xiphoid) and collarbones."""
    box = slab.box((-46.0, -80.0, -30.0), (86.0, -30.0, 30.0))
    if box:
        z, y, x = slab.coordinates(box)
        half_width = 11.5 + 10.0 * ramp(z, 50.0, 72.0) + 2.5 * ramp(-z, 0.0, 12.0) - 9.0 * ramp(-z, 16.0, 30.0)
        depth = y - breastbone_y(z) + 0.0006 * x * x
        plate = ellipse(x / half_width, depth / 4.6, 1.0, 1.0) * 4.6
        square = np.maximum(np.abs(x) - half_width, np.abs(depth) - 4.4)
        ends = np.maximum(z - 82.0 + 0.004 * x * x, -41.0 - z)
        bone = np.maximum(np.maximum(0.5 * (plate + square), ends), 0.8 - np.abs(z - 51.0))
        paint_bone(slab, box, bone, 0.9, trabeculae, marrow=120.0, contrast=70.0)
    for side in (-1.0, 1.0):
        points = (
            (side * 17.0, -46.0, 88.0),
            (side * 40.0, -52.0, 99.0),
            (side * 72.0, -36.0, 112.0),
            (side * 96.0, -14.0, 122.0),
        )
        found = tube(slab, points, (7.0, 5.0, 4.6, 5.0))
        if found:
            paint_bone(slab, *found, 1.3, trabeculae, marrow=120.0)


def paint_shoulder_blades(slab: Slab, cage_distance: np.ndarray, trabeculae: Texture) -> None:
    """A thin curved triangle behind the cage on each side, thicker at its outer border, and its spine."""
    if slab.axes[0][-1] < 15.0:
        return
    for side in (-1.0, 1.0):
        low, high = (-112.0, -30.0) if side < 0 else (30.0, 112.0)
        box = slab.box((15.0, 0.0, low), (125.0, 80.0, high))
        if box is None:
            continue
        z, y, x = slab.coordinates(box)
        distance = cage_distance[box]
        x = side * x
        outer = x - 62.0 - 0.33 * (z - 22.0)
        triangle = np.maximum(np.maximum(outer, 46.0 - 0.05 * (z - 22.0) - x), 20.0 - z)
        lift = 11.0 + 0.12 * np.maximum(z - 40.0, 0.0)
        blade = np.maximum(np.abs(distance - lift) - 1.3 - 2.0 * ramp(outer, -10.0, 0.0), triangle)
        blade = np.maximum(blade, 8.0 - y)
        paint_bone(slab, box, blade, 0.9, trabeculae, marrow=140.0)
