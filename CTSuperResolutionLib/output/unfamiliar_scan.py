"""What is said of a scan that looks like none of those that the prior of its job learned from."""

from __future__ import annotations

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.priors import find_prior
from CTSuperResolutionLib.trust.familiar_patches import UNFAMILIAR_PERCENT, FamiliarPatches
from CTSuperResolutionLib.volume.volume import Volume


def unfamiliar_percent(scan: Volume, method: Method, notes: list[str]) -> float | None:
    """Percent of a scan that look like nothing that the prior learned from; a note says so where it is much.

    Args:
        scan: HU, a representative part. method: how it is worked on. notes: get one more.

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
    if percent is None:
        return None
    if percent >= UNFAMILIAR_PERCENT:
        notes.append(
            f"{percent:.0f} % of this scan looks like nothing that the prior has learned from: its values may be no "
            "HU, or it shows what no CT among those did; look at what was added before you trust the result, or any "
            "interval of its error."
        )
    return round(percent, 1)
