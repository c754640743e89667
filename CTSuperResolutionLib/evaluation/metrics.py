"""Metrics: PSNR and SSIM as the paper has them, and the same in 3D and along every axis.

Planes are named as on an upright grid: axial slices lie along z, coronal ones along y, sagittal ones along x.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.volume import Volume

PLANES = ("axial", "coronal", "sagittal")


def psnr(volume: Volume, truth: Volume) -> float:
    """Peak signal-to-noise ratio in dB over all voxels, on the [0, 1] scale of HU_RANGE; infinite for equal volumes."""
    error = np.mean(np.square(to_unit(volume.array) - to_unit(truth.array)), dtype=np.float64)
    return float(10 * np.log10(1 / error)) if error > 0 else float("inf")


def ssim(volume: Volume, truth: Volume, plane: str = "axial") -> float:
    """Structural similarity on the same scale, of the slices of a plane (7 x 7 windows), averaged."""
    ours, theirs = (np.moveaxis(to_unit(v.array), PLANES.index(plane), 0) for v in (volume, truth))
    pairs = zip(ours, theirs, strict=True)
    return float(np.mean([structural_similarity(a, b, data_range=1.0) for a, b in pairs]))


def ssim_3d(volume: Volume, truth: Volume) -> float:
    """Structural similarity on the same scale, in windows of 7 x 7 x 7 voxels."""
    return float(structural_similarity(to_unit(volume.array), to_unit(truth.array), data_range=1.0))


def slice_step_error(volume: Volume, truth: Volume, plane: str) -> float:
    """Error of a volume's change from slice to slice: mean |(x[k+1] − x[k]) − (t[k+1] − t[k])| in HU."""
    error = volume.array - truth.array
    return float(np.mean(np.abs(np.diff(error, axis=PLANES.index(plane))), dtype=np.float64))
