"""Unmeasured part of a scan, where its result is the cubic upsampling of what the file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.upsampling import upsample


@dataclass(frozen=True, eq=False)
class Unmeasured:
    """What no scanner measured: padding, masks and saturated metal.

    Attributes:
        measured: bool, where a scanner did, coarse (z, y, x).
        cubic: cubic upsampling of the scan as its file has it, HU, fine (z, y, x).
        share: of a result in what is given back, fine: 1 where it was measured, falling to 0 within one coarse voxel
            around.
    """

    measured: torch.Tensor
    cubic: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, coarse: torch.Tensor, valid: np.ndarray, scale: Sequence[int]) -> Unmeasured:
        """The unmeasured part of a scan.

        Args:
            coarse: HU, as the file has it, (z, y, x). valid: bool, where a scanner measured. scale: factors.
        """
        cubic = upsample(coarse, scale)
        around = torch.from_numpy(ndi.maximum_filter(valid, 3)).to(coarse)
        share = torch.nn.functional.interpolate(around[None, None], cubic.shape, mode="trilinear")[0, 0]
        return cls(torch.from_numpy(valid).to(coarse.device), cubic, share)

    def given_back(self, fine: torch.Tensor) -> torch.Tensor:
        """A result (HU, fine) with the cubic upsampling where nothing was measured."""
        return torch.lerp(self.cubic, fine, self.share)
