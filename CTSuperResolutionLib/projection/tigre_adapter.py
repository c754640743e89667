"""Adapter to CERN's TIGRE as projector, where it is installed and a CUDA device is there.

TIGRE's conventions, as its sources have them: volumes (z, y, x) and projections (view, v, u), float32 NumPy arrays;
lengths in mm, listed (z, y, x) and (v, u); rows and columns of the detector ascend with z and u as ours do. At its
angle a the source lies towards (cos a, sin a) and the detector's columns run along (-sin a, cos a), so a = t - pi/2
for our angle t. Volumes are interpolated linearly and sampled every half voxel.
"""

from __future__ import annotations

import importlib
import math
from types import ModuleType
from typing import Any

import numpy as np
import torch

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid

# Views in one call of TIGRE: it uploads the volume at each, and cannot be cancelled within one.
_VIEWS = 16


def available() -> bool:
    """Whether a CUDA device is there and `tigre` is CERN's TIGRE; PyPI has an unrelated package of that name."""
    return torch.cuda.is_available() and _tigre() is not None


def serves(grid: VolumeGrid, geometry: ScanGeometry) -> bool:
    """Whether TIGRE projects such a volume right: its parallel rays end early where x and y spacing differ."""
    return geometry.is_cone or math.isclose(grid.spacing[1], grid.spacing[2], rel_tol=1e-6)


def project(
    volume: torch.Tensor, grid: VolumeGrid, geometry: ScanGeometry, *, progress: Progress | None = None
) -> torch.Tensor:
    """Line integrals of the volume: (z, y, x) -> (views, v, u), value*mm, on its device.

    Not differentiable. `progress` advances by one per view. Raises JobError where TIGRE is not installed.
    """
    tigre = _tigre()
    if tigre is None:
        raise JobError("CERN's TIGRE is not installed; use the built-in projector.")
    progress = Progress() if progress is None else progress
    array = np.ascontiguousarray(volume.detach().cpu().numpy(), dtype=np.float32)
    scanner = _geometry(tigre, grid, geometry)
    angles = np.asarray(geometry.angles, dtype=np.float32) - np.float32(math.pi / 2)
    views = volume.new_empty((geometry.views, *geometry.detector_shape))
    for first in range(0, geometry.views, _VIEWS):
        some = angles[first : first + _VIEWS]
        views[first : first + _VIEWS] = torch.from_numpy(tigre.Ax(array, scanner, some, "interpolated"))
        progress.advance(len(some))
    return views


def _tigre() -> ModuleType | None:
    try:
        tigre = importlib.import_module("tigre")
    except (ImportError, OSError):  # not there, or its CUDA libraries are not
        return None
    return tigre if all(callable(getattr(tigre, name, None)) for name in ("Ax", "geometry")) else None


def _geometry(tigre: ModuleType, grid: VolumeGrid, geometry: ScanGeometry) -> Any:
    (_, ny, nx), (_, sy, sx) = grid.shape, grid.spacing
    voxels = np.array(grid.shape)
    if geometry.is_cone:
        scanner = tigre.geometry(mode="cone")
        scanner.DSO, scanner.DSD = geometry.cone_distances
    else:
        scanner = tigre.geometry(mode="parallel", nVoxel=voxels)
        # Its parallel rays run from a plane at DSO to one at DSD; both must lie outside the turning volume.
        scanner.DSO = math.hypot(ny * sy, nx * sx)
        scanner.DSD = 2 * scanner.DSO
    scanner.nVoxel, scanner.dVoxel = voxels, np.array(grid.spacing, dtype=np.float64)
    scanner.sVoxel = scanner.nVoxel * scanner.dVoxel
    scanner.nDetector = np.array(geometry.detector_shape)
    scanner.dDetector = np.array(geometry.detector_spacing, dtype=np.float64)
    scanner.sDetector = scanner.nDetector * scanner.dDetector
    scanner.offOrigin, scanner.offDetector = np.zeros(3), np.zeros(2)
    scanner.accuracy = 0.5
    return scanner
