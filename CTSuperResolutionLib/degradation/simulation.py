"""Simulation of low-resolution scans from better ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from CTSuperResolutionLib.degradation.data_consistency import METAL_HU
from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.checks import AIR_HU, MIN_SIDE
from CTSuperResolutionLib.volume.volume import Volume

CLIP_HU = (AIR_HU, METAL_HU)  # padding below air and metal above the CT scale would ring


def degrade(
    fine: Volume,
    factors: tuple[int, int, int],
    *,
    kernel: str = "lanczos",
    blur: float | Sequence[float] = 1.0,
    noise_hu: float = 0.0,
    seed: int = 0,
) -> Volume:
    """What a scanner would give whose voxels are ``factors`` = (z, y, x) times larger.

    Sides are cut at their ends to a multiple of the factors. Coarse voxel centres lie in the middle of the block of
    fine voxels that they stand for, so the origin moves by (factor - 1)/2 fine voxels along each axis.

    Args:
        fine: the better scan; its HU are clipped to CLIP_HU.
        factors: whole numbers, (z, y, x).
        kernel, blur: see :func:`~CTSuperResolutionLib.degradation.operator.make_degradation`; blur is in fine voxels.
        noise_hu: standard deviation of the white noise added to the coarse volume.
        seed: of that noise.

    Raises:
        JobError: too little would be left along an axis.
    """
    shape = tuple(n // s * s for n, s in zip(fine.shape, factors, strict=True))
    if any(n // s < MIN_SIDE for n, s in zip(fine.shape, factors, strict=True)):
        left = " x ".join(str(n // s) for n, s in zip(fine.shape, factors, strict=True))
        raise JobError(
            f"The scan would have {left} voxels (z, y, x) left and {MIN_SIDE} are needed along every axis; "
            "choose a lower scale."
        )
    array = np.clip(fine.array[tuple(slice(0, n) for n in shape)], *CLIP_HU)
    degradation = make_degradation(shape, factors, kernel=kernel, blur=blur)
    coarse = degradation.A(torch.from_numpy(array)).numpy()
    if noise_hu:
        coarse = coarse + np.random.default_rng(seed).normal(0, noise_hu, coarse.shape)
    dz, dy, dx = (d * s for d, s in zip(fine.spacing, factors, strict=True))
    origin = fine.point([(s - 1) / 2 for s in factors])
    return Volume(np.ascontiguousarray(coarse, dtype=np.float32), (dz, dy, dx), origin, fine.direction)
