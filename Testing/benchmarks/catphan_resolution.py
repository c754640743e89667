#!/usr/bin/env python3
"""Resolution and noise before and after, on a Catphan 504: python catphan_resolution.py CT [OUT.json]

The slices with the rods (CTP404) are blurred and sampled by half within the slices, super-resolved, and compared with
the CT itself: f50 of the task transfer function by rod, in cycles per mm, and noise power in the flat middle.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.quantification.noise_power import noise_power
from CTSuperResolutionLib.quantification.task_transfer import task_transfer
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

RADIUS = 6.1  # mm, of the rods
LEAST_CONTRAST = 80.0  # HU
SLICES = slice(21, 30)  # of the CT: the module with the rods
MIDDLE = 20.0  # mm: half the side of the flat square in the middle


def find_rods(image: np.ndarray, spacing: tuple[float, float]) -> list[tuple[float, float]]:
    """Middles of discs as large as a rod, in pixels (row, column)."""
    flat = ndi.median_filter(image, round(4 * RADIUS / spacing[0]))
    found = []
    for sign in (1, -1):
        labels, count = ndi.label(sign * (image - flat) > LEAST_CONTRAST)
        for label in range(1, count + 1):
            size = np.count_nonzero(labels == label) * spacing[0] * spacing[1]
            if 0.7 < size / (np.pi * RADIUS**2) < 1.3:
                found.append(ndi.center_of_mass(labels == label))
    return found


def measured(volumes: Mapping[str, Volume]) -> dict[str, object]:
    """f50 by rod and volume, and the noise of each."""
    truth = volumes["reference"]
    image = truth.array.mean(axis=0)
    middle = [n // 2 for n in image.shape]
    half = [round(MIDDLE / d) for d in truth.spacing[1:]]
    y, x = (slice(at - h, at + h) for at, h in zip(middle, half, strict=True))
    rods = []
    for place in find_rods(image, truth.spacing[1:]):
        functions = {
            name: task_transfer(volume.array.mean(axis=0), place, RADIUS, volume.spacing[1:])
            for name, volume in volumes.items()
        }
        if all(functions.values()):
            f50 = {name: function.frequency_at(0.5) for name, function in functions.items()}
            rods.append({"contrast_hu": round(functions["reference"].contrast), "f50_per_mm": f50})
    region = (slice(0, truth.shape[0]), y, x)
    noise = {name: noise_power(v.array, v.spacing, [region], truth.shape) for name, v in volumes.items()}
    return {
        "rods": sorted(rods, key=lambda rod: rod["contrast_hu"]),
        "noise_hu": {name: round(found.variance**0.5, 2) for name, found in noise.items() if found},
        "mean_frequency_per_mm": {name: round(found.mean_frequency, 3) for name, found in noise.items() if found},
    }


def main() -> int:
    """Measure and print."""
    ct = read_volume(sys.argv[1], allow_unusual=True)
    part = ct.crop((SLICES, slice(0, ct.shape[1] // 2 * 2), slice(0, ct.shape[2] // 2 * 2)))
    scan = degrade(part, (1, 2, 2))
    result = super_resolve(scan, Method("1,2,2", "balanced", {"psf": "lanczos"}, device="cpu"))
    found = measured({"reference": part, "cubic": result.cubic, "measured": result.measured, "sr": result.sr})
    text = json.dumps(found, indent=2)
    print(text)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
