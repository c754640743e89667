"""One job as the panel orders it: which part of which volume, and by what method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges, refined, triple


@dataclass(frozen=True)
class PanelTask:
    """What to do with which volume.

    Attributes:
        volume_id, volume_name: the node of the scan.
        ranges: the part of it to work on.
        method: how.
        preview: a small cube around the crosshair, not a whole run.
        allow_unusual: go on where the volume does not look like a CT.
    """

    volume_id: str
    volume_name: str
    ranges: VoxelRanges
    method: Method
    preview: bool = False
    allow_unusual: bool = False

    def job(self, input: Path, output: Path) -> Job:
        """The job on a file that holds the part to work on."""
        return Job(self.method, str(input), str(output), allow_unusual=self.allow_unusual)

    @property
    def region(self) -> Slices:
        """The part to work on, as three slices."""
        z, y, x = (slice(*pair) for pair in self.ranges)
        return z, y, x

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) to work on."""
        return triple(stop - start for start, stop in self.ranges)

    @property
    def voxels(self) -> int:
        """Their number."""
        return math.prod(self.shape)

    def part(self, ijk_to_ras: np.ndarray) -> np.ndarray:
        """The matrix of the part that is worked on, given that of the whole volume."""
        return refined(ijk_to_ras, [start for start, _ in self.ranges], (1, 1, 1))
