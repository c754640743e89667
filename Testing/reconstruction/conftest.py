"""A small head-like object on a small grid, its scan, and folders that hold a scan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionLib.reconstruction.simulation import simulate
from CTSuperResolutionLib.reconstruction.writing import write_projections
from CTSuperResolutionLib.volume.volume import Volume


def ellipsoids(shape=(24, 40, 40), spacing=(2.0, 2.0, 2.0)) -> Volume:
    """An ellipsoid of water in air with a bony and an empty one inside, edges a voxel wide; HU."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    half = np.array(shape) * spacing / 2

    def soft(middle, radii):
        distance = np.sqrt(sum(((p - m) / r) ** 2 for p, m, r in zip((z, y, x), middle, radii, strict=True)))
        return np.clip((1 - distance) * min(radii) / spacing[0] + 0.5, 0, 1)

    relative = soft((0, 0, 0), 0.85 * half)
    relative = relative + 0.6 * soft((0.1 * half[0], 0.3 * half[1], -0.2 * half[2]), 0.2 * half)
    relative = relative - 0.8 * soft((-0.1 * half[0], -0.25 * half[1], 0.3 * half[2]), 0.3 * half)
    origin = tuple(-(n - 1) / 2 * s for n, s in zip(shape[::-1], spacing[::-1], strict=True))
    direction = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return Volume((1000 * (relative - 1)).astype(np.float32), spacing, origin, direction)


@pytest.fixture(scope="session")
def head() -> Volume:
    return ellipsoids()


@pytest.fixture(scope="session")
def scans(head):
    """Scans of it without noise, by beam."""
    return {beam: simulate(head, SimulatedScan(views=24, beam=beam, photons=0)) for beam in ("cone", "parallel")}


@pytest.fixture
def scan_folder(tmp_path: Path, scans) -> Callable[..., Path]:
    """A folder with a scan; the geometry's entries may be changed, with None taken out."""

    def write(scan: str = "cone", **changed) -> Path:
        write_projections(scans[scan], tmp_path, made={}, metadata={})
        path = tmp_path / "geometry.json"
        entries = json.loads(path.read_text()) | changed
        path.write_text(json.dumps({name: value for name, value in entries.items() if value is not None}))
        return tmp_path

    return write
