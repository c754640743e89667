"""Lesions of known size and contrast: nodules, calcifications and vessels that are put into a CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.quantification.densitometry import lung_mask
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES, tissue_labels
from CTSuperResolutionLib.volume.volume import Volume

KINDS = {"nodule": "lung", "vessel": "lung", "calcification": "soft_tissue"}
"""What may be put in, and into what: balls, rods along y, and balls."""

SUBVOXELS = 5  # along each axis, for the share of a voxel that a lesion fills
CLEAR_MM = 3.0  # around a site, nothing but its tissue: a lesion on a vessel or a rib is another task
LUNG_HU = -600.0  # within that, lung is below
FEWEST_SITES = 12


@dataclass(frozen=True)
class Lesion:
    """A lesion.

    Attributes:
        kind: one of KINDS. diameter: mm. contrast: HU above what it lies in.
    """

    kind: str
    diameter: float
    contrast: float

    def share(self, shape: Sequence[int], centre: Sequence[float], spacing: Sequence[float]) -> np.ndarray:
        """The share of every voxel that it fills, 0 to 1, (z, y, x).

        Args:
            shape: of the grid. centre: in its voxels, (z, y, x). spacing: mm, (z, y, x).
        """
        within = (np.arange(SUBVOXELS) + 0.5) / SUBVOXELS - 0.5
        squares = []
        for axis, (n, middle, d) in enumerate(zip(shape, centre, spacing, strict=True)):
            offsets = ((np.arange(n)[:, None] + within).ravel() - middle) * d
            along = self.kind == "vessel" and axis == 1
            squares.append(np.zeros_like(offsets) if along else offsets**2)
        z, y, x = squares
        inside = z[:, None, None] + y[:, None] + x <= (self.diameter / 2) ** 2
        nz, ny, nx = shape
        return inside.reshape(nz, SUBVOXELS, ny, SUBVOXELS, nx, SUBVOXELS).mean(axis=(1, 3, 5))


def find_sites(ct: Volume, kind: str, reach: float, count: int, seed: int) -> np.ndarray:
    """Places for lesions of a kind: voxels (n, 3), (z, y, x), in their tissue and ``reach`` mm from the volume's ends.

    Each has nothing but its tissue within CLEAR_MM, and no other one within ``reach`` mm along all axes.

    Raises:
        JobError: there are fewer than FEWEST_SITES.
    """
    if KINDS[kind] == "lung":
        tissue = lung_mask(ct) & (ct.array < LUNG_HU)
    else:
        tissue = tissue_labels(ct) == 1 + list(TISSUE_RANGES).index(KINDS[kind])
    clear = ndi.distance_transform_edt(tissue, sampling=ct.spacing) > CLEAR_MM
    steps = [int(np.ceil(reach / d)) for d in ct.spacing]
    inner = np.zeros_like(clear)
    inner[tuple(slice(step, n - step) for step, n in zip(steps, ct.shape, strict=True))] = True
    places = np.argwhere(clear & inner)
    np.random.default_rng(seed).shuffle(places)
    sites: list[np.ndarray] = []
    for place in places:
        if all(np.any(np.abs(place - other) >= steps) for other in sites):
            sites.append(place)
        if len(sites) == count:
            break
    if len(sites) < FEWEST_SITES:
        raise JobError(
            f"The CT has room for {len(sites)} lesions of kind {kind} {reach:.0f} mm apart, and {FEWEST_SITES} are "
            f"needed; take a CT with more {KINDS[kind].replace('_', ' ')}, or smaller lesions."
        )
    return np.array(sites)


def with_lesions(ct: Volume, lesion: Lesion, sites: np.ndarray) -> Volume:
    """A CT with a copy of a lesion at every site: its contrast added, by the share that it fills of each voxel.

    A vessel is a rod three diameters and at least 12 mm long, with flat ends.
    """
    array = ct.array.copy()
    length = max(3 * lesion.diameter, 12.0) if lesion.kind == "vessel" else lesion.diameter
    extent = (lesion.diameter, length, lesion.diameter)
    halves = [int(np.ceil(size / 2 / d)) + 1 for size, d in zip(extent, ct.spacing, strict=True)]
    share = lesion.share([2 * half + 1 for half in halves], halves, ct.spacing)
    for site in sites:
        box = tuple(slice(int(at) - half, int(at) + half + 1) for at, half in zip(site, halves, strict=True))
        array[box] += (lesion.contrast * share).astype(np.float32)
    return ct.with_array(array)
