"""Cone-beam projection: in-plane weights as for parallel beam, and along z a linear interpolation at the ray's height.

The rays of a detector column lie in one upright plane, so seen from above they are one line and share its in-plane
weights. Those sum each line of voxels that the ray crosses (row or column of a slice) into a profile along z, and the
profile is read where the ray passes it: at height v * (way from source to that line) / (way to the detector).

On a CUDA device the transpose is the one part whose last bits vary from run to run (grid_sample's gradient).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.footprint import Lines, centres, columns_of_voxels, voxels_of_columns
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid

# Samples of rays taken in one go: bounds the memory to tens of MB; more of them leave the processor's cache.
_SAMPLES = 1 << 20


@dataclass(frozen=True)
class ConeRays:
    """The rays of a cone-beam scan through the voxels of a grid."""

    grid: VolumeGrid
    geometry: ScanGeometry

    def forward(self, volume: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(z, y, x) -> (views, v, u), value*mm."""
        nz, ny, nx = self.grid.shape
        voxels = volume.reshape(nz, ny * nx).T.contiguous()  # one row of slices per in-plane voxel
        views = volume.new_empty((self.geometry.views, *self.geometry.detector_shape))
        for view, angle in enumerate(self.geometry.angles):
            fan = self._fan(angle, volume.device)
            for block in self._blocks(fan):
                taps, weights = voxels_of_columns(fan.lines.part(block), self.grid)
                weights = weights.flatten(0, 1).to(volume.dtype)
                profiles = F.embedding_bag(taps.flatten(0, 1), voxels, per_sample_weights=weights, mode="sum")
                views[view, :, block] = self._read(profiles, fan.rise[block])
                progress.check()
            views[view] *= self._obliquity(volume)
            progress.advance()
        return views

    def transpose(self, projections: torch.Tensor, progress: Progress) -> torch.Tensor:
        """(views, v, u) -> (z, y, x), the transpose of `forward`."""
        nz, ny, nx = self.grid.shape
        voxels = projections.new_zeros((ny * nx, nz))
        oblique = self._obliquity(projections)
        for view, angle in enumerate(self.geometry.angles):
            fan = self._fan(angle, projections.device)
            for block in self._blocks(fan):
                rise = fan.rise[block]
                profiles = projections.new_zeros((rise.numel(), nz)).requires_grad_()
                with torch.enable_grad():
                    rays = self._read(profiles, rise)
                (profiles,) = torch.autograd.grad(rays, profiles, (projections[view] * oblique)[:, block])
                self._spread(voxels, profiles, fan, block)
                progress.check()
            progress.advance()
        return voxels.T.reshape(nz, ny, nx)

    def _fan(self, angle: float, device: torch.device) -> _Fan:
        (_, ny, nx), (_, sy, sx) = self.grid.shape, self.grid.spacing
        nu, du = self.geometry.detector_shape[1], self.geometry.detector_spacing[1]
        to_axis, to_detector = self.geometry.cone_distances
        cos, sin = math.cos(angle), math.sin(angle)

        u = centres(nu, du, device)
        length = (u**2 + to_detector**2).sqrt()
        ray_x, ray_y = u * cos - to_detector * sin, u * sin + to_detector * cos  # from source to column
        lines = Lines(ray_y / length, -ray_x / length, u * to_axis / length)

        line = torch.arange(max(ny, nx), device=device)
        to_row = (line - (ny - 1) / 2) * sy + to_axis * cos  # the source is at (sin, -cos) * to_axis
        to_column = (line - (nx - 1) / 2) * sx - to_axis * sin
        crossed = lines.crossed(self.grid)[:, None]
        rise = torch.where(crossed, to_row / ray_y[:, None], to_column / ray_x[:, None])

        x, y = centres(nx, sx, device), centres(ny, sy, device)[:, None]
        depth = (to_axis + y * cos - x * sin).flatten()  # from source, along the central ray
        shadow = to_detector * (x * cos + y * sin).flatten() / depth
        # A hat ends at most this far from its voxel's centre; on the detector it is magnified and slanted.
        hat = math.hypot(sx, sy)
        reach = hat * float(length.max()) / (float(depth.min()) * du)
        return _Fan(lines, rise, shadow / du + (nu - 1) / 2, reach)

    def _blocks(self, fan: _Fan) -> Iterator[slice]:
        """Runs of detector columns that fit in memory together."""
        nu, n_lines = fan.rise.shape
        columns = max(1, _SAMPLES // (n_lines * self.geometry.detector_shape[0]))
        return (slice(start, min(start + columns, nu)) for start in range(0, nu, columns))

    def _read(self, profiles: torch.Tensor, rise: torch.Tensor) -> torch.Tensor:
        """Sum what the rays meet: (columns*lines, nz) profiles and (columns, lines) rise -> (nv, columns)."""
        nv, dv = self.geometry.detector_shape[0], self.geometry.detector_spacing[0]
        # grid_sample counts from -1 at the lower face of the first slice to 1 at the upper face of the last.
        rise = rise * (2 / (self.grid.spacing[0] * self.grid.shape[0]))
        grid = profiles.new_zeros((rise.numel(), 1, nv, 2))
        grid[:, 0, :, 0] = rise.reshape(-1, 1).to(grid) * centres(nv, dv, grid.device).to(grid)
        samples = F.grid_sample(profiles[:, None, None], grid, padding_mode="zeros", align_corners=False)
        return samples.reshape(*rise.shape, nv).sum(1).T

    def _spread(self, voxels: torch.Tensor, profiles: torch.Tensor, fan: _Fan, block: slice) -> None:
        """Add (columns*lines, nz) profiles of a block of columns to the (ny*nx, nz) voxels that they sum."""
        _, ny, nx = self.grid.shape
        column = fan.column - block.start
        seen = ((column > -fan.reach) & (column < block.stop - block.start - 1 + fan.reach)).nonzero()[:, 0]
        lines = fan.lines.part(block)
        taps, weights = columns_of_voxels(lines, column[seen], fan.reach, seen, self.grid)
        line = torch.where(lines.crossed(self.grid)[taps], (seen // nx)[:, None], (seen % nx)[:, None])
        taps = taps * max(ny, nx) + line
        voxels[seen] += F.embedding_bag(taps, profiles, per_sample_weights=weights.to(profiles.dtype), mode="sum")

    def _obliquity(self, like: torch.Tensor) -> torch.Tensor:
        """(nv, nu): how much longer a ray is than it looks from above."""
        (nv, nu), (dv, du) = self.geometry.detector_shape, self.geometry.detector_spacing
        _, to_detector = self.geometry.cone_distances
        flat = centres(nu, du, like.device) ** 2 + to_detector**2
        return (1 + centres(nv, dv, like.device)[:, None] ** 2 / flat).sqrt().to(like.dtype)


@dataclass(frozen=True)
class _Fan:
    """One view's rays. From above: a line per detector column, and where each voxel's centre falls on the detector."""

    lines: Lines
    rise: torch.Tensor  # (nu, lines of voxels): mm of height over a line per mm of v
    column: torch.Tensor  # (ny*nx,) pixels
    reach: float  # no ray farther than this from `column` meets the voxel, pixels
