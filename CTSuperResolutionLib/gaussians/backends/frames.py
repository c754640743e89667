"""Frames of the kernels: one view of a detector, or a voxel grid, as the C structures of CUDAKernels/gaussian.h."""

from __future__ import annotations

import ctypes
import math

from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.projection.geometry import ScanGeometry


class View(ctypes.Structure):
    """The rays of one view; lengths in scene units."""

    _fields_ = [
        ("cos_angle", ctypes.c_double),
        ("sin_angle", ctypes.c_double),
        ("pitch", ctypes.c_double * 2),  # (v, u)
        ("source_distance", ctypes.c_double),  # 0 for a parallel beam
        ("detector_distance", ctypes.c_double),
        ("shape", ctypes.c_int32 * 2),  # (v, u)
    ]

    @classmethod
    def of(cls, geometry: ScanGeometry, view: int) -> View:
        """One view of a scan geometry."""
        angle = geometry.angles[view]
        return cls(
            math.cos(angle),
            math.sin(angle),
            geometry.detector_spacing,
            geometry.source_distance or 0.0,
            geometry.detector_distance or 0.0,
            geometry.detector_shape,
        )


class Grid(ctypes.Structure):
    """A box of voxels in scene units, (z, y, x)."""

    _fields_ = [
        ("pitch", ctypes.c_double * 3),
        ("first", ctypes.c_double * 3),
        ("shape", ctypes.c_int32 * 3),
    ]

    @classmethod
    def of(cls, grid: VoxelGrid) -> Grid:
        """The structure of a voxel grid."""
        return cls(grid.spacing, grid.first, grid.shape)
