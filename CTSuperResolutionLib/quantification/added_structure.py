"""Added structure: how much of a result the scan alone does not support, by tissue."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.quantification.subdivision import label_counts, planes
from CTSuperResolutionLib.quantification.tissue_shift import FEWEST_VOXELS, NO_TISSUE, TISSUE_RANGES, tissue_labels
from CTSuperResolutionLib.volume.volume import Volume

BORDERS, EVERYWHERE = "borders", "everywhere"
"""Where voxels hold two tissues or lie beside another one, and all that was measured; beside the tissues' own names."""

LEVELS_HU = (50.0, 150.0)  # a nodule without calcium on lung window is seen from the first on, a vessel from the second


def added_by_tissue(
    sr: np.ndarray, measured: np.ndarray, labels: np.ndarray, target: TargetGrid | None = None
) -> dict[str, dict[str, float] | None]:
    """Size of sr − measured by tissue of the scan: ``rms_hu``, ``above_50_percent`` and ``above_150_percent`` (of |·|).

    None for a tissue of fewer than FEWEST_VOXELS voxels of its labels.

    Args:
        sr, measured: HU, (z, y, x), on one grid.
        labels: of :func:`region_labels`, on a coarser grid. target: the fine grid over it; None where both fill a box.
    """
    names = (*TISSUE_RANGES, BORDERS)
    kinds = len(names) + 1
    voxels = label_counts(labels, kinds)
    sums = np.zeros((2 + len(LEVELS_HU), kinds))  # voxels, squares, and voxels above each level
    for plane, base, kind in zip(sr, measured, planes(labels, sr.shape, target), strict=True):
        added = np.abs(plane.astype(np.float64) - base).ravel()
        weights = [np.ones_like(added), added**2, *(added > level for level in LEVELS_HU)]
        sums += [np.bincount(kind.ravel(), weights=weight, minlength=kinds) for weight in weights]
    found = {
        name: _size(sums[:, label]) if voxels[label] >= FEWEST_VOXELS else None
        for label, name in enumerate(names, NO_TISSUE + 1)
    }
    judged = voxels[NO_TISSUE + 1 :].sum() >= FEWEST_VOXELS
    return found | {EVERYWHERE: _size(sums[:, NO_TISSUE + 1 :].sum(axis=1)) if judged else None}


def region_labels(scan: Volume) -> np.ndarray:
    """As :func:`tissue_labels`, with one more label for what was measured and belongs to no tissue: the borders."""
    labels = tissue_labels(scan)
    between = labels == NO_TISSUE
    labels[between if scan.valid is None else between & scan.valid] = len(TISSUE_RANGES) + 1
    return labels


def _size(sums: np.ndarray) -> dict[str, float]:
    count, squares, *above = sums
    shares = {f"above_{level:.0f}_percent": 100 * n / count for level, n in zip(LEVELS_HU, above, strict=True)}
    return {"rms_hu": float(np.sqrt(squares / count)), **{name: float(share) for name, share in shares.items()}}
