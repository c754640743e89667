"""Spread of the error of a result: how large the error of every voxel is, relative to the others.

Three things that a result shows of itself go with its error, all of them along the axes that were refined: how steep it
is, how curved it is, and what it changed of the cubic upsampling. Each is taken as a root mean square over 3 × 3 × 3
voxels, and

    s² = (ν N)² + 1 + (30 g)²,   g = t (r² / 30²)^(β / 2),   r² = Σ a² φ² of the three φ, HU,

where N is the noise that slices as thin as the result's would have, which is in the truth and in no result, and t is
for what lung and bone have of structure that no thick slice shows. The numbers were fitted to the 90 % quantile of the
error on CTs of known truth, see Resources/Documentation/evaluation.md. s is right up to a factor of the scan's own,
which :mod:`.self_test` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

WINDOW = 3  # voxels along every axis
REACH = 4  # voxels that a voxel's spread depends on, to either side
LEAST_NOISE_HU = 1.0
GRADE_HU = 30.0


@dataclass(frozen=True)
class ErrorSpread:
    """The numbers of s.

    Attributes:
        noise: ν. steep, curved, changed: a of the three φ. power: β.
        lung, bone: t of lung and of bone; 1 elsewhere.
    """

    noise: float
    steep: float
    curved: float
    changed: float
    power: float
    lung: float
    bone: float

    def of(self, sr: np.ndarray, cubic: np.ndarray, refined: Sequence[int], noise_hu: float) -> np.ndarray:
        """s of every voxel, HU, float32 (z, y, x).

        Args:
            sr, cubic: the result and the cubic upsampling of the scan, HU, (z, y, x).
            refined: axes along which the result is finer than its scan.
            noise_hu: N, the standard deviation of the noise of slices as thin as the result's.
        """
        sr, cubic = sr.astype(np.float32), cubic.astype(np.float32)
        slopes = [_slope(sr, axis) for axis in refined]
        steep = sum((slope**2 for slope in slopes), np.float32(0))
        curved = sum((_slope(slope, axis) ** 2 for slope, axis in zip(slopes, refined, strict=True)), np.float32(0))
        del slopes
        squares = self.steep**2 * steep + self.curved**2 * curved + self.changed**2 * (sr - cubic) ** 2
        around = np.maximum(ndi.uniform_filter(squares, WINDOW, mode="nearest"), 0)
        lung, bone = lung_share(cubic), bone_share(cubic)
        grade = GRADE_HU * (around / GRADE_HU**2 + 1e-6) ** (self.power / 2) * self.lung**lung * self.bone**bone
        of_noise = (self.noise * max(noise_hu, LEAST_NOISE_HU)) ** 2
        return np.sqrt(of_noise + 1 + grade**2).astype(np.float32)


def lung_share(hu: np.ndarray) -> np.ndarray:
    """How far HU are those of aerated lung, 0 to 1."""
    return _sigmoid((-450 - hu) / 60) * _sigmoid((hu + 980) / 15)


def bone_share(hu: np.ndarray) -> np.ndarray:
    """How far HU are those of bone, 0 to 1."""
    return _sigmoid((hu - 250) / 50)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(x / 2)


def _slope(values: np.ndarray, axis: int) -> np.ndarray:
    """Difference a voxel along an axis; of what has no neighbours there is none."""
    return np.gradient(values, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values)
