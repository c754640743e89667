"""Volumes made of arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from CTSuperResolutionLib.volume.volume import Volume


@pytest.fixture(scope="session")
def volume() -> Callable[..., Volume]:
    """A volume of an array (z, y, x), HU."""

    def make(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
        return Volume(np.asarray(array, np.float32), spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))

    return make
