"""Projections: line integrals of one scan, with the rays that they belong to and the grid that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.attenuation import WATER_PER_MM, hounsfield
from CTSuperResolutionLib.volume.volume import Volume

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class VolumePlace:
    """The grid to reconstruct on, and where it lies.

    Attributes:
        grid: voxels, centred on the scan's rotation axis.
        origin: centre of the first voxel, LPS, mm, (x, y, z).
        direction: nine direction cosines, as in :class:`.Volume`.
    """

    grid: VolumeGrid
    origin: tuple[float, float, float]
    direction: tuple[float, ...] = IDENTITY

    @classmethod
    def of(cls, volume: Volume) -> VolumePlace:
        """That of a volume."""
        return cls(VolumeGrid(volume.shape, volume.spacing), volume.origin, volume.direction)

    @classmethod
    def around(cls, grid: VolumeGrid, direction: tuple[float, ...] = IDENTITY, height: float = 0.0) -> VolumePlace:
        """A grid whose centre is the origin of space, or lies ``height`` mm along the axis from there."""
        to_centre = [(n - 1) / 2 * s for n, s in reversed(grid.axes)]
        to_centre[2] -= height
        x, y, z = (float(-v) for v in np.reshape(direction, (3, 3)) @ to_centre)
        return cls(grid, (x, y, z), direction)


@dataclass(frozen=True, eq=False)
class Projections:
    """What a scan measured.

    Attributes:
        integrals: line integrals of attenuation, (views, v, u) float32, without unit.
        geometry: the rays, mm. place: the grid to reconstruct on.
        water_per_mm: attenuation of water, which HU are relative to.
        notes: sentences that the user should see.
    """

    integrals: np.ndarray = field(repr=False)
    geometry: ScanGeometry
    place: VolumePlace
    water_per_mm: float = WATER_PER_MM
    notes: tuple[str, ...] = ()

    def water_mm(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """The integrals as mm of water, (views, v, u)."""
        return torch.from_numpy(self.integrals).to(device) / self.water_per_mm

    @property
    def projector(self) -> Projector:
        """Volumes on the grid to views of this scan."""
        return Projector(self.place.grid, self.geometry)

    def volume(self, relative: torch.Tensor) -> Volume:
        """Attenuation relative to water, (z, y, x), as HU in its place."""
        hu = hounsfield(relative).cpu().numpy().astype(np.float32)
        return Volume(hu, self.place.grid.spacing, self.place.origin, self.place.direction)
