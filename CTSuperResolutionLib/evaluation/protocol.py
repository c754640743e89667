"""Evaluation protocol: how a CT becomes a reference and a simulated scan of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.degradation.simulation import CLIP_HU, degrade
from CTSuperResolutionLib.errors import Advice, JobError, LowerScale, OtherOption
from CTSuperResolutionLib.volume.checks import MIN_SIDE
from CTSuperResolutionLib.volume.resampling import isotropic
from CTSuperResolutionLib.volume.volume import Volume

MAX_VOXELS = 1e9  # of a whole CT at the reference's spacing: 4 GB of float32
FINE_ENOUGH = 1.05  # spacing of a CT over that of its reference, at the most
MULTIPLE = 8  # sides are cut to it, so that 2, 4 and 8 are compared on the same voxels


@dataclass(frozen=True)
class EvaluationProtocol:
    """Simulation of a case from a CT, the same for every method.

    Attributes:
        iso_mm: spacing of the reference; 0 keeps the CT's grid.
        crop: most voxels of the reference along (z, y, x), around the middle.
        blur: σ of the scan's Gaussian blur, in voxels of the reference.
        noise_hu: standard deviation of the noise in the scan.
        seed: of that noise.
    """

    iso_mm: float
    crop: tuple[int, int, int]
    blur: float
    noise_hu: float
    seed: int

    def require_resolution(self, name: str, ct: Volume) -> None:
        """Check that a CT is as fine as the reference that is to be made of it: an upsampled one would be no truth.

        Raises:
            JobError: it is coarser along an axis; says so of the CT called ``name``.
        """
        coarsest = max(ct.spacing)
        if self.iso_mm and coarsest > FINE_ENOUGH * self.iso_mm:
            voxels = " x ".join(f"{s:g}" for s in ct.spacing)
            raise JobError(
                f"The CT {name} has voxels of {voxels} mm (z, y, x), so that a reference at {self.iso_mm:g} mm would "
                "be an upsampled one and no truth",
                OtherOption("iso", f"{{}} {math.ceil(100 * coarsest) / 100:g}"),
                OtherOption("iso", "{} 0, which keeps each CT's own voxels"),
                Advice("leave the CT out"),
            )

    def reference(self, ct: Volume) -> Volume:
        """The truth of a case: HU clipped, :func:`isotropic`, the middle of it.

        Raises:
            JobError: the whole CT would be too large at that spacing.
        """
        if self.iso_mm and np.prod(np.array(ct.shape) * ct.spacing / self.iso_mm) > MAX_VOXELS:
            there = " x ".join(map(str, ct.shape))
            raise JobError(
                f"A CT of {there} voxels (z, y, x) would have more than a billion voxels at {self.iso_mm:g} mm",
                OtherOption("iso", "a larger {}"),
            )
        hu = np.clip(ct.array, *CLIP_HU)
        spacing, steps = np.array(ct.spacing), np.ones(3)
        if self.iso_mm:
            hu = isotropic(hu, ct.spacing, self.iso_mm)
            steps = (np.array(ct.shape) - 1) / np.maximum(np.array(hu.shape) - 1, 1)  # CT voxels to a sample
            spacing = np.full(3, self.iso_mm)
        starts = [max(0, n // 2 - k // 2) for n, k in zip(hu.shape, self.crop, strict=True)]
        stops = [min(n, n // 2 + k // 2) for n, k in zip(hu.shape, self.crop, strict=True)]
        parts = (slice(a, a + (b - a) // MULTIPLE * MULTIPLE) for a, b in zip(starts, stops, strict=True))
        array = np.ascontiguousarray(hu[tuple(parts)], dtype=np.float32)
        dz, dy, dx = map(float, spacing)
        return Volume(array, (dz, dy, dx), ct.point(starts * steps), ct.direction)

    def scan(self, name: str, reference: Volume, factors: tuple[int, int, int]) -> tuple[Volume, Volume]:
        """The reference, cut at its ends to whole coarse voxels, and what a scanner would have seen of it.

        Raises:
            JobError: too little is left; says so of the CT called ``name``.
        """
        if any(n < MIN_SIDE * s for n, s in zip(reference.shape, factors, strict=True)):
            there = " x ".join(map(str, reference.shape))
            needed = " x ".join(str(MIN_SIDE * s) for s in factors)
            raise JobError(
                f"The CT {name} is too small: its reference has {there} voxels (z, y, x) and this scale needs {needed}",
                LowerScale(),
                OtherOption("crop", "a larger {}"),
                OtherOption("iso", "a finer {}"),
                Advice("leave the CT out"),
            )
        z, y, x = (slice(0, n // s * s) for n, s in zip(reference.shape, factors, strict=True))
        whole = reference.crop((z, y, x))
        return whole, degrade(whole, factors, blur=self.blur, noise_hu=self.noise_hu, seed=self.seed)
