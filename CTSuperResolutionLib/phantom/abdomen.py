"""The abdomen below the diaphragm: liver, spleen, stomach with gas, and fat."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.shapes import ellipsoid, ramp, tube
from CTSuperResolutionLib.phantom.slab import AIR, Slab
from CTSuperResolutionLib.phantom.texture import Texture
from CTSuperResolutionLib.phantom.trunk import FAT, MUSCLE

LIVER, SPLEEN, FLUID, BLOOD = 58.0, 49.0, 12.0, 42.0  # HU
HEPATIC_VEINS = (
    (((-14, 2, -62), (-30, -2, -72), (-52, -6, -82), (-66, -4, -92)), (4.5, 3.5, 2.5, 1.2)),
    (((-14, 2, -64), (-20, -18, -76), (-24, -36, -88)), (4.0, 3.0, 1.2)),
    (((-16, 4, -64), (-34, 18, -80), (-48, 30, -96)), (4.0, 3.0, 1.2)),
)


def paint_abdomen(slab: Slab, above: np.ndarray, cage_distance: np.ndarray, medium: Texture) -> None:
    """Paint the abdomen; `above` is the height over the diaphragm, (z, y, x) mm, and `cage_distance` the rib cage's."""
    if slab.axes[0][0] > -30.0:
        return
    z, y, x = slab.coordinates()
    below = np.maximum(above, cage_distance + 3.0)
    slab.paint(below, MUSCLE)
    slab.paint(below + 1.8, FAT + 6.0)
    strands = medium.sample(slab)
    edge = 14.0 - 0.5 * (y + 10.0) + 0.35 * (z + 60.0)  # the liver's left border
    slab.paint(np.maximum(below + 2.0, x - edge), LIVER + 4.0 * strands)
    spleen = ellipsoid((z + 84.0, y - 30.0, x - 58.0), (26.0, 26.0, 20.0))
    slab.paint(np.maximum(below + 3.2, spleen), SPLEEN + 4.0 * strands)
    stomach = np.maximum(below + 4.0, ellipsoid((z + 84.0, y + 14.0, x - 42.0), (25.0, 30.0, 27.0)))
    slab.paint(stomach, MUSCLE)
    slab.paint(stomach + 3.0, FLUID + 25.0 * ramp(strands, 0.0, 1.5))
    slab.paint(np.maximum(stomach + 3.0, y + 22.0), AIR)  # gas rises to the front
    for points, radii in HEPATIC_VEINS:
        found = tube(slab, points, radii)
        if found:
            box, distance = found
            slab.paint(np.maximum(distance, below[box] + 3.0), BLOOD, box)
