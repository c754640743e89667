"""Task of one scan with few views: which part of which CT, how it is scanned again, and what reconstructs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.reconstruction.cost import stage_seconds
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges, spacing, triple

MULTIPLE = 8
"""What ``ctsr simulate`` cuts a side's number of voxels to."""

SIMULATE = "simulate"
"""The first step of a task; the others are its methods."""


@dataclass(frozen=True)
class ViewsGrid:
    """The voxels that a part of a CT is brought to, which are scanned and reconstructed.

    Attributes:
        millimetres: between two voxels, along every axis.
        shape: voxels (z, y, x).
        to_part: 4 x 4, from their indices (x, y, z) to those of the part. As samples go from the first to the last
            voxel centre, they lie a little less than a voxel farther apart over all of the part than they are said to.
    """

    millimetres: float
    shape: tuple[int, int, int]
    to_part: np.ndarray

    @classmethod
    def of(cls, part: tuple[int, int, int], spacing: tuple[float, float, float], longest: int) -> ViewsGrid:
        """The grid of about so many voxels along the longest side, no finer than the CT.

        Args:
            part: voxels of the CT, (z, y, x). spacing: their distance, mm (z, y, x). longest: voxels to have.

        Raises:
            JobError: a side is too thin for it.
        """
        lengths = np.array(part) * spacing
        millimetres = float(f"{max(lengths.max() / longest, min(spacing)):.4g}")
        # As ``ctsr simulate`` does: all of it at that spacing, and of that the middle, cut to a multiple.
        there = [round(n * (s / millimetres)) for n, s in zip(part, spacing, strict=True)]
        shape = triple(n // MULTIPLE * MULTIPLE for n in there)
        if min(shape) == 0:
            problem = _("A side has fewer than {count} voxels of {size:.3g} mm; choose a larger part or more detail.")
            raise JobError(problem.format(count=MULTIPLE, size=millimetres))
        steps = [(n - 1) / (m - 1) for n, m in zip(part, there, strict=True)]
        first = [step * (m // 2 - n // 2) for step, m, n in zip(steps, there, shape, strict=True)]
        to_part = np.diag([*steps[::-1], 1.0])
        to_part[:3, 3] = first[::-1]
        return cls(millimetres, shape, to_part)

    @property
    def volume_grid(self) -> VolumeGrid:
        """The same for the library."""
        return VolumeGrid(self.shape, (self.millimetres,) * 3)


@dataclass(frozen=True)
class ViewsTask:
    """What to scan again, and how.

    Attributes:
        volume_id, volume_name: the node of the CT. ranges: the part of it.
        scan: how it is scanned. voxels: of the longest side, about.
        methods: names of the library's methods of reconstruction.
        device: that they are computed on.
        allow_unusual: go on where the part does not look like a CT.
    """

    volume_id: str
    volume_name: str
    ranges: VoxelRanges
    scan: SimulatedScan
    voxels: int
    methods: tuple[str, ...]
    device: str = "auto"
    allow_unusual: bool = False

    def grid(self, placement: ScanPlacement) -> ViewsGrid:
        """The voxels that are reconstructed.

        Raises:
            JobError: the part is too thin.
        """
        part = triple(stop - start for start, stop in self.ranges)
        return ViewsGrid.of(part, spacing(placement.ijk_to_ras), self.voxels)

    def stage_seconds(self, grid: ViewsGrid) -> dict[str, dict[str, float]]:
        """What the library expects of every step of the task: seconds of its stages on a plain computer.

        Raises:
            JobError: the part reaches too near the source.
        """
        geometry = self.scan.geometry(grid.volume_grid)
        expected = {
            name: stage_seconds(ReconstructionMethod(name, device=self.device), geometry, grid.volume_grid)
            for name in ("fdk", *self.methods)
        }
        # The CT is projected as any result is, to be compared with the views.
        simulated = {"project": expected["fdk"]["compare"]}
        return {SIMULATE: simulated, **{name: expected[name] for name in self.methods}}
