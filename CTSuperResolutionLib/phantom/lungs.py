"""The lungs: their shape, parenchyma, fissures and nodules."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.shapes import ellipsoid, smooth_minimum
from CTSuperResolutionLib.phantom.slab import Slab
from CTSuperResolutionLib.phantom.texture import Texture
from CTSuperResolutionLib.phantom.trunk import PLEURA

PARENCHYMA, FISSURE = -885.0, -250.0  # HU


def lung_distance(cage_distance: np.ndarray, column: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Distance to the lungs: inside the ribs, beside the `column`, `above` the diaphragm; all (z, y, x) mm."""
    outside = smooth_minimum(-cage_distance - PLEURA, above * 0.8, 3.0)
    return -smooth_minimum(outside, column, 5.0)


def paint_parenchyma(slab: Slab, distance: np.ndarray, fine: Texture, medium: Texture, coarse: Texture) -> None:
    """Lung tissue, denser towards the back (the patient lies), mottled by lobules; then the fissures."""
    z, y, x = slab.coordinates()
    lobules, patches = medium.sample(slab), coarse.sample(slab)
    tissue = PARENCHYMA + 0.45 * y + 26.0 * fine.sample(slab) + 16.0 * np.abs(lobules) + 14.0 * patches
    slab.paint(distance, np.maximum(tissue, -985.0))
    bow = 0.0022 * (np.abs(x) - 45.0) ** 2
    oblique = (z - 12.0 - 0.95 * (y - 8.0)) / 1.38 + bow + 1.5 * patches  # major fissure
    level = z + 4.0 + 0.002 * (y + 25.0) ** 2 + 1.5 * patches  # minor fissure, right and in front of the major one
    minor = np.where((x < 0) & (oblique > 0), np.abs(level), 1e3)
    sheet = np.minimum(np.abs(oblique), minor)
    share = np.clip(0.5 - (sheet - 0.25) / slab.spacing, 0.0, min(1.0, 0.5 / slab.spacing))
    slab.blend(share * slab.occupancy(distance + 1.0), FISSURE)


class Nodules:
    """Lesions in the lungs: solid, lobulated, ground glass and calcified.

    Args:
        rng: chooses among the places.
        places: points in the lungs, (n, 3) as (x, y, z) mm.
    """

    KINDS = ((4.5, 35.0), (3.0, 30.0), (2.0, 20.0), (6.5, -620.0), (1.6, 620.0), (2.5, 30.0))  # radius mm, HU

    def __init__(self, rng: np.random.Generator, places: np.ndarray) -> None:
        near = places[np.abs(places[:, 2]) < 50.0]
        self.centres = near[rng.choice(len(near), len(self.KINDS), replace=False)]
        self.axes = rng.uniform(0.85, 1.2, (len(self.KINDS), 3))

    def paint(self, slab: Slab, medium: Texture) -> None:
        for (radius, value), (x0, y0, z0), axes in zip(self.KINDS, self.centres, self.axes, strict=True):
            reach = 1.6 * radius + 2.0
            box = slab.box((z0 - reach, y0 - reach, x0 - reach), (z0 + reach, y0 + reach, x0 + reach))
            if box:
                z, y, x = slab.coordinates(box)
                lobes = 0.14 * radius * medium.sample(slab, box)
                slab.paint(ellipsoid((z - z0, y - y0, x - x0), radius * axes) + lobes, value, box)
