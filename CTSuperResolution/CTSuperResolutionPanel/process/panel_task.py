"""One job as the panel orders it: which part of which volume, and by what method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import Slices, region_slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.planning.margin import with_margin, within
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges, spacing, triple

SKETCH_MARGIN = 2
"""Most voxels of the scan on each side of a sketch: its outermost slices are less exact, in a third of the time."""


@dataclass(frozen=True)
class PanelTask:
    """What to do with which volume.

    Attributes:
        volume_id, volume_name: the node of the scan.
        ranges: the part of it to work on.
        method: how.
        preview: a small cube around the crosshair, not a whole run.
        sketch: a preview by what is quickest, which the next one takes the place of.
        allow_unusual: go on where the volume does not look like a CT.
    """

    volume_id: str
    volume_name: str
    ranges: VoxelRanges
    method: Method
    preview: bool = False
    allow_unusual: bool = False
    sketch: bool = False

    def exported(self, scan: ScanPlacement) -> Slices:
        """The part of the scan that the job gets: the part to work on, with its margin.

        With factors that are not whole the scan's extent decides where the voxels of its result are: then it is all.

        Raises:
            JobError: the scale does not suit the scan.
        """
        if not self.method.refinement(spacing(scan.ijk_to_ras)).is_whole:
            return region_slices(None, scan.shape)
        margined = with_margin(self.region, self.method.target_grid(scan.shape, spacing(scan.ijk_to_ras)))
        if not self.sketch:
            return margined
        z, y, x = (
            slice(max(outer.start, part.start - SKETCH_MARGIN), min(outer.stop, part.stop + SKETCH_MARGIN))
            for part, outer in zip(self.region, margined, strict=True)
        )
        return z, y, x

    def target(self, scan: ScanPlacement) -> TargetGrid:
        """The voxels of the result over the part to work on."""
        return self.method.target_grid(scan.shape, spacing(scan.ijk_to_ras)).part(self.region)

    def job(self, input: Path, output: Path, exported: Slices) -> Job:
        """The job on a file that holds the exported part."""
        z, y, x = ((part.start, part.stop) for part in within(self.region, exported))
        roi = None if exported == self.region else (z, y, x)
        return Job(self.method, str(input), str(output), roi=roi, allow_unusual=self.allow_unusual)

    def is_part(self, shape: Sequence[int]) -> bool:
        """Whether a scan of that shape, (z, y, x), has voxels that are not to be worked on."""
        return self.shape != tuple(shape)

    @property
    def region(self) -> Slices:
        """The part to work on, as three slices."""
        z, y, x = (slice(*pair) for pair in self.ranges)
        return z, y, x

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) to work on."""
        return triple(stop - start for start, stop in self.ranges)
