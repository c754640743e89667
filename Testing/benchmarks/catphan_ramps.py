#!/usr/bin/env python3
"""Slice width by the wire ramps of a Catphan 504, against what is estimated: python catphan_ramps.py CT [OUT.json]

Four wires rise by 23° through the module with the rods (CTP404), 38 mm from its middle: two along x, two along y. A
slice sees of each a bar whose full width at half maximum, times tan 23°, is that of the slice. The widths of all bars
are compared with :func:`estimate_psf` and :func:`widest_psf`, which know nothing of the phantom. The CT is to be cut
to the middle of the phantom.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.degradation.psf_estimation import estimate_psf, widest_psf
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

RISE = math.tan(math.radians(23))
FROM_MIDDLE = (34.0, 42.0)  # mm, where the wires are
BESIDE = 30.0  # mm along a wire, from the middle of the phantom, where it may be seen
ACROSS = 1.5  # mm on either side of a wire that belong to it
LEAST_CONTRAST = 150.0  # HU of a bar over what lies beside it
WHOLE = 12.0  # mm: a bar whose top lies nearer to an end of what is looked at may be cut


def bar_width(profile: np.ndarray, pixel: float) -> float | None:
    """Full width at half maximum of the only bar in a profile (HU, pixels of so many mm), mm; None without one."""
    level = profile - np.median(profile)
    top = int(level.argmax())
    if level[top] < LEAST_CONTRAST or not WHOLE < top * pixel < len(level) * pixel - WHOLE:
        return None
    half = level[max(top - 1, 0) : top + 2].mean() / 2  # noise makes the one highest pixel too high
    sides = []
    for side in (level[top:], level[top::-1]):
        below = int(np.argmax(side < half))
        if not below:
            return None
        sides.append(below - 1 + (side[below - 1] - half) / (side[below - 1] - side[below]))
    return float(sum(sides)) * pixel


def bars(hu: np.ndarray, pixel: float) -> Iterator[tuple[int, str, float]]:
    """Slice, wire and width in mm along it of every bar, of HU (z, y, x) and mm between pixels."""
    near, far, reach, half = (round(mm / pixel) for mm in (*FROM_MIDDLE, BESIDE, ACROSS))
    for k, image in enumerate(hu):
        for along, turned in (("x", image), ("y", image.T)):
            middle, column = (n // 2 for n in turned.shape)
            for name, side in (
                ("low", turned[middle - far : middle - near]),
                ("high", turned[middle + near : middle + far]),
            ):
                band = side[:, column - reach : column + reach]
                row = int(np.unravel_index(band.argmax(), band.shape)[0])
                width = bar_width(band[max(row - half, 0) : row + half + 1].max(axis=0), pixel)
                if width is not None:
                    yield k, f"{along} {name}", width


def measured(scan: Volume) -> dict[str, float | int | None]:
    """What the wires say of a scan's slices, and what the scan's edges do, mm."""
    widths = [width * RISE for _, _, width in bars(scan.array, scan.spacing[1])]
    estimate = estimate_psf(scan.array, scan.spacing, 0, scan.valid)
    return {
        "bars": len(widths),
        "slice_width_mm": float(np.median(widths)),
        "spread_mm": float(np.std(widths)),
        "estimated_mm": None if estimate is None else estimate.psf.fwhm,
        "edges_mm": widest_psf(scan.array, scan.spacing, 0, scan.valid),
    }


def main(path: str, out: str | None = None) -> None:
    """Measure, print and perhaps write."""
    report = json.dumps(measured(read_volume(path)), indent=2)
    print(report)
    if out:
        Path(out).write_text(report + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
