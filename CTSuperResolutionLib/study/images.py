"""Images of a reader study: a case's volumes on one grid, with one padding, in files that tell nothing of a method."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import Advice, JobError, Regrid
from CTSuperResolutionLib.study.protocol import DEGRADED
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import nrrd_header, to_int16

RANGE_HU = (-1024.0, 3071.0)  # of every image: a method's overshoot beyond it would tell it
SAME_GRID = 1e-3  # voxels by which corners may differ: what single precision in headers explains
BLUR = 3.0  # voxels, σ of the degraded copies: anyone sees it


def read_case(
    name: str, paths: Mapping[str, Path], *, regrid: bool, degrade: str | None, allow_unusual: bool = False
) -> dict[str, Volume]:
    """A case's images on one grid, in one range and with one padding.

    What is padding in one image becomes padding in all. With ``regrid``, images on other grids than the first one's are
    interpolated linearly onto it.

    Args:
        name: of the case. paths: file of every method.
        regrid: bring images onto one grid, where they are not.
        degrade: method of which a blurred copy is added as :data:`.DEGRADED`; None for no copy.
        allow_unusual: go on where an image does not look like a CT.

    Returns:
        whole HU by method, all of one shape (z, y, x).

    Raises:
        JobError: an image cannot be read, or the grids differ.
    """
    volumes = {method: read_volume(path, allow_unusual=allow_unusual) for method, path in paths.items()}
    first_name, first = next(iter(volumes.items()))
    for method, volume in volumes.items():
        if not same_grid(first, volume):
            if not regrid:
                raise JobError(
                    f"The images {first_name} and {method} of the case '{name}' lie on different grids",
                    Regrid(),
                    Advice("leave the case out"),
                )
            volumes[method] = on_grid(volume, first)
    measured = np.ones(first.shape, dtype=bool)
    for volume in volumes.values():
        if volume.valid is not None:
            measured &= volume.valid
    arrays = {method: np.clip(np.rint(volume.array), *RANGE_HU) for method, volume in volumes.items()}
    if degrade is not None:
        arrays[DEGRADED] = np.rint(ndi.gaussian_filter(arrays[degrade], BLUR, mode="nearest"))
    for array in arrays.values():
        array[~measured] = RANGE_HU[0]
    return {method: first.with_array(array) for method, array in arrays.items()}


def same_grid(first: Volume, second: Volume) -> bool:
    """Whether two volumes have the same voxels: all corners within a thousandth of one."""
    if first.shape != second.shape:
        return False
    corners = [[a, b, c] for a in (0, first.shape[0]) for b in (0, first.shape[1]) for c in (0, first.shape[2])]
    apart = [np.abs(np.subtract(first.point(corner), second.point(corner))).max() for corner in corners]
    return max(apart) <= SAME_GRID * min(first.spacing)


def on_grid(volume: Volume, grid: Volume) -> Volume:
    """A volume interpolated linearly at the voxel centres of another, HU; not valid where it does not reach."""
    axes = [np.reshape(v.direction, (3, 3)) * v.spacing[::-1] for v in (volume, grid)]
    matrix = np.linalg.solve(axes[0], axes[1])[::-1, ::-1]  # indices (z, y, x) of the grid to those of the volume
    offset = np.linalg.solve(axes[0], np.subtract(grid.origin, volume.origin))[::-1]
    moved = ndi.affine_transform(volume.array, matrix, offset, grid.shape, order=1, mode="nearest")
    valid = np.ones(volume.shape, dtype=np.float32) if volume.valid is None else volume.valid.astype(np.float32)
    reached = ndi.affine_transform(valid, matrix, offset, grid.shape, order=1, mode="constant") > 0.999
    return Volume(moved.astype(np.float32), grid.spacing, grid.origin, grid.direction, valid=reached)


def write_image(volume: Volume, path: Path) -> str:
    """Write an image as uncompressed NRRD of int16, in place of the patient's at the origin, and nothing else with it.

    Args:
        volume: whole HU (z, y, x). path: of the file.

    Returns:
        SHA-256 of the file, hexadecimal.
    """
    axes = np.reshape(volume.direction, (3, 3)) * volume.spacing[::-1]
    content = nrrd_header("short", volume.shape, axes, (0.0, 0.0, 0.0), encoding="raw", metadata={})
    content += to_int16(volume.array).astype("<i2").tobytes()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
