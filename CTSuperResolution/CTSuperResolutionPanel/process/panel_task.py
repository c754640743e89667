"""One job as the panel orders it: which part of which volume, and by what method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from CTSuperResolutionLib.job.job import JobSpec
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges, refined, triple


@dataclass(frozen=True)
class Method:
    """How to super-resolve: the part of a job that a user tunes, as a :class:`JobSpec` has it."""

    scale: str
    preset: str
    device: str = "auto"
    prior: str = DEFAULT_PRIOR
    seed: int = 0
    allow_unusual: bool = False
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def spec(self, input: Path | str = "-", output: Path | str = "-") -> JobSpec:
        """The job for those files.

        Raises:
            JobError: it is not allowed.
        """
        names = ("scale", "preset", "device", "prior", "seed", "allow_unusual")
        chosen = {name: getattr(self, name) for name in names}
        return JobSpec(str(input), str(output), settings=dict(self.settings), **chosen)


@dataclass(frozen=True)
class PanelTask:
    """What to do with which volume.

    Attributes:
        volume_id, volume_name: the node of the scan.
        ranges: the part of it to work on.
        method: how.
        preview: a small cube around the crosshair, not a whole run.
    """

    volume_id: str
    volume_name: str
    ranges: VoxelRanges
    method: Method
    preview: bool = False

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
