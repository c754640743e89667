"""The last word belongs to the scan: degrading the result has to give it back."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.volume.checks import AIR_HU

METAL_HU = 3071.0  # the 12-bit ceiling of a CT; a scan that goes beyond raises it for its own result


def agree_with_scan(fine: torch.Tensor, scan: torch.Tensor, degradation: Degradation, *, rounds: int) -> torch.Tensor:
    """The fine volume nearest to agreeing with the scan within the HU that matter can have.

    Projected gradients with Nesterov's momentum (FISTA) on ½‖A†(y − A x)‖², x between air and metal. A†A is an
    orthogonal projection, so the step is 1 and a plain step is x + A†(y − A x): the first one deblurs what was
    measured, and the bounds then take back its ringing beside air and metal. What A cannot see changes only there.

    Args:
        fine: HU, (z, y, x).
        scan: y, HU, coarse.
        degradation: A from fine to coarse.
        rounds: number of steps; the bounds have the last word.
    """
    highest = max(METAL_HU, float(scan.max()))
    previous, momentum = fine, 1.0
    for _ in range(rounds):
        current = degradation.consistent(fine, scan).clamp_(AIR_HU, highest)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        fine = current + (momentum - 1) / following * (current - previous)
        previous, momentum = current, following
    return previous


def disagreement(fine: torch.Tensor, scan: torch.Tensor, degradation: Degradation) -> dict[str, float]:
    """Root mean square and largest |A x − y|, in HU."""
    error = degradation.apply(fine) - scan
    return {
        "rms_hu": round(float(error.double().square().mean().sqrt()), 3),
        "max_hu": round(float(error.abs().max()), 3),
    }
