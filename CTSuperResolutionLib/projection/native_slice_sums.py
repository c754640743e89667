"""Sums over slices on CPU threads, in the library that CUDAKernels/CMakeLists.txt builds."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import ClassVar

import torch

from CTSuperResolutionLib.kernels.constants import DONE
from CTSuperResolutionLib.kernels.cpu_library import PRECISIONS
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid


class ParallelBeam(ctypes.Structure):
    """``NabgsParallelBeam`` of CUDAKernels/parallel_beam.h."""

    _fields_ = (
        ("shape", ctypes.c_int32 * 2),
        ("pixels", ctypes.c_int32),
        ("views", ctypes.c_int32),
        ("spacing", ctypes.c_double * 2),
        ("pitch", ctypes.c_double),
    )


@dataclass(frozen=True)
class NativeSliceSums:
    """The library's sums: the same as torch's up to rounding, whatever the number of threads, which is torch's own."""

    views_at_once: ClassVar[int] = 8

    library: ctypes.CDLL
    grid: VolumeGrid
    geometry: ScanGeometry

    def project(self, voxels: torch.Tensor, views: range) -> torch.Tensor:
        """(ny * nx, slices) -> (views, nu, slices), value*mm."""
        columns = voxels.new_empty((len(views), self.geometry.detector_shape[1], voxels.shape[1]))
        self._call("nabgs_project", views, voxels.contiguous(), columns)
        return columns

    def backproject(self, columns: torch.Tensor, voxels: torch.Tensor, views: range) -> None:
        """(views, nu, slices), added to (ny * nx, slices), contiguous, by the transpose of :meth:`project`."""
        self._call("nabgs_backproject", views, columns.contiguous(), voxels)

    def _call(self, name: str, views: range, source: torch.Tensor, target: torch.Tensor) -> None:
        (_, *shape), (_, *spacing) = self.grid.shape, self.grid.spacing
        pixels, pitch = self.geometry.detector_shape[1], self.geometry.detector_spacing[1]
        beam = ParallelBeam((*shape,), pixels, len(views), (*spacing,), pitch)
        angles = (ctypes.c_double * len(views))(*[self.geometry.angles[view] for view in views])
        head = (ctypes.byref(beam), angles, PRECISIONS[target.dtype], target.shape[-1])
        code = getattr(self.library, name)(*head, source.data_ptr(), target.data_ptr(), torch.get_num_threads())
        if code != DONE:
            raise MemoryError("There was not enough memory to project the volume.")
