#!/usr/bin/env python3
"""How well known slice profiles are found: psf_recovery.py [CT.nrrd=OWN_MM …] [--json FILE]

Thickens thin scans along z by known profiles (box, triangle, Gaussian; with gaps, touching and overlapping slices;
white noise, and noise that is coloured in the plane) and compares the width that is estimated with the true one: the
width at half height of the profile convolved with the scan's own, a Gaussian of OWN_MM. Without files a generated
chest is thickened. Prints one row a profile, over all scans and kinds of noise, and one for everything.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.degradation.psf_estimation import estimate_psf
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

STEP = 0.25  # mm, in which profiles are sampled
SIDE = 256  # voxels of the middle that are looked at
OWN_OF_PHANTOM = 1.19  # mm: its blur of 0.42 mm, and a painted voxel of 1 mm
NOISES = {"no noise": (0.0, 0.0), "15 HU coloured": (15.0, 0.8), "30 HU": (30.0, 0.0)}  # HU, and σ in the plane, voxels
PROFILES = (  # family, width at half height and distance of slices, mm
    ("box", 2.0, 1.0),
    ("box", 3.0, 3.0),
    ("box", 5.0, 2.5),
    ("box", 5.0, 5.0),
    ("triangle", 2.0, 2.0),
    ("triangle", 3.0, 3.0),
    ("triangle", 4.5, 5.0),
    ("triangle", 5.0, 2.5),
    ("triangle", 8.0, 4.0),
    ("gaussian", 2.0, 1.0),
    ("gaussian", 3.0, 2.0),
    ("gaussian", 5.0, 5.0),
    ("gaussian", 8.0, 8.0),
)


@dataclass(frozen=True)
class Recovery:
    """One thickened scan: by what, its true width and the estimated one, mm; None where none is said."""

    scan: str
    family: str
    fwhm: float
    pitch: float
    noise: str
    true_mm: float
    found_mm: float | None
    error_mm: float | None

    @property
    def right(self) -> bool:
        """Whether the width is found within a tenth."""
        return self.found_mm is not None and abs(self.found_mm / self.true_mm - 1) <= 0.1


def profile(family: str, fwhm: float, step: float) -> np.ndarray:
    """A slice profile of unit area, sampled every ``step`` mm from its middle outwards to both sides."""
    reach = int(np.ceil(2 * fwhm / step))
    t = np.arange(-reach, reach + 1) * step / fwhm
    if family == "box":
        values = np.clip(0.5 + (0.5 - np.abs(t)) * fwhm / step, 0, 1)  # a sample is half inside at the edge
    elif family == "triangle":
        values = np.clip(1 - np.abs(t), 0, None)
    else:
        values = np.exp(-4 * np.log(2) * t**2)
    return values / values.sum()


def true_width(family: str, fwhm: float, own: float) -> float:
    """Width at half height of a profile that is convolved with a Gaussian, mm."""
    step = 0.01
    blurred = ndi.gaussian_filter1d(np.pad(profile(family, fwhm, step), 1000), own / 8**0.5 / np.log(2) ** 0.5 / step)
    return step * np.count_nonzero(blurred >= blurred.max() / 2)


def thickened(scan: Volume, family: str, fwhm: float, pitch: float) -> np.ndarray:
    """Slices of a profile every ``pitch`` mm of a thin scan, (z, y, x)."""
    count, rows, columns = scan.shape
    middle = (slice(max(0, n // 2 - SIDE // 2), n // 2 + SIDE // 2) for n in (rows, columns))
    factor = max(1, round(scan.spacing[0] / STEP))
    step = scan.spacing[0] / factor
    # Everything along z is linear: done to a unit in every thin slice, it is a matrix.
    fine = ndi.zoom(np.eye(count), (factor, 1), order=3, mode="nearest", grid_mode=True)
    blurred = ndi.correlate1d(fine, profile(family, fwhm, step), axis=0, mode="nearest")
    places = np.arange(pitch / 2, len(fine) * step - pitch / 2, pitch) / step - 0.5
    at = np.meshgrid(places, np.arange(count), indexing="ij")
    matrix = ndi.map_coordinates(blurred, at, order=1, mode="nearest")
    thin = np.clip(scan.array[(slice(None), *middle)], -1024, 3071)
    return np.tensordot(matrix.astype(np.float32), thin, axes=(1, 0))


def noisy(slices: np.ndarray, noise_hu: float, colour: float) -> np.ndarray:
    """Slices with noise of a deviation in HU, that is correlated in the plane over ``colour`` voxels."""
    noise = ndi.gaussian_filter(np.random.default_rng(0).normal(size=slices.shape), (0, colour, colour))
    return (slices + noise_hu * noise / noise.std()).astype(np.float32)


def recoveries(name: str, scan: Volume, own: float, profiles=PROFILES, noises=NOISES) -> list[Recovery]:
    """What is found in a thin scan whose own width along z is ``own``, mm."""
    found = []
    for family, fwhm, pitch in profiles:
        slices = thickened(scan, family, fwhm, pitch)
        true_mm = true_width(family, fwhm, own)
        for noise, (noise_hu, colour) in noises.items():
            estimate = estimate_psf(noisy(slices, noise_hu, colour), (pitch, *scan.spacing[1:]), 0)
            width = (None, None) if estimate is None else (estimate.psf.fwhm, estimate.error)
            found.append(Recovery(name, family, fwhm, pitch, noise, true_mm, *width))
    return found


def row(label: str, found: list[Recovery]) -> str:
    """One line of the table."""
    given = [r for r in found if r.found_mm is not None]
    ratios = [r.found_mm / r.true_mm for r in given if r.found_mm is not None]
    spread = f"{min(ratios):.2f} {np.median(ratios):.2f} {max(ratios):.2f}" if ratios else ""
    return f"{label:<24}{len(found):8}{len(given):8}{sum(r.right for r in given):8}   {spread}"


def main() -> None:
    """Print the table and write what was found as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="*", metavar="CT=OWN_MM")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = [] if options.scans else recoveries("chest", thorax(noise_hu=0.0), OWN_OF_PHANTOM)
    for given in options.scans:
        path, _, own = given.rpartition("=")
        found += recoveries(Path(path).stem, read_volume(path), float(own))
    print(f"{'profile, mm':<24}{'scans':>8}{'given':>8}{'right':>8}   found/true: least, median, greatest")
    for family, fwhm, pitch in PROFILES:
        same = [r for r in found if (r.family, r.fwhm, r.pitch) == (family, fwhm, pitch)]
        print(row(f"{family} {fwhm:g} every {pitch:g}", same))
    print(row("all", found))
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in found], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
