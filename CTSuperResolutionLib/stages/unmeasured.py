"""Unmeasured part of a scan, where its result is the cubic upsampling of what the file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from CTSuperResolutionLib.degradation.upsampling import upsample_onto
from CTSuperResolutionLib.job.target_grid import TargetAxis


@dataclass(frozen=True, eq=False)
class Unmeasured:
    """What no scanner measured: padding, masks and saturated metal.

    Attributes:
        measured: bool, where a scanner did, coarse (z, y, x).
        scan: HU, as the file has it, coarse.
        axes: fine voxels over them.
    """

    measured: torch.Tensor
    scan: torch.Tensor
    axes: Sequence[TargetAxis]

    @classmethod
    def of(cls, coarse: torch.Tensor, valid: np.ndarray, axes: Sequence[TargetAxis]) -> Unmeasured:
        """The unmeasured part of a scan: see the class; ``valid`` is where a scanner measured."""
        return cls(torch.from_numpy(valid).to(coarse.device), coarse, axes)

    @property
    def cubic(self) -> torch.Tensor:
        """Cubic upsampling of the scan as its file has it, HU, fine. Made anew every time: it is needed at the end."""
        return upsample_onto(self.scan, self.axes)

    def given_back(self, fine: torch.Tensor) -> torch.Tensor:
        """A result (HU, fine) with the cubic upsampling where nothing was measured.

        The result's share is 1 in voxels of the scan that were measured, and falls to 0 at the centres of others.
        """
        # As if both had one box: of factors that are not whole the rim may lie off by a part of a fine voxel.
        mask = self.measured.to(fine)[None, None]
        share = torch.nn.functional.interpolate(mask, fine.shape, mode="trilinear").mul_(2).clamp_(max=1)
        # At its corners a measured voxel lies nearer to several others than to its own centre.
        inside = torch.nn.functional.interpolate(mask, fine.shape, mode="nearest-exact")
        return torch.lerp(self.cubic, fine, torch.maximum(share, inside)[0, 0])
