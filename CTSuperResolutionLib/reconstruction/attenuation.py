"""Attenuation: linear coefficients per mm, relative to water, and Hounsfield units."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch

WATER_PER_MM = 0.02
"""Attenuation of water per mm at about 65 keV, a CT beam's mean energy (NIST XCOM: 0.0206 at 60, 0.0193 at 70)."""

Array = TypeVar("Array", np.ndarray, torch.Tensor)


def relative_to_water(hu: Array) -> Array:
    """HU as attenuation relative to water, 1 + HU/1000; below vacuum there is nothing."""
    return (1 + hu / 1000).clip(min=0)


def hounsfield(relative: Array) -> Array:
    """Attenuation relative to water as HU."""
    return 1000 * (relative - 1)
