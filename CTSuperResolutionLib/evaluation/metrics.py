"""The figures that the paper counts."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.volume import Volume


def psnr(volume: Volume, truth: Volume) -> float:
    """Peak signal-to-noise ratio in dB over all voxels, on the [0, 1] scale of HU_RANGE; infinite for equal volumes."""
    error = np.mean(np.square(to_unit(volume.array) - to_unit(truth.array)), dtype=np.float64)
    return float(10 * np.log10(1 / error)) if error > 0 else float("inf")


def ssim(volume: Volume, truth: Volume) -> float:
    """Structural similarity on the same scale, of axial slices (7 x 7 windows), averaged."""
    pairs = zip(to_unit(volume.array), to_unit(truth.array), strict=True)
    return float(np.mean([structural_similarity(ours, theirs, data_range=1.0) for ours, theirs in pairs]))
