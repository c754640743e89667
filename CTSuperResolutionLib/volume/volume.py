"""A CT volume and its voxel grid in the patient's space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags

SAME_PLACE_MM = 0.01


@dataclass(frozen=True)
class ValueScale:
    """The values of a file that are no HU, from the working range that they were brought to for the method.

    value = slope × array + intercept.
    """

    slope: float
    intercept: float

    def values(self, array: np.ndarray) -> np.ndarray:
        """The file's own values of an array in the working range, float32."""
        return (array.astype(np.float64) * self.slope + self.intercept).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Volume:
    """Hounsfield units on a regular grid whose voxel centres carry the samples.

    >>> hu = np.full((10, 64, 64), -1000, dtype=np.float32)
    >>> scan = Volume(hu, spacing=(5.0, 0.7, 0.7), origin=(0.0, 0.0, 0.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1))
    >>> scan.point((1, 0, 0))
    (0.0, 0.0, 5.0)
    >>> shape, spacing, origin = scan.refined_grid((5, 1, 1))
    >>> shape, spacing, origin
    ((50, 64, 64), (1.0, 0.7, 0.7), (0.0, 0.0, -2.0))
    >>> scan.crop((slice(2, 8), slice(None), slice(16, 48))).shape
    (6, 64, 32)

    Attributes:
        array: HU, shape (z, y, x), float32.
        spacing: distance of voxel centres in mm, (z, y, x).
        origin: centre of voxel [0, 0, 0] in the patient's LPS space, mm, in ITK's order (x, y, z).
        direction: ITK's direction cosines, nine numbers row by row; column i is the LPS direction of grid axis
            (x, y, z)[i]. Orthonormal, but may be a reflection (determinant -1).
        valid: where a scanner measured, bool (z, y, x); elsewhere are padding, masks and saturated metal. None where
            that is everywhere.
        acquisition: what the file says of its acquisition.
        value_scale: for a file that is not in HU: what brings ``array`` back to its own values. None for HU.

    Raises:
        ValueError: an attribute has another shape, type or sign than stated.
    """

    array: np.ndarray = field(repr=False)
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]
    valid: np.ndarray | None = field(default=None, repr=False)
    acquisition: AcquisitionTags = field(default_factory=AcquisitionTags, repr=False)
    value_scale: ValueScale | None = None

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.array.dtype != np.float32:
            raise ValueError(f"array must be (z, y, x) float32, not {self.array.shape} {self.array.dtype}")
        if len(self.spacing) != 3 or not all(math.isfinite(s) and s > 0 for s in self.spacing):
            raise ValueError(f"spacing must be three positive lengths, not {self.spacing}")
        if len(self.origin) != 3 or len(self.direction) != 9:
            raise ValueError("origin must be three and direction nine numbers")
        if self.valid is not None and (self.valid.shape != self.array.shape or self.valid.dtype != bool):
            raise ValueError(f"valid must be bool {self.array.shape}, not {self.valid.dtype} {self.valid.shape}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        return self.array.shape

    def point(self, index: Sequence[float]) -> tuple[float, float, float]:
        """The LPS point (x, y, z) in mm of a voxel index (z, y, x), which may lie between voxels."""
        steps = np.asarray(index, dtype=np.float64)[::-1] * self.spacing[::-1]
        offset = np.reshape(self.direction, (3, 3)) @ steps
        x, y, z = (float(o + d) for o, d in zip(self.origin, offset, strict=True))
        return x, y, z

    def lies_on_grid_of(self, other: Volume) -> bool:
        """Whether the voxels of both lie at the same points, to SAME_PLACE_MM."""
        if self.shape != other.shape:
            return False
        corners = [(0.0, 0.0, 0.0), *np.diag(np.array(self.shape, dtype=np.float64) - 1)]
        apart = [abs(a - b) for c in corners for a, b in zip(self.point(c), other.point(c), strict=True)]
        return max(apart) <= SAME_PLACE_MM

    def refined_grid(
        self, scale: tuple[int, int, int]
    ) -> tuple[tuple[int, int, int], tuple[float, float, float], tuple[float, float, float]]:
        """The grid with ``scale`` = (z, y, x) times as many voxels over the same extent of space.

        Fine voxel j covers [j, j + 1] / s coarse voxels, so its centre lies at coarse index (j + 1/2) / s - 1/2: the
        origin moves by (1/s - 1)/2 voxels along each axis.

        Returns:
            shape (z, y, x), spacing in mm (z, y, x) and origin in mm (x, y, z). The direction stays.
        """
        nz, ny, nx = (n * s for n, s in zip(self.shape, scale, strict=True))
        dz, dy, dx = (d / s for d, s in zip(self.spacing, scale, strict=True))
        return (nz, ny, nx), (dz, dy, dx), self.point([(1 / s - 1) / 2 for s in scale])

    def with_array(self, array: np.ndarray, scale: tuple[int, int, int] = (1, 1, 1)) -> Volume:
        """Other values (z, y, x), HU, on this grid or on the one refined by ``scale``, all of them valid.

        Raises:
            ValueError: the array does not have that grid's shape.
        """
        shape, spacing, origin = self.refined_grid(scale)
        if array.shape != shape:
            raise ValueError(f"array of shape {array.shape} does not fit the grid {shape}")
        values = np.asarray(array, dtype=np.float32)
        return Volume(values, spacing, origin, self.direction, value_scale=self.value_scale)

    def on_target(self, array: np.ndarray, target: TargetGrid) -> Volume:
        """Other values (z, y, x), HU, on a grid over this volume, all of them valid.

        Raises:
            ValueError: the array does not have that grid's shape.
        """
        if array.shape != target.shape:
            raise ValueError(f"array of shape {array.shape} does not fit the grid {target.shape}")
        values, origin = np.asarray(array, dtype=np.float32), self.point(target.first)
        return Volume(values, target.spacing, origin, self.direction, value_scale=self.value_scale)

    def crop(self, roi: tuple[slice, slice, slice]) -> Volume:
        """A copy of the voxels ``roi`` = slices along (z, y, x), in place in space.

        Raises:
            JobError: the region is empty, skips voxels, or reaches outside the volume.
        """
        spans = []
        for axis, part, n in zip("zyx", roi, self.shape, strict=True):
            first, last = part.start or 0, n if part.stop is None else part.stop
            if part.step not in (None, 1) or not 0 <= first < last <= n:
                raise JobError(
                    f"The region of interest takes {axis} from {first} to {last}, but the scan has voxels 0 to {n} "
                    f"along {axis}; choose a region inside it."
                )
            spans.append(slice(first, last))
        inside = tuple(spans)
        return replace(
            self,
            array=self.array[inside].copy(),
            origin=self.point([s.start for s in spans]),
            valid=None if self.valid is None else self.valid[inside].copy(),
        )
