"""What is said of a scan that looks like none of those that the prior of its job learned from."""

from __future__ import annotations

import math

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.priors import find_prior
from CTSuperResolutionLib.trust.familiar_patches import UNFAMILIAR_PERCENT, FamiliarPatches
from CTSuperResolutionLib.volume.volume import Volume

FINEST_MM = 0.1
"""Between the voxels of a patient's scan, along all axes."""

TISSUE_HU, LEAST_PERCENT = (-200.0, 300.0), 2.0
"""Of fat, organs and muscle, and how much of a scan they are at least."""

LEAST_ML = 1000.0
"""Of a scan: a smaller part may be all lung."""


def unfamiliar_percent(scan: Volume, method: Method, notes: list[str]) -> float | None:
    """Percent of a scan that look like nothing that the prior learned from; a note says so where it is much.

    Args:
        scan: HU, a representative part. method: how it is worked on. notes: get what is to be said.

    Returns:
        None where no prior is asked or nothing is known of what it learned from, and where the scan is not in HU or
        shows too little.

    Raises:
        JobError: the prior is gone, or what is known of it is damaged.
    """
    if not method.parameters.uses_prior or scan.value_scale is not None:
        return None
    familiar = FamiliarPatches.load(find_prior(method.prior))
    percent = None if familiar is None else familiar.unfamiliar_percent(scan)
    notes += _oddities(scan)
    if percent is None:
        return None
    if percent >= UNFAMILIAR_PERCENT:
        notes.append(
            f"{percent:.0f} % of this scan looks like nothing that the prior has learned from: its values may be no "
            "HU, or it shows what no CT among those did; look at what was added before you trust the result, or any "
            "interval of its error."
        )
    return round(percent, 1)


def _oddities(scan: Volume) -> list[str]:
    """What no scan of a patient is, whatever a prior has learned from."""
    found, (low, high) = [], TISSUE_HU
    measured = scan.array if scan.valid is None else scan.array[scan.valid]
    tissue = 100 * float(((measured > low) & (measured < high)).mean()) if measured.size else 0.0
    if tissue < LEAST_PERCENT and math.prod(scan.shape) * math.prod(scan.spacing) > 1000 * LEAST_ML:
        found.append(
            f"Only {tissue:.1f} % of this scan has the HU of fat, organs or muscle ({low:.0f} to {high:.0f}): its "
            "values may be no HU, as where an intercept was added twice, and the prior knows tissues by them."
        )
    if max(scan.spacing) < FINEST_MM:
        found.append(
            f"The scan's voxels of {max(scan.spacing):.2g} mm are finer than those of any scan of a patient: the prior "
            "has seen nothing of that size, unless the spacing is in another unit than mm."
        )
    return found
