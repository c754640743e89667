"""Damping of what a scan says beyond its upsampling: sharp where there are details, no grain where it is flat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.upsampling import upsample_onto
from CTSuperResolutionLib.job.target_grid import TargetAxis

MOST_GROWTH = 1.05  # of noise in flat regions, over that of the cubic upsampling
NEIGHBOURHOOD = (3, 5, 5)  # voxels
NOISE_ENDS, DETAIL_BEGINS = 3.0, 7.0  # energy of a neighbourhood over that of noise
BLOCK = 24  # voxels along the sides of the noise that is drawn
STEP = 2**0.25  # between the dampings tried
MOST_DAMPING = 30.0


@dataclass(frozen=True)
class Damping:
    """λ of :meth:`Degradation.damped`, by what a place holds.

    Attributes:
        detail: where there are details.
        flat: where there is nothing but noise; what lies below ``detail`` is taken for it.
        floor: mean square of what a flat place says beyond its upsampling, HU², above zero.
    """

    detail: float
    flat: float = 0.0
    floor: float = 0.0

    def filter(self, degradation: Degradation, measurement: torch.Tensor, upsampled: torch.Tensor) -> torch.Tensor:
        """A measured coarse array without what would magnify its noise if it were asked of a fine one.

        Args:
            degradation: A. measurement: y, HU, coarse (z, y, x). upsampled: of y, HU, fine.
        """
        known = degradation.A(upsampled)
        beyond = measurement - known
        sharp = degradation.damped(beyond, self.detail)
        if self.flat <= self.detail:
            return known + sharp
        quiet = degradation.damped(beyond, self.flat)
        return known + torch.lerp(quiet, sharp, detail_share(beyond, self.floor))


def detail_share(beyond: torch.Tensor, floor: float) -> torch.Tensor:
    """How surely there is more than noise around every voxel, by the energy there: 0 to 1; same shape.

    Args:
        beyond: what a scan says beyond its upsampling, HU, (z, y, x). floor: its mean square where it is noise, HU².
    """
    energy = ndi.uniform_filter(beyond.cpu().numpy() ** 2, NEIGHBOURHOOD)
    share = np.clip((energy / floor - NOISE_ENDS) / (DETAIL_BEGINS - NOISE_ENDS), 0, 1)
    return torch.from_numpy(share).to(beyond)


def suitable_damping(noise: ScanNoise, block: Degradation, axes: Sequence[TargetAxis], least: float) -> Damping:
    """The damping that a scan's noise asks for.

    Details are damped as Wiener's ratio has it. In flat regions all that beyond the upsampling is noise: of noise as
    strong and as coloured that is drawn, no more may come out than MOST_GROWTH times what cubic upsampling makes of it.

    Args:
        noise: of the scan.
        block: A over a block of about BLOCK coarse voxels along each axis.
        axes: of that block. least: λ at the least.
    """
    detail = noise.damping(least)
    if noise.sd == 0:
        return Damping(detail)
    drawn = _coloured_noise([axis.size for axis in axes], noise)
    cubic = upsample_onto(drawn, axes)
    beyond = drawn - block.A(cubic)
    most = MOST_GROWTH * float(cubic.std())
    flat = detail
    while flat < MOST_DAMPING and float((cubic + block.A_smooth(block.damped(beyond, flat))).std()) > most:
        flat *= STEP
    return Damping(detail, flat, float(beyond.square().mean()))


def _coloured_noise(shape: Sequence[int], noise: ScanNoise) -> torch.Tensor:
    """Gaussian noise of a deviation and a correlation of neighbours along each axis, (z, y, x), HU.

    White noise smoothed by a Gaussian of σ voxels is correlated by exp(−1 / (4 σ²)) from one voxel to the next.
    """
    drawn = np.random.default_rng(0).normal(size=tuple(shape))
    for axis, correlation in enumerate(noise.correlation):
        if correlation > 0.05:
            drawn = ndi.gaussian_filter1d(drawn, 0.5 / math.sqrt(-math.log(correlation)), axis, mode="wrap")
    return torch.from_numpy((drawn * (noise.sd / drawn.std())).astype(np.float32))
