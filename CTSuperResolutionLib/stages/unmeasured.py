"""Unmeasured part of a scan, where its result is the cubic upsampling of what the file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from CTSuperResolutionLib.degradation.upsampling import upsample_onto, upsampled_slices
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
        """A result (HU, fine) with the cubic upsampling where nothing was measured, in its place.

        The result's share is 1 in voxels of the scan that were measured, and falls to 0 at the centres of others.
        """
        mask = self.measured.to(fine)
        for some, cubic in upsampled_slices(self.scan, self.axes):  # volumes are what limits the size of a job
            fine[some] = torch.lerp(cubic, fine[some], _share(mask, fine.shape, some))
        return fine


def _share(mask: torch.Tensor, shape: torch.Size, some: slice) -> torch.Tensor:
    """The share of a result in some fine slices, (n, y, x), of a coarse mask that is 1 where a scanner measured."""
    # As if both had one box: of factors that are not whole the rim may lie off by a part of a fine voxel.
    depth = len(mask)
    at = (torch.arange(shape[0], dtype=torch.float64)[some] + 0.5) * (depth / shape[0])
    below = (at - 0.5).clamp(0, depth - 1)
    lower, part = below.long(), below.frac().to(mask)[:, None, None]
    between = torch.lerp(mask[lower], mask[(lower + 1).clamp(max=depth - 1)], part)
    share = F.interpolate(between[:, None], shape[1:], mode="bilinear").mul_(2).clamp_(max=1)
    # At its corners a measured voxel lies nearer to several others than to its own centre.
    inside = F.interpolate(mask[at.long()][:, None], shape[1:], mode="nearest-exact")
    return torch.maximum(share, inside)[:, 0]
