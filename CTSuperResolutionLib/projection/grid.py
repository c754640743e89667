"""The voxel grid of a volume that is projected."""

from __future__ import annotations

import math
from dataclasses import dataclass

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.projection.lengths import check_lengths


@dataclass(frozen=True)
class VolumeGrid:
    """Voxels along the scanner's axes, centred on the origin; the scanner turns about z.

    Attributes:
        shape: voxels along (z, y, x).
        spacing: mm between voxel centres along (z, y, x).

    Raises:
        JobError: not three sizes of at least one voxel and three positive lengths.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))  # a torch.Size prints as no constructor call
        object.__setattr__(self, "spacing", tuple(self.spacing))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise JobError(f"The volume shape {self.shape} is not (z, y, x) of at least one voxel each.")
        check_lengths("voxel spacing", self.spacing, 3)

    @property
    def axes(self) -> tuple[tuple[int, float], tuple[int, float], tuple[int, float]]:
        """Voxels and mm between their centres, along z, y and x."""
        (nz, ny, nx), (dz, dy, dx) = self.shape, self.spacing
        return (nz, dz), (ny, dy), (nx, dx)

    @property
    def radius(self) -> float:
        """How far the interpolated volume reaches from the rotation axis, mm: half a voxel beyond its faces."""
        (_, ny, nx), (_, sy, sx) = self.shape, self.spacing
        return math.hypot((ny + 1) * sy, (nx + 1) * sx) / 2
