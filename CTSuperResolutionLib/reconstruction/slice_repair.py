"""Slice repair: a slice fixer on the volume of a scan, held to what the scan says."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer
from CTSuperResolutionLib.job.events import Progress, WithinStep
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.fdk import filtered_backprojection
from CTSuperResolutionLib.reconstruction.iterative import OrderedSubsets


@dataclass(frozen=True, eq=False)
class SliceRepair:
    """Repair of volumes that were reconstructed from one scan.

    Attributes:
        fixer: what repairs. water: y, (views, v, u), mm of water. projector: A.
        views: what two of them show near each slice, as :func:`.biplanar_views` has it.
        sweeps: of SART, by which a repaired volume is brought back to the views.
        progress: asked now and then whether to go on.
    """

    fixer: SliceFixer
    water: torch.Tensor
    projector: Projector
    views: torch.Tensor
    sweeps: int
    progress: Progress = field(default_factory=Progress)

    @torch.no_grad()
    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """A volume x, (z, y, x), attenuation relative to water, with its slices repaired.

        Where the repaired volume x̂ explains less of the views than x does, it is taken as far as they allow: to
        x + t (x̂ − x) with the t of least ‖y − A(x + t (x̂ − x))‖.
        """
        steps = WithinStep(self.progress)
        before = self.water - self.projector.forward(volume, progress=steps)
        missing = filtered_backprojection(before, self.projector.geometry, self.projector.grid, steps)
        repaired = self.fixer.repair(volume, missing, self.views, steps)
        after = self.water - self.projector.forward(repaired, progress=steps)
        if after.norm() > before.norm():
            seen = before - after
            share = float((before * seen).sum() / seen.square().sum())
            repaired = volume + min(max(share, 0.0), 1.0) * (repaired - volume)
        if self.sweeps:
            subsets = OrderedSubsets(self.water, self.projector)
            for _ in range(self.sweeps):
                subsets.sweep(repaired, 1.0, steps)
        return repaired


@torch.no_grad()
def left_over(volume: torch.Tensor, water: torch.Tensor, projector: Projector) -> torch.Tensor:
    """What the views say beyond a volume: the filtered backprojection of y − A x, (z, y, x).

    Args:
        volume: x, (z, y, x), attenuation relative to water. water: y, (views, v, u), mm of water. projector: A.
    """
    return filtered_backprojection(water - projector.forward(volume), projector.geometry, projector.grid)
