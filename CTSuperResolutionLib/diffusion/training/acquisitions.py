"""Acquisitions drawn as scanners make them: factors, point-spread functions and noise of training volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.acquisition import (
    NOT_SHIFTED,
    BlockMeanSampling,
    LanczosSampling,
    PointSpreadSampling,
    SamplingKernel,
    degradation_of,
)
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.point_spread import PointSpread

T = TypeVar("T")
Factors = tuple[int, int, int]
Kernels = tuple[SamplingKernel, SamplingKernel, SamplingKernel]

PROTOCOL_SHARE = 0.4  # of the paper's acquisitions; of those MEAN_SHARE are block means
MEAN_SHARE = 0.15
PROTOCOL_FACTORS: tuple[tuple[float, Factors], ...] = (
    (3.0, (4, 4, 4)),
    (3.0, (8, 8, 8)),
    (0.6, (2, 2, 2)),
    (0.6, (3, 3, 3)),
    (0.6, (4, 1, 1)),
    (0.6, (5, 1, 1)),
)
ISOTROPIC = ((0.1, 2), (0.15, 3), (0.35, 4), (0.1, 5), (0.1, 6), (0.2, 8))
# Full width at half maximum over spacing: slices from gaps to overlap, and kernels from sharp to soft.
SLICE_WIDTHS, PIXEL_WIDTHS = (0.6, 1.6), (0.7, 1.5)
SLICE_FAMILIES = ((0.4, "triangle"), (0.35, "gaussian"), (0.25, "box"))
PIXEL_FAMILIES = ((0.8, "gaussian"), (0.1, "triangle"), (0.1, "box"))
MISJUDGED = 0.1  # log-normal deviation of the width that a scan is taken to have
FAMILY_KNOWN = 0.7
NOISY_SHARE, NOISIEST_HU = 0.4, 30.0
GRAINS = (0.4, 0.9)  # σ of the noise's correlation in voxels, where it has any


@dataclass(frozen=True)
class DrawnAcquisition:
    """One way to acquire a volume; lengths are in fine voxels.

    Attributes:
        factors: (z, y, x). true: what blurs and samples along each axis. assumed: what the method takes it to be.
        noise_hu: standard deviation of the scan's noise. grain: σ of its correlation in coarse voxels, (z, y, x).
    """

    factors: Factors
    true: Kernels
    assumed: Kernels
    noise_hu: float
    grain: tuple[float, float, float]

    def scan(self, truth: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """What the scanner gives of a volume (z, y, x) in HU whose sides the factors divide."""
        scan = self._degradation(self.true, truth.shape).A(truth)
        if self.noise_hu:
            noise = ndi.gaussian_filter(rng.standard_normal(scan.shape, dtype=np.float32), self.grain)
            scan = scan + torch.from_numpy(noise * np.float32(self.noise_hu / noise.std()))
        return scan

    def assumed_degradation(self, shape: tuple[int, ...]) -> Degradation:
        """A as the method takes it to be, from volumes of a shape."""
        return self._degradation(self.assumed, shape)

    def _degradation(self, kernels: Kernels, shape: tuple[int, ...]) -> Degradation:
        coarse = [(n // s, float(s)) for n, s in zip(shape, self.factors, strict=True)]
        return degradation_of(kernels, coarse, [(n, 1.0) for n in shape], NOT_SHIFTED)


def draw_acquisition(rng: np.random.Generator, *, planar: bool = False) -> DrawnAcquisition:
    """An acquisition at random: two of five are the paper's, the others as scanners make them.

    Args:
        rng: draws it.
        planar: leave the slices of a volume apart: only rows and columns are blurred and sampled.
    """
    if rng.random() < PROTOCOL_SHARE:
        factors, true, assumed = _protocol(rng, planar)
    else:
        factors, true, assumed = _scanner(rng, planar)
    noise_hu, grain = 0.0, (0.0, 0.0, 0.0)
    if rng.random() < NOISY_SHARE:
        noise_hu = float(rng.uniform(0, NOISIEST_HU))
        if rng.random() < 0.5:
            in_plane = float(rng.uniform(*GRAINS))
            grain = (0.0 if planar else float(rng.uniform(0, GRAINS[0])), in_plane, in_plane)
    return DrawnAcquisition(factors, true, assumed, noise_hu, grain)


def _protocol(rng: np.random.Generator, planar: bool) -> tuple[Factors, Kernels, Kernels]:
    factors = _chosen(PROTOCOL_FACTORS, rng)
    if planar:
        factors = (1, factors[0], factors[1])
    if rng.random() < MEAN_SHARE:
        mean = BlockMeanSampling()
        return factors, (mean,) * 3, (mean,) * 3
    true = [LanczosSampling(min(1.0, s / 4) * float(np.exp(rng.normal(0, MISJUDGED)))) for s in factors]
    return factors, (true[0], true[1], true[2]), (LanczosSampling(1.0),) * 3


def _scanner(rng: np.random.Generator, planar: bool) -> tuple[Factors, Kernels, Kernels]:
    factors = _planar_factors(rng) if planar else _volume_factors(rng)
    through = _chosen(SLICE_FAMILIES, rng), _log_uniform(rng, *SLICE_WIDTHS)
    in_plane = _chosen(PIXEL_FAMILIES, rng), _log_uniform(rng, *PIXEL_WIDTHS)
    if planar:  # rows or columns stand for the slices of a volume
        profiles = [in_plane, *((through, in_plane) if rng.random() < 0.5 else (in_plane, through))]
    else:
        profiles = [through, in_plane, in_plane]
    true = [PointSpread(family, width * s) for (family, width), s in zip(profiles, factors, strict=True)]
    known, errors = rng.random() < FAMILY_KNOWN, np.exp(rng.normal(0, MISJUDGED, 2))
    assumed = [
        PointSpread(psf.family if known else "gaussian", psf.fwhm * float(errors[int(profile is in_plane)]))
        for psf, profile in zip(true, profiles, strict=True)
    ]
    first, second, third = map(PointSpreadSampling, true)
    one, other, last = map(PointSpreadSampling, assumed)
    return factors, (first, second, third), (one, other, last)


def _volume_factors(rng: np.random.Generator) -> Factors:
    kind = rng.random()
    if kind < 0.45:
        factor = _chosen(ISOTROPIC, rng)
        return factor, factor, factor
    if kind < 0.75:
        return int(rng.integers(2, 9)), 1, 1
    in_plane = int(rng.integers(2, 5))
    return int(rng.integers(in_plane + 1, 9)), in_plane, in_plane


def _planar_factors(rng: np.random.Generator) -> Factors:
    kind = rng.random()
    if kind < 0.55:
        factor = _chosen(ISOTROPIC, rng)
        return 1, factor, factor
    if kind < 0.85:
        rows, columns = rng.permutation([int(rng.integers(2, 9)), 1])
    else:
        rows, columns = rng.integers(2, 9, 2)
    return 1, int(rows), int(columns)


def _chosen(table: Sequence[tuple[float, T]], rng: np.random.Generator) -> T:
    shares = np.array([share for share, _ in table])
    return table[rng.choice(len(table), p=shares / shares.sum())][1]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
