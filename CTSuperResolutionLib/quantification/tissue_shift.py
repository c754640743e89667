"""Tissue shift: the mean change of CT numbers inside air, lung, fat, soft tissue and bone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from CTSuperResolutionLib.quantification.interior import interior
from CTSuperResolutionLib.quantification.subdivision import label_counts, planes
from CTSuperResolutionLib.volume.checks import TOP_HU
from CTSuperResolutionLib.volume.volume import Volume

TISSUE_RANGES: Mapping[str, tuple[float, float]] = {
    "air": (-np.inf, -950.0),
    "lung": (-950.0, -500.0),
    "fat": (-190.0, -30.0),
    "soft_tissue": (-30.0, 150.0),
    "bone": (300.0, TOP_HU),
}
"""HU of each tissue, the upper bound excluded.

Air ends and lung begins at −950 HU, below which is emphysema (Gevenois et al., Am J Respir Crit Care Med 154:187,
1996); aerated lung ends at −500 (Gattinoni et al., Am J Respir Crit Care Med 164:1701, 2001). Fat is −190 to −30
(Kvist et al., Am J Clin Nutr 48:1351, 1988) and soft tissue, from muscle to organs with contrast medium, −30 to 150
(Mitsiopoulos et al., J Appl Physiol 85:115, 1998). Bone begins at 300, above most vessels with contrast medium, and
ends where metal begins. What lies between the ranges is a mixture and belongs to none.
"""

FEWEST_VOXELS = 20  # in a mean: residuals of 5 HU leave an error of about one
NO_TISSUE = 0


def tissue_labels(volume: Volume) -> np.ndarray:
    """The tissues of a volume, away from their borders: uint8 (z, y, x), 1 to 5 in the order of the ranges, else 0.

    A voxel counts where all 3 × 3 × 3 voxels around it were measured and lie in the same range, as regions of interest
    are drawn within an organ: at borders a voxel holds two tissues, and its error is that of the edge.
    """
    labels = np.full(volume.shape, NO_TISSUE, dtype=np.uint8)
    for label, (low, high) in enumerate(TISSUE_RANGES.values(), NO_TISSUE + 1):
        labels[(volume.array >= low) & (volume.array < high)] = label
    if volume.valid is not None:
        labels[~volume.valid] = NO_TISSUE
    return interior(labels)


def tissue_shift(error: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    """Mean error in HU by tissue; None for one of fewer than FEWEST_VOXELS voxels of its labels.

    Args:
        error: HU, (z, y, x).
        labels: of :func:`tissue_labels`, on the same grid or on a coarser one over the same box.
    """
    kinds = len(TISSUE_RANGES) + 1
    voxels = label_counts(labels, kinds)
    count, total = np.zeros(kinds), np.zeros(kinds)
    for plane, tissues in zip(error, planes(labels, error.shape), strict=True):
        count += np.bincount(tissues.ravel(), minlength=kinds)
        total += np.bincount(tissues.ravel(), weights=plane.ravel(), minlength=kinds)
    return {
        tissue: float(total[label] / count[label]) if voxels[label] >= FEWEST_VOXELS else None
        for label, tissue in enumerate(TISSUE_RANGES, NO_TISSUE + 1)
    }


def worst_shift(shifts: Mapping[str, float | None]) -> float | None:
    """The size of the largest of some shifts; None where there is none."""
    return max((abs(shift) for shift in shifts.values() if shift is not None), default=None)
