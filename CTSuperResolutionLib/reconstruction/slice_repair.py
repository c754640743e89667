"""Slice repair: a slice fixer on the volume of a scan, held to what the scan says."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch

from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer
from CTSuperResolutionLib.job.events import Progress, WithinStep
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.fdk import filtered_backprojection
from CTSuperResolutionLib.reconstruction.iterative import OrderedSubsets, smooth_sweeps

SMOOTH_SHARE = 0.1  # of what the first sweep after a repair changes, that a step down the total variation is long


@dataclass(frozen=True, eq=False)
class SliceRepair:
    """Repair of volumes that were reconstructed from one scan.

    Attributes:
        fixer: what repairs; None for sweeps alone. water: y, (views, v, u), mm of water. projector: A.
        views: what two of them show near each slice, as :func:`.biplanar_views` has it.
        rounds: how often in turn slices are repaired and the volume is brought back to the views.
        sweeps: of SART over the views, each followed by steps down the total variation, by which that is done; and as
            many without those steps at the end.
        progress: asked now and then whether to go on.
    """

    fixer: SliceFixer | None
    water: torch.Tensor
    projector: Projector
    views: torch.Tensor
    rounds: int
    sweeps: int
    progress: Progress = field(default_factory=Progress)

    @torch.no_grad()
    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """A volume x, (z, y, x), attenuation relative to water, with its slices repaired.

        Where the first repaired volume x̂ explains less of the views than x does, the fixer does not know such slices.
        Then each is taken as far as the views allow: to x + t (x̂ − x) with the t of least ‖y − A(x + t (x̂ − x))‖.
        Otherwise all are taken whole: what was brought back to the views explains them better than any repair of it,
        which says nothing of what the views do not see.
        """
        volume, trusted, steps = volume.clone(), True, WithinStep(self.progress)
        for number in range(self.rounds):
            if self.fixer is not None:
                repaired, share = self._repaired(volume, self.fixer, steps)
                trusted = trusted and (number > 0 or share >= 1)
                volume = repaired if trusted else volume + share * (repaired - volume)
            smooth_sweeps(self._subsets, volume, rounds=self.sweeps, share=SMOOTH_SHARE, progress=steps)
        for _ in range(self.sweeps if self.rounds else 0):
            self._subsets.sweep(volume, 1.0, steps)
        return volume

    def _repaired(self, volume: torch.Tensor, fixer: SliceFixer, steps: Progress) -> tuple[torch.Tensor, float]:
        """A repaired volume, and how much of the change the views bear: 1 where they are explained no worse by it."""
        before = self.water - self.projector.forward(volume, progress=steps)
        missing = filtered_backprojection(before, self.projector.geometry, self.projector.grid, steps)
        repaired = fixer.repair(volume, missing, self.views, steps)
        after = self.water - self.projector.forward(repaired, progress=steps)
        if after.norm() <= before.norm():
            return repaired, 1.0
        seen = before - after
        return repaired, min(max(float((before * seen).sum() / seen.square().sum()), 0.0), 1.0)

    @cached_property
    def _subsets(self) -> OrderedSubsets:
        return OrderedSubsets(self.water, self.projector)


@torch.no_grad()
def left_over(volume: torch.Tensor, water: torch.Tensor, projector: Projector) -> torch.Tensor:
    """What the views say beyond a volume: the filtered backprojection of y − A x, (z, y, x).

    Args:
        volume: x, (z, y, x), attenuation relative to water. water: y, (views, v, u), mm of water. projector: A.
    """
    return filtered_backprojection(water - projector.forward(volume), projector.geometry, projector.grid)
