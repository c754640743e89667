"""Footprints of Gaussians on an array, and the exact number of samples in them, counted line by line."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from CTSuperResolutionLib.gaussians.projection import covariance, project_gaussians
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.kernels.constants import RADIUS
from CTSuperResolutionLib.projection.geometry import ScanGeometry

LINES_AT_ONCE = 4_000_000


class Footprints:
    """Footprints of Gaussians on an array of two or three axes, slowest first.

    Attributes:
        centres: (n, axes) in samples, float64. covariances: (n, axes, axes). shape: of the array.
    """

    def __init__(self, centres: torch.Tensor, covariances: torch.Tensor, shape: tuple[int, ...]) -> None:
        self.shape = shape
        reach = RADIUS * covariances.diagonal(dim1=-2, dim2=-1).sqrt()
        near = ((centres + reach >= 0) & (centres - reach <= centres.new_tensor(shape) - 1)).all(-1)
        widest = reach[near].amax(-1)
        order = widest.argsort()  # so that Gaussians handled together have about as many lines
        self.centres, self.covariances = centres[near][order], covariances[near][order]
        self._half = widest[order].ceil().clamp(1, max(shape)).long()

    @classmethod
    def on_detector(cls, field: list[torch.Tensor], geometry: ScanGeometry, view: int) -> Footprints:
        """Of a field (means, log-scales, quaternions, densities) on the detector of one view."""
        means, log_scales, quats, densities = _exact(field)
        splats = project_gaussians(means, log_scales, quats, densities, geometry, view)
        uu, uv, vv = splats.covariances.unbind(-1)
        covariances = torch.stack([torch.stack([vv, uv], -1), torch.stack([uv, uu], -1)], -2)
        # What lies behind a cone's source has no height and is not rasterized.
        seen = (splats.heights != 0) | (densities == 0)
        return cls(splats.centres.flip(-1)[seen], covariances[seen], geometry.detector_shape)

    @classmethod
    def on_grid(cls, field: list[torch.Tensor], grid: VoxelGrid) -> Footprints:
        """Of a field at the voxels of a grid."""
        means, log_scales, quats, _ = _exact(field)
        spacing = means.new_tensor(grid.spacing)
        centres = (means.flip(-1) - means.new_tensor(grid.first)) / spacing
        covariances = covariance(log_scales, quats).flip(-1, -2) / (spacing[:, None] * spacing)
        return cls(centres, covariances, grid.shape)

    @property
    def touching(self) -> int:
        """Gaussians that may reach the array."""
        return len(self.centres)

    def window_samples(self) -> int:
        """Samples of the windows in which the reference implementation evaluates them."""
        return int(((2 * self._half + 1) ** len(self.shape)).sum())

    def samples(self) -> int:
        """Samples within RADIUS standard deviations of a centre and inside the array, summed over the Gaussians."""
        return sum(int(self._count(part)) for part in self._parts())

    def _parts(self) -> Iterator[slice]:
        axes = len(self.shape) - 1
        first = 0
        while first < self.touching:
            # Half-widths ascend, so a part's last one is its widest.
            count = max(1, LINES_AT_ONCE // int(2 * self._half[first] + 1) ** axes)
            last = min(first + count, self.touching) - 1
            lines = int(2 * self._half[last] + 1) ** axes
            stop = min(first + max(1, LINES_AT_ONCE // lines), last + 1)
            yield slice(first, stop)
            first = stop

    def _count(self, part: slice) -> torch.Tensor:
        """With Σ = L Lᵀ and d = L t, |t| ≤ RADIUS: every axis in turn, the last one as a chord's length."""
        centres, factors = self.centres[part], torch.linalg.cholesky(self.covariances[part])
        half = int(self._half[part][-1])
        offsets = torch.arange(-half, half + 1)
        rest = torch.full((len(centres),), RADIUS**2, dtype=torch.float64)
        coordinates: list[torch.Tensor] = []
        for axis, size in enumerate(self.shape):
            lines = (-1,) + (1,) * axis
            middle = centres[:, axis].view(lines)
            for earlier, t in enumerate(coordinates):
                middle = middle + factors[:, axis, earlier].view(lines) * t
            along = factors[:, axis, axis].view(lines)
            if axis == len(self.shape) - 1:
                reach = along * rest.clamp(min=0).sqrt()
                first, last = (middle - reach).ceil().clamp(min=0), (middle + reach).floor().clamp(max=size - 1)
                return torch.where(rest >= 0, (last - first + 1).clamp(min=0), 0).sum()
            at = centres[:, axis].round().clamp(0, size - 1).view(lines)[..., None] + offsets
            t = (at - middle[..., None]) / along[..., None]
            inside = (at >= 0) & (at <= size - 1)
            rest = torch.where(inside, rest[..., None] - t * t, -1.0)
            coordinates = [earlier[..., None] for earlier in coordinates] + [t]
        raise AssertionError("an array has axes")


def _exact(field: list[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor.detach().cpu().double() for tensor in field]
