"""Data consistency: degrading a result has to give the scan back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from CTSuperResolutionLib.degradation.damping import Damping
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.checks import AIR_HU

METAL_HU = 3071.0  # the 12-bit ceiling of a CT; a scan that goes beyond raises it for its own result


@dataclass(frozen=True, eq=False)
class DataConsistency:
    """What a measured scan demands of a finer volume x: A x = y, as far as y stands out of its noise.

    Attributes:
        degradation: A, from fine to coarse.
        measurement: y, the scan, HU, coarse (z, y, x).
        filtered_measurement: y without what its noise forbids to sharpen, same shape.
        rounds: projected gradients of one :meth:`enforce`.
        measured: where y was measured, bool, same shape; elsewhere nothing is demanded. None where that is everywhere.
        highest: HU that matter may have; those of the measurement, and at least those of metal, where that is None.
    """

    degradation: Degradation
    measurement: torch.Tensor
    filtered_measurement: torch.Tensor
    rounds: int
    measured: torch.Tensor | None = None
    highest: float | None = None

    @classmethod
    def damped(
        cls,
        degradation: Degradation,
        measurement: torch.Tensor,
        upsampled: torch.Tensor,
        *,
        damping: Damping,
        rounds: int,
        measured: torch.Tensor | None = None,
        highest: float | None = None,
    ) -> DataConsistency:
        """Consistency with a noisy scan: what it says beyond its upsampling is damped.

        Args:
            degradation: A. measurement: y. upsampled: of y, HU, fine.
            damping: of what y says beyond that. rounds, measured, highest: see the class.
        """
        filtered = damping.filter(degradation, measurement, upsampled)
        return cls(degradation, measurement, filtered, rounds, measured, highest)

    @property
    def most(self) -> float:
        """HU that a consistent volume may have."""
        return self.highest or max(METAL_HU, float(self.filtered_measurement.max()))

    def enforce(self, fine: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """As :meth:`enforce_in_place`, of a copy."""
        return self.enforce_in_place(fine.clone(), progress)

    def enforce_in_place(self, fine: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """The volume nearest to ``fine`` (HU) that is consistent within the HU that matter can have, in its place.

        Projected gradients with Nesterov's momentum (FISTA), x between air and metal. With A⁺ the least rough inverse
        of A (:meth:`Degradation.A_smooth`) A⁺A is a projection, so the step is 1 and a plain step is x + A⁺(y − A x):
        the first one deblurs what was measured, and the bounds then take back its ringing beside air and metal. The
        bounds have the last word. ``progress`` advances by one a round.
        """
        highest = self.most
        previous, momentum = fine, 1.0
        along_axes = sum(a is not None for a in self.degradation.axes)
        for done in range(self.rounds):
            parts = (progress or Progress()).in_parts(along_axes + 2)
            missing = self.filtered_measurement - self.degradation.A(fine, parts)
            if self.measured is not None:
                missing *= self.measured
            # Two volumes and no more, for volumes are what limits the size of a job; the first step needs one.
            current = fine.clone() if fine is previous and done else fine
            current = self.degradation.add_A_smooth(current, missing, parts).clamp_(AIR_HU, highest)
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            share = (momentum - 1) / following
            fine = previous.mul_(-share).add_(current, alpha=1 + share) if share else current
            previous, momentum = current, following
            parts.advance()
        return previous


def residual_norms(parts: Iterable[torch.Tensor]) -> dict[str, float | None]:
    """Root mean square and largest of a measurement residual |A x − y|, in HU, as ``rms_hu`` and ``max_hu``.

    None for both where no voxel is judged.

    Args:
        parts: of the residual, of any shape, such as its slices.
    """
    count, squares, largest = 0, 0.0, 0.0
    for part in parts:
        if part.numel():
            count += part.numel()
            squares += float(part.double().square().sum())
            largest = max(largest, float(part.abs().max()))
    if not count:
        return {"rms_hu": None, "max_hu": None}
    return {"rms_hu": round(math.sqrt(squares / count), 3), "max_hu": round(largest, 3)}
