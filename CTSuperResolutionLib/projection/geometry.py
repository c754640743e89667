"""Acquisition geometry of a simulated circular scan, parallel or cone beam: angles, detector, source.

World coordinates are millimetres (x, y, z) with the origin at the volume's centre: voxel (iz, iy, ix) of a volume
of shape (nz, ny, nx) and spacing (sz, sy, sx) lies at x = (ix - (nx-1)/2)*sx, and so on. The scanner turns about z.
At angle t the detector's axes are e_u = (cos t, sin t, 0) and e_v = (0, 0, 1), and the central ray runs along
d = (-sin t, cos t, 0). The centre of detector pixel (iv, iu) lies at u = (iu - (nu-1)/2)*du, v = (iv - (nv-1)/2)*dv.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.lengths import check_lengths

# Beyond this fraction of the orbit's radius the fan opens past 128 degrees and the flat detector grows without bound.
LARGEST_OBJECT = 0.9


@dataclass(frozen=True)
class ScanGeometry:
    """The rays of one circular scan, parallel or cone beam.

    Parallel: the ray of detector point (u, v) is {u e_u + v e_v + s d}, all s.
    Cone: the source lies at -source_distance*d, the detector's centre at (detector_distance - source_distance)*d.

    angles: one rotation angle per view, radians.
    detector_shape: (nv, nu) pixels; detector_spacing: (dv, du) mm between pixel centres.
    source_distance: source to rotation axis (DSO), mm; detector_distance: source to detector (DSD), mm; both None
    for parallel beam.

    Raises JobError where these do not describe a scan.
    """

    angles: tuple[float, ...]
    detector_shape: tuple[int, int]
    detector_spacing: tuple[float, float]
    source_distance: float | None = None
    detector_distance: float | None = None

    def __post_init__(self) -> None:
        if not self.angles or not all(math.isfinite(angle) for angle in self.angles):
            raise JobError("The scan geometry needs at least one view, and every angle finite; set views to 1 or more.")
        if len(self.detector_shape) != 2 or min(self.detector_shape) < 1:
            raise JobError(f"The detector shape {self.detector_shape} is not (rows, columns) of at least one pixel.")
        check_lengths("detector spacing", self.detector_spacing, 2)
        if (self.source_distance is None) != (self.detector_distance is None):
            raise JobError("Cone beam needs both source_distance and detector_distance; parallel beam needs neither.")
        if self.is_cone:
            check_lengths("source and detector distances", self.cone_distances, 2)

    @property
    def views(self) -> int:
        """Number of views."""
        return len(self.angles)

    @property
    def is_cone(self) -> bool:
        """Whether the rays diverge from a source; otherwise they are parallel."""
        return self.source_distance is not None

    @property
    def cone_distances(self) -> tuple[float, float]:
        """(source_distance, detector_distance) of a cone beam, mm. Raises ValueError for parallel beam."""
        if self.source_distance is None or self.detector_distance is None:
            raise ValueError("parallel rays have no source")
        return self.source_distance, self.detector_distance

    def refined(self, scale_v: int, scale_u: int) -> ScanGeometry:
        """The same scan on a detector of the same area with (nv*scale_v, nu*scale_u) pixels, so much smaller."""
        if min(scale_v, scale_u) < 1:
            raise JobError(f"The detector cannot be refined by {(scale_v, scale_u)}; give two factors of 1 or more.")
        (nv, nu), (dv, du) = self.detector_shape, self.detector_spacing
        return replace(self, detector_shape=(nv * scale_v, nu * scale_u), detector_spacing=(dv / scale_v, du / scale_u))


def parallel_beam(
    *, views: int, volume_shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> ScanGeometry:
    """A parallel-beam scan over 180 degrees in which every voxel is seen in every view.

    volume_shape (z, y, x) and spacing (z, y, x) in mm are the volume's. Angles are pi*k/views. One detector row per
    slice, so slices stay separable; columns at the smaller in-plane spacing span the in-plane diagonal and the half
    voxel by which the interpolated volume reaches beyond it. At angle 0 pixel centres coincide with voxel centres when
    x has the smaller spacing.
    """
    grid = VolumeGrid(volume_shape, spacing)
    nz, _, nx = volume_shape
    du = float(min(spacing[1:]))
    nu = _pixels(2 * grid.radius, du, parity=nx)
    return ScanGeometry(_half_turn(views), (nz, nu), (float(spacing[0]), du))


def cone_beam(
    *,
    views: int,
    volume_shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    source_distance: float = 1000.0,
    detector_distance: float = 1500.0,
) -> ScanGeometry:
    """A cone-beam scan over 180 degrees in which every voxel is seen in every view.

    volume_shape (z, y, x) and spacing (z, y, x) in mm are the volume's; source_distance is from source to rotation
    axis and detector_distance from source to detector, mm. Angles are pi*k/views. Pixels are a voxel magnified by
    detector_distance/source_distance; the detector spans the shadow of the cylinder around the interpolated volume.

    Raises JobError where the volume reaches too near the source's orbit.
    """
    grid = VolumeGrid(volume_shape, spacing)
    check_lengths("source and detector distances", (source_distance, detector_distance), 2)
    check_inside_orbit(grid, source_distance)
    magnification = detector_distance / source_distance
    radius = grid.radius
    dv, du = spacing[0] * magnification, min(spacing[1:]) * magnification
    # The outermost ray is tangent to the cylinder; the steepest one meets its rim on the source's side.
    half_width = detector_distance * radius / math.sqrt(source_distance**2 - radius**2)
    half_height = detector_distance * (volume_shape[0] + 1) * spacing[0] / 2 / (source_distance - radius)
    return ScanGeometry(
        _half_turn(views),
        (_pixels(2 * half_height, dv, parity=volume_shape[0]), _pixels(2 * half_width, du, parity=volume_shape[2])),
        (dv, du),
        float(source_distance),
        float(detector_distance),
    )


def check_inside_orbit(grid: VolumeGrid, source_distance: float) -> None:
    """Raise JobError unless the volume, turning, stays clear of a source at source_distance mm from the axis."""
    if grid.radius > LARGEST_OBJECT * source_distance:
        raise JobError(
            f"The volume reaches {grid.radius:.0f} mm from the rotation axis, too near the X-ray source's orbit of "
            f"{source_distance:.0f} mm; choose a region of interest, a larger source distance or parallel beam."
        )


def _half_turn(views: int) -> tuple[float, ...]:
    return tuple(math.pi * k / views for k in range(views))


def _pixels(width: float, pitch: float, *, parity: int) -> int:
    """Pixels that span width, odd or even as parity is."""
    pixels = math.ceil(width / pitch)
    return pixels + (pixels - parity) % 2
