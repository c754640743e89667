"""Noise estimation of a scan, and the damping of its sharpening that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

INSIDE_HU = -950.0  # below is air, where a scanner's noise is clipped
QUIETEST = 0.1  # share of the neighbourhoods that are taken to hold nothing but noise
QUIETEST_IS_LOW = 1.45  # noise over that quantile of its local estimates, of white noise added to real CTs
DAMPING_OF_RATIO = 0.4  # best damping over noise/content, of real CTs with 0 to 30 HU of noise added


@dataclass(frozen=True)
class ScanNoise:
    """What a scan varies by from voxel to voxel, in HU.

    Attributes:
        noise: standard deviation of its noise. content: root mean square of what its second differences hold beyond
            that.
    """

    noise: float
    content: float

    def damping(self, least: float) -> float:
        """λ of :meth:`Degradation.trusted` for that noise: Wiener's ratio of noise to content, at least ``least``."""
        return max(least, DAMPING_OF_RATIO * min(1.0, self.noise / max(self.content, 1e-6)) if self.noise else 0.0)


def scan_noise(scan: np.ndarray) -> ScanNoise:
    """Estimate the noise of a scan.

    Second differences along all axes leave little of an image and the whole of white noise (Immerkær, 1996); where
    their root mean square over 3 × 3 × 3 voxels is least there is no image at all.

    Args:
        scan: HU, (z, y, x).

    Returns:
        No noise where a scan has fewer than three slices, rows or columns, nothing but air, or one value in most of
        the body.
    """
    if min(scan.shape) < 3:
        return ScanNoise(0.0, 0.0)
    differences = scan.astype(np.float32)
    for axis in range(scan.ndim):
        differences = ndi.correlate1d(differences, [1, -2, 1], axis) / 6**0.5
    local = np.maximum(ndi.uniform_filter(differences**2, 3), 0)
    # Padding has one value everywhere, which says nothing about noise; nor does a neighbourhood that is partly so.
    body = scan > INSIDE_HU
    inside = local[body & ~ndi.maximum_filter(local <= 1e-4, 5)]
    if 2 * inside.size <= np.count_nonzero(body):
        return ScanNoise(0.0, 0.0)
    noise = QUIETEST_IS_LOW * float(np.quantile(inside, QUIETEST)) ** 0.5
    return ScanNoise(noise, max(float(inside.mean()) - noise**2, 0.0) ** 0.5)
