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
        cubic: cubic upsampling of the scan as its file has it, HU, fine (z, y, x).
        share: of a result in what is given back, fine: 1 in coarse voxels that were measured, falling to 0 at the
            centres of those that were not.
    """

    measured: torch.Tensor
    cubic: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, coarse: torch.Tensor, valid: np.ndarray, axes: Sequence[TargetAxis]) -> Unmeasured:
        """The unmeasured part of a scan.

        Args:
            coarse: HU, as the file has it, (z, y, x). valid: bool, where a scanner measured. axes: fine
                voxels over them.
        """
        cubic = upsample_onto(coarse, axes)
        measured = torch.from_numpy(valid).to(coarse.device)
        # As if both had one box: of factors that are not whole the rim may lie off by a part of a fine voxel.
        mask = measured.to(coarse)[None, None]
        share = torch.nn.functional.interpolate(mask, cubic.shape, mode="trilinear").mul_(2).clamp_(max=1)
        # At its corners a measured voxel lies nearer to several others than to its own centre.
        inside = torch.nn.functional.interpolate(mask, cubic.shape, mode="nearest-exact")
        return cls(measured, cubic, torch.maximum(share, inside)[0, 0])

    def given_back(self, fine: torch.Tensor) -> torch.Tensor:
        """A result (HU, fine) with the cubic upsampling where nothing was measured."""
        return torch.lerp(self.cubic, fine, self.share)
