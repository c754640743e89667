"""The last word belongs to the scan: degrading the result has to give it back."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.degradation import Degradation

AIR_HU = -1024.0  # nothing attenuates less than nothing: −1000 HU, and the slack that scanners store
METAL_HU = 3071.0  # the 12-bit ceiling of a CT; a scan that goes beyond raises it for its own result


def agree_with_scan(fine: torch.Tensor, scan: torch.Tensor, degradation: Degradation, *, rounds: int) -> torch.Tensor:
    """The fine volume whose degradation is the scan, within the HU that matter can have.

    Alternating projections: onto {x : A x = y} by x + A†(y − A x), and onto the bounds by clipping. The measured
    frequencies come out deblurred in the first step; the bounds then take back the ringing beside air and metal.

    Args:
        fine: HU, (z, y, x).
        scan: y, HU, coarse.
        degradation: A from fine to coarse.
        rounds: how often both are done; the bounds have the last word.
    """
    highest = max(METAL_HU, float(scan.max()))
    for _ in range(rounds):
        fine = degradation.consistent(fine, scan).clamp_(AIR_HU, highest)
    return fine


def disagreement(fine: torch.Tensor, scan: torch.Tensor, degradation: Degradation) -> dict[str, float]:
    """Root mean square and largest |A x − y|, in HU."""
    error = degradation.apply(fine) - scan
    return {
        "rms_hu": round(float(error.double().square().mean().sqrt()), 3),
        "max_hu": round(float(error.abs().max()), 3),
    }
