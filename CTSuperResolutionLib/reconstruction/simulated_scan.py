"""Settings of a simulated scan: views, beam and dose. No heavy package is imported here, for Slicer's process."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid

BEAMS = ("cone", "parallel")


@dataclass(frozen=True)
class SimulatedScan:
    """How a CT is scanned. Making one checks it.

    Attributes:
        views: over a full turn for a cone beam, over half a turn for a parallel one.
        beam: "cone" or "parallel".
        photons: that reach a pixel where nothing is in their way (I0); 0 for no noise at all.
        electronic: standard deviation of the electronics' noise, in photons.
        source_distance, detector_distance: of a cone beam, mm; source to axis, and source to detector.
        seed: of the noise.

    Raises:
        JobError: something is not allowed.
    """

    views: int = 36
    beam: str = "cone"
    photons: float = 1e5
    electronic: float = 10.0
    source_distance: float = 1000.0
    detector_distance: float = 1500.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.beam not in BEAMS:
            raise unknown("geometry", self.beam, BEAMS)
        if not 2 <= self.views <= 10_000:
            raise JobError(f"A scan has from 2 to 10000 views, not {self.views}; choose such a number.")
        if self.photons != 0 and not 10 <= self.photons <= 1e9:
            raise JobError(f"The photons are 0 for no noise, or from 10 to 1e9 a pixel, not {self.photons:g}.")
        if not (0 < self.source_distance < math.inf and 0 < self.detector_distance < math.inf):
            raise JobError(
                f"The source lies {self.source_distance:g} mm from the axis and {self.detector_distance:g} mm from the "
                "detector; choose distances above 0."
            )
        if not 0 <= self.electronic <= 1e6:
            raise JobError(f"The electronic noise is from 0 to 1e6 photons, not {self.electronic:g}.")

    def geometry(self, grid: VolumeGrid) -> ScanGeometry:
        """The rays, on a detector that sees every voxel in every view; a pixel is a voxel's shadow.

        Raises:
            JobError: the volume reaches too near the source.
        """
        shape, spacing = grid.shape, grid.spacing
        if self.beam == "parallel":
            return parallel_beam(views=self.views, volume_shape=shape, spacing=spacing)
        distances = {"source_distance": self.source_distance, "detector_distance": self.detector_distance}
        half = cone_beam(views=self.views, volume_shape=shape, spacing=spacing, **distances)
        # A fan sees no ray twice in half a turn, so that it needs more than that; a full turn sees all alike.
        return replace(half, angles=tuple(2 * math.pi * k / self.views for k in range(self.views)))
