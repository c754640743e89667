"""Scores of a reconstruction from few views, on the scale that papers on them have: HU from −1000 to 1000."""

from __future__ import annotations

import math

import numpy as np
from skimage.metrics import structural_similarity

from CTSuperResolutionLib.evaluation.metrics import PLANES, slice_step_error
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.volume import Volume

RANGE_HU = (-1000.0, 1000.0)
MOST_DB = 200.0  # of equal volumes, whose ratio is infinite


def sparse_view_scores(volume: Volume, reference: Volume) -> dict[str, float]:
    """PSNR in dB, SSIM of axial slices and in 3D (7³ windows) on [0, 1] over −1000 to 1000 HU; slice-step error in HU.

    Args:
        volume, reference: HU on one grid.
    """
    ours, theirs = (to_unit(v.array, RANGE_HU) for v in (volume, reference))
    error = float(np.mean(np.square(ours - theirs), dtype=np.float64))
    window = min(7, *(n - 1 + n % 2 for n in ours.shape))
    pairs = zip(ours, theirs, strict=True)
    return {
        "psnr_db": min(-10 * math.log10(error), MOST_DB) if error else MOST_DB,
        "ssim": float(np.mean([structural_similarity(a, b, data_range=1.0, win_size=window) for a, b in pairs])),
        "ssim_3d": float(structural_similarity(ours, theirs, data_range=1.0, win_size=window)),
        "slice_step_hu": float(np.mean([slice_step_error(volume, reference, plane) for plane in PLANES])),
    }
