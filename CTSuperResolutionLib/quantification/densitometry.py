"""Lung densitometry: low-attenuation areas below −950 and −910 HU, and the 15th percentile of lung.

The thresholds are those of emphysema: −910 HU of Müller et al. (Chest 94:782, 1988) and −950 HU of Gevenois et al.
(Am J Respir Crit Care Med 154:187, 1996).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.quantification.interior import interior
from CTSuperResolutionLib.quantification.subdivision import label_counts, planes
from CTSuperResolutionLib.volume.volume import Volume

AIR_LIKE_HU = -500.0  # aerated lung and air are below, tissue is above: the usual first threshold of segmentations
AIR_MEDIAN_HU = -950.0  # half of a lung is never below, air always is
LEAST_LUNG_ML = 20.0
FEWEST_VOXELS = 200


@dataclass(frozen=True)
class LungDensity:
    """Densitometry of a lung.

    Attributes:
        laa_950_percent, laa_910_percent: share of it below −950 and −910 HU, the low-attenuation area (LAA).
        perc15_hu: HU below which 15 % of it lie.
    """

    laa_950_percent: float
    laa_910_percent: float
    perc15_hu: float

    def report(self) -> dict[str, float]:
        """As plain values, rounded."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


def lung_mask(scan: Volume) -> np.ndarray:
    """Where lung is, bool (z, y, x).

    Connected regions below −500 HU, of voxels that were measured and by their faces, are lung where they are at least
    20 ml large and half of their inside (voxels whose 3 × 3 × 3 neighbours are below −500 HU as well) is above −950 HU:
    air outside the body and gas in the bowel are not. How a region lies in the volume says nothing, so that any crop
    will do. Vessels above the threshold are left out; airways that open into the lung are not.
    """
    air_like = scan.array < AIR_LIKE_HU
    if scan.valid is not None:
        air_like &= scan.valid
    labels, count = ndi.label(air_like)
    sizes = label_counts(labels, count + 1)
    fewest = max(FEWEST_VOXELS, LEAST_LUNG_ML * 1000 / math.prod(scan.spacing))
    inside = interior(air_like)
    dense = inside & (scan.array >= AIR_MEDIAN_HU)
    is_lung = np.zeros(count + 1, dtype=bool)
    for label in (label for label in range(1, count + 1) if sizes[label] >= fewest):
        own = labels == label
        is_lung[label] = 2 * np.count_nonzero(dense & own) >= max(np.count_nonzero(inside & own), 1)
    for plane, of_plane in zip(air_like, labels, strict=True):  # indices of eight bytes would be twice the scan
        plane[:] = is_lung[of_plane]
    return air_like


def lung_density(
    array: np.ndarray, lung: np.ndarray, progress: Progress | None = None, target: TargetGrid | None = None
) -> LungDensity | None:
    """Densitometry of a volume in a lung that was segmented on the same grid, or on a coarser one over the same box.

    All volumes of a comparison are measured in the lung of the scan, so that they differ by their HU alone.

    Args:
        array: HU, (z, y, x). lung: bool, (z, y, x).
        progress: advanced by one in all.
        target: where the voxels are over those of the lung; None where both grids fill one box.

    Returns:
        None where there is too little lung: fewer than 200 voxels of ``lung``.
    """
    parts = (progress or Progress()).in_parts(len(array))
    if np.count_nonzero(lung) < FEWEST_VOXELS:
        parts.advance(len(array))
        return None
    values = []
    for plane, inside in zip(array, planes(lung, array.shape, target), strict=True):
        values.append(plane[inside])
        parts.advance()
    hu = np.concatenate(values)
    del values
    laa_950, laa_910 = (100 * float(np.count_nonzero(hu < threshold)) / hu.size for threshold in (-950, -910))
    return LungDensity(laa_950, laa_910, float(np.percentile(hu, 15, overwrite_input=True)))
