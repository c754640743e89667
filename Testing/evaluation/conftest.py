"""A folder with a small CT, and volumes made of arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.volume.volume import Volume


@pytest.fixture
def volume() -> Callable[..., Volume]:
    """A volume of an array (z, y, x)."""

    def make(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
        return Volume(np.asarray(array, dtype=np.float32), spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))

    return make


@pytest.fixture(scope="session")
def cts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one chest, ``chest.nrrd``, of 16 x 24 x 24 voxels (z, y, x), 6 mm, and a file that is no CT."""
    from CTSuperResolutionLib.phantom import thorax
    from CTSuperResolutionLib.volume.writing import write_volume

    folder = tmp_path_factory.mktemp("cts")
    write_volume(thorax(shape=(16, 24, 24), spacing=6.0), folder / "chest.nrrd")
    (folder / "notes.txt").write_text("not a CT")
    return folder
