"""Range-space of a degradation: the part of a view that the detector measures, and DDNM+'s weights of it."""

from __future__ import annotations

import math

import numpy as np
import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.separable import apply_along_axes


class RangeSpace:
    """Coordinates in which A = U S Vᵀ is diagonal: c = Vᵀ x, one per measured pattern of the detector.

    With it eq. 1 and 2 need no matrix of a whole image: A† y = V S⁻¹ Uᵀ y and A†A x = V Vᵀ x, each a small matrix
    along v and one along u.
    """

    def __init__(self, degradation: Degradation, like: torch.Tensor) -> None:
        parts = [None if axis is None else axis.svd for axis in degradation.axes]
        self._left = [part and part[0].T for part in parts]
        self._right = [part and part[2] for part in parts]
        # An untouched axis is measured as it is: singular value 1 everywhere.
        values = [np.ones(n) if p is None else p[1] for p, n in zip(parts, like.shape[-2:], strict=True)]
        self.singular_values = torch.as_tensor(np.multiply.outer(*values)).to(like)

    def coordinates(self, fine: torch.Tensor) -> torch.Tensor:
        """Vᵀ x of fine views (n, v, u)."""
        return apply_along_axes(self._right, fine)

    def measured(self, coarse: torch.Tensor) -> torch.Tensor:
        """Vᵀ A† y = S⁻¹ Uᵀ y of coarse views: where the coordinates have to be."""
        return apply_along_axes(self._left, coarse) / self.singular_values

    def synthesize(self, coordinates: torch.Tensor) -> torch.Tensor:
        """V c: the part of fine views that A can see."""
        return apply_along_axes([m if m is None else m.T for m in self._right], coordinates)


def ddnm_plus_weights(
    singular_values: torch.Tensor, a: float, sigma: float, eta: float, sigma_y: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Λ and the standard deviation of the noise to add, per singular value (DDNM+, eq. 17-19 and its appendix).

    The measured coordinate carries noise σ_y/s. Scaled by a it must not exceed σ, the noise x_{t−1} is to have:
    where it would, only a part λ = σ √(1 − η²) / (a σ_y / s) of the correction is made.
    """
    carried = a * sigma_y / singular_values
    enough = sigma >= carried
    weight = torch.where(enough, torch.ones_like(carried), sigma * math.sqrt(1 - eta**2) / carried.clamp(min=1e-20))
    left = (sigma**2 - carried.square()).clamp(min=0).sqrt()
    return weight, torch.where(enough, left, torch.full_like(carried, eta * sigma))
