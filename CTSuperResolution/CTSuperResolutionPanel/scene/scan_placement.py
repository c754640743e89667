"""Placement of a scan when its job began, for a result that comes back after the scan was moved or changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer

from CTSuperResolutionPanel.scene import voxel_geometry


@dataclass(frozen=True, eq=False)
class ScanPlacement:
    """Where a scan was at one moment.

    Attributes:
        shape: voxels (z, y, x).
        ijk_to_ras: 4 x 4, from indices (x, y, z) to RAS in mm, without the transforms above the scan.
        ijk_to_world: the same with them.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: np.ndarray
    ijk_to_world: np.ndarray

    @classmethod
    def of(cls, scan: slicer.vtkMRMLScalarVolumeNode) -> ScanPlacement:
        """Where a scan is now, under linear transforms."""
        matrix, above = voxel_geometry.ijk_to_ras(scan), voxel_geometry.ras_to_world(scan)
        return cls(voxel_geometry.shape(scan), matrix, matrix if above is None else above @ matrix)

    def now(self, scan: slicer.vtkMRMLScalarVolumeNode) -> tuple[np.ndarray, str | None]:
        """Where what is made of it belongs now: with the scan, or where that was if it has other voxels meanwhile.

        Returns:
            4 x 4 from the scan's indices (x, y, z) to RAS, and the id of the transform above, if there is one.
        """
        if voxel_geometry.shape(scan) == self.shape:
            return voxel_geometry.ijk_to_ras(scan), scan.GetTransformNodeID()
        return self.ijk_to_world, None
