"""The normalised scene of the Gaussians, and its voxel grids: the one place where lengths change units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from CTSuperResolutionLib.projection.geometry import ScanGeometry


@dataclass(frozen=True)
class VoxelGrid:
    """A box of voxels with axes along the world's.

    Attributes:
        shape: voxels (z, y, x).
        spacing: distance of voxel centres (z, y, x).
        first: centre of voxel [0, 0, 0] as (z, y, x).
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    first: tuple[float, float, float]

    def crop(self, start: Sequence[int], shape: Sequence[int]) -> VoxelGrid:
        """The sub-box of ``shape`` voxels whose first voxel is ``start``, both (z, y, x)."""
        nz, ny, nx = shape
        z, y, x = (f + i * s for f, i, s in zip(self.first, start, self.spacing, strict=True))
        return VoxelGrid((nz, ny, nx), self.spacing, (z, y, x))


@dataclass(frozen=True)
class Scene:
    """Scene units: the volume is centred on the origin and its longest side spans [-1, 1].

    Attributes:
        grid: the volume's voxels in scene units.
        per_mm: scene units in a millimetre.
    """

    grid: VoxelGrid
    per_mm: float

    @classmethod
    def around(cls, shape: Sequence[int], spacing: Sequence[float]) -> Scene:
        """The scene of a volume of ``shape`` voxels (z, y, x) at ``spacing`` mm."""
        per_mm = 2 / max(n * s for n, s in zip(shape, spacing, strict=True))
        nz, ny, nx = shape
        sz, sy, sx = scaled = [s * per_mm for s in spacing]
        z, y, x = (-(n - 1) / 2 * s for n, s in zip(shape, scaled, strict=True))
        return cls(VoxelGrid((nz, ny, nx), (sz, sy, sx), (z, y, x)), per_mm)

    def geometry(self, geometry: ScanGeometry) -> ScanGeometry:
        """A scan geometry in mm as one in scene units."""

        def scaled(length: float | None) -> float | None:
            return None if length is None else length * self.per_mm

        dv, du = geometry.detector_spacing
        return replace(
            geometry,
            detector_spacing=(dv * self.per_mm, du * self.per_mm),
            source_distance=scaled(geometry.source_distance),
            detector_distance=scaled(geometry.detector_distance),
        )
