"""Point-spread functions along one axis, and the matrices with which they sample a finer row of voxels.

NumPy and SciPy only: the phantom in Slicer's process uses them, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

SIGMA_OF_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))
VARIANCE_OF_FWHM = {"gaussian": SIGMA_OF_FWHM**2, "triangle": 1 / 6, "box": 1 / 12}
FAMILIES = tuple(VARIANCE_OF_FWHM)


@dataclass(frozen=True)
class PointSpread:
    """A symmetric point-spread function of unit area.

    A helical scan's slice profile is near a triangle or a Gaussian (its interpolation), a sequential one's near a box;
    in the plane a Gaussian comes near most kernels.

    Attributes:
        family: "gaussian", "triangle" or "box".
        fwhm: full width at half maximum, mm.

    >>> PointSpread("triangle", 4.0).integral(np.array([-4.0, 0.0, 2.0])).tolist()
    [0.0, 0.5, 0.875]
    """

    family: str
    fwhm: float

    def __post_init__(self) -> None:
        if self.family not in FAMILIES or not (math.isfinite(self.fwhm) and self.fwhm > 0):
            raise ValueError(f"a point-spread function is one of {FAMILIES} with a positive width, not {self}")

    @property
    def variance(self) -> float:
        """Its second moment, mm²."""
        return VARIANCE_OF_FWHM[self.family] * self.fwhm**2

    def integral(self, distance: np.ndarray) -> np.ndarray:
        """Its integral from −∞ to ``distance`` mm: what it makes of a unit step, the edge-spread function."""
        t = np.asarray(distance, dtype=np.float64) / self.fwhm
        if self.family == "gaussian":
            return ndtr(t / SIGMA_OF_FWHM)
        if self.family == "box":
            return np.clip(t + 0.5, 0, 1)
        t = np.clip(t, -1, 1)
        return np.where(t < 0, (1 + t) ** 2 / 2, 1 - (1 - t) ** 2 / 2)


def psf_matrix(psf: PointSpread, coarse: tuple[int, float], fine: tuple[int, float], shift: float = 0.0) -> np.ndarray:
    """Sampling of fine voxels by a point-spread function at coarse centres, float64 (coarse, fine).

    A fine voxel is constant over its width. Beyond its ends the fine row repeats its last values, so every row of the
    matrix sums to one.

    Args:
        psf: the point-spread function.
        coarse, fine: number of voxels, and mm between their centres.
        shift: from the middle of the coarse row to that of the fine one, mm.
    """
    (rows, pitch), (columns, step) = coarse, fine
    centres = (np.arange(rows) - (rows - 1) / 2) * pitch
    faces = (np.arange(1, columns) - columns / 2) * step + shift
    below = np.hstack([np.zeros((rows, 1)), psf.integral(faces[None] - centres[:, None]), np.ones((rows, 1))])
    return np.diff(below, axis=1)
