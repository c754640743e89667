"""Stage 2: projections of the upsampled volume along the rays of a simulated scan."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.degradation.acquisition import degradation_of
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.upsample_scan import UpsampledScan
from CTSuperResolutionLib.volume.intensity import to_unit


@dataclass(frozen=True, eq=False)
class ProjectedVolume:
    """A volume on the [0, 1] scale, (z, y, x), and its projections, (views, v, u), value x mm."""

    volume: torch.Tensor
    views: torch.Tensor

    @classmethod
    def of(cls, volume: torch.Tensor, projector: Projector, progress: Progress) -> ProjectedVolume:
        """Project a volume; progress advances by one per view."""
        machine.release_freed_memory()
        return cls(volume, projector.forward(volume, progress=progress))


def scan_geometry(p: Parameters, grid: VolumeGrid) -> ScanGeometry:
    """The simulated scan of a volume: one detector pixel a voxel."""
    beam = cone_beam if p.geometry == "cone" else parallel_beam
    return beam(views=p.views, volume_shape=grid.shape, spacing=grid.spacing)


def make_projector(upsampled: UpsampledScan, p: Parameters) -> Projector:
    """Projections of the result's grid on a detector refined by the factors of its rows and columns.

    Where these are not whole, or those of the columns' two axes differ, the detector is that of the result's own grid.
    """
    match upsampled.scale:
        case (int() as rows, int() as columns, third) if columns == third:
            return Projector(upsampled.grid, scan_geometry(p, upsampled.coarse_grid).refined(rows, columns))
    return Projector(upsampled.grid, scan_geometry(p, upsampled.grid))


def make_view_degradation(upsampled: UpsampledScan, projector: Projector) -> Degradation:
    """A over the detector: what the scan's degradation does to parallel views (v, u).

    Rows of the detector run along the axis of rotation; columns see the other two axes, or the one that is refined
    less, under the wider of their point-spread functions. Widths are those of the scan, magnified as its voxels are.
    """
    scale, along = upsampled.scale, upsampled.acquisition.permuted(upsampled.axis_order).axes
    across = [axis for axis in (1, 2) if scale[axis] == min(scale[1:])]
    kernels = [along[0].kernel, max((along[axis].kernel for axis in across), key=lambda kernel: kernel.width)]
    fine = list(zip(projector.geometry.detector_shape, projector.geometry.detector_spacing, strict=True))
    coarse = [(int(n / scale[k] + 1e-6), d * scale[k]) for (n, d), k in zip(fine, (0, across[0]), strict=True)]
    shift = 0.0
    if not projector.geometry.is_cone:  # a row for every slice, wherever the slices of the result are among the scan's
        slices = upsampled.axis_order.permute(upsampled.target.axes)[0]
        coarse[0], shift = (slices.size, coarse[0][1]), slices.shift
    pitches = [upsampled.coarse_grid.spacing[k] for k in (0, across[0])]
    magnified = [pitch / voxel for (_, pitch), voxel in zip(coarse, pitches, strict=True)]
    return degradation_of([k.scaled(m) for k, m in zip(kernels, magnified, strict=True)], coarse, fine, (shift, 0.0))


def project_base(
    start: ProjectedVolume, upsampled: UpsampledScan, projector: Projector, p: Parameters, progress: Progress
) -> ProjectedVolume:
    """What the residual is added to, as far as it is known before anything is restored.

    Args:
        start: the data-consistent upsampling.
        upsampled: has the cubic one. p: says which; "none" is an empty volume.
        progress: advanced by one per view where another volume than the start is projected.
    """
    if p.base == "cubic":
        return ProjectedVolume.of(to_unit(upsampled.cubic, upsampled.hu_range), projector, progress)
    if p.base == "none":
        empty = start.volume.new_zeros(()).expand(start.volume.shape)
        return ProjectedVolume(empty, torch.zeros_like(start.views))
    return start


def projection_steps(p: Parameters) -> int:
    """How often projecting the start and :func:`project_base` advance their progress."""
    return 2 * p.views if p.base == "cubic" else p.views
