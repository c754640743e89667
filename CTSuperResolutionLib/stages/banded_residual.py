"""Stage 4, for all of a volume: the residual, band by band where a parallel beam leaves slices separable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.gaussians.backends.choice import choose_backend
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.planning.bands import OVERLAP
from CTSuperResolutionLib.planning.cost_model import gaussian_counts
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume
from CTSuperResolutionLib.stages.reconstruct_residual import reconstruct_residual, residual_steps
from CTSuperResolutionLib.stages.restore_views import Restored


@dataclass(frozen=True, eq=False)
class BandedResidual:
    """The residual of a volume in its bands, and zero elsewhere.

    Attributes:
        first: slice of the volume at which the bands begin. volume: the residual from there on, (z, y, x).
        report: what result.json says of it.
    """

    first: int
    volume: torch.Tensor
    report: dict[str, object]

    def added_to(self, base: torch.Tensor) -> torch.Tensor:
        """The sum with a volume, in its place; with an empty one, which is a single value, in a new one."""
        base = base.contiguous()
        base[self.first : self.first + len(self.volume)] += self.volume
        return base


def banded_residual(
    restored: Restored,
    base: ProjectedVolume,
    projector: Projector,
    p: Parameters,
    bands: Sequence[slice],
    *,
    slices: int,
    seed: int,
    progress: Progress,
) -> BandedResidual:
    """The volume that a base lacks to have the restored views.

    Args:
        restored, base, projector, p: as those of :func:`.reconstruct_residual`.
        bands: of the volume's slices, one after the other, see :mod:`.bands`; the residual of all others is zero.
        slices: of the whole result, which shares its Gaussians out to the bands by their height.
        seed: of all that is drawn. progress: advanced by :func:`banded_steps`.
    """
    rows, height = projector.geometry.detector_shape[0], projector.grid.shape[0]
    if projector.geometry.is_cone or rows != height:
        bands = [slice(0, height)]
    if p.residual == "gaussians":
        progress.note(choose_backend(restored.views.device).why)
    first = bands[0].start
    volume = restored.start.volume.new_zeros((bands[-1].stop - first, *projector.grid.shape[1:]))
    reports = []
    for band in bands:
        machine.release_freed_memory()
        some = slice(max(band.start - OVERLAP, 0), min(band.stop + OVERLAP, height))
        found = reconstruct_residual(
            Restored(_rows(restored.views, projector, some), _cut(restored.start, projector, some)),
            _cut(base, projector, some),
            _of_slices(projector, some),
            _shared_out(p, projector, some.stop - some.start, slices),
            seed=seed,
            progress=progress,
        )
        voxels = found.voxels(progress.in_parts(some.stop - some.start))
        volume[band.start - first : band.stop - first] = voxels[band.start - some.start : band.stop - some.start]
        reports.append(found.report)
    return BandedResidual(first, volume, merged_reports(reports))


def banded_steps(p: Parameters, bands: int) -> int:
    """How often :func:`banded_residual` advances its progress, for so many bands."""
    return (residual_steps(p) + 1) * (1 if p.geometry == "cone" else bands)


def merged_reports(reports: Sequence[dict[str, object]]) -> dict[str, object]:
    """What result.json says of several fields: the sum of their Gaussians, and the mean of their γ."""
    merged = dict(reports[0])
    if "gaussians" in merged:
        merged["gaussians"] = sum(_number(report["gaussians"]) for report in reports)
    if merged.get("gamma") is not None:
        merged["gamma"] = round(sum(_number(report["gamma"]) for report in reports) / len(reports), 6)
    return merged


def _number(value: object) -> int | float:
    assert isinstance(value, int | float)
    return value


def _cut(projected: ProjectedVolume, projector: Projector, some: slice) -> ProjectedVolume:
    return ProjectedVolume(projected.volume[some], _rows(projected.views, projector, some))


def _rows(views: torch.Tensor, projector: Projector, some: slice) -> torch.Tensor:
    """The rows of views that see some slices; all for the whole volume, of which a cone beam needs more than slices."""
    return views if some == slice(0, projector.grid.shape[0]) else views[:, some]


def _of_slices(projector: Projector, some: slice) -> Projector:
    """The projector of some slices, with the rows of the detector that see them."""
    count = some.stop - some.start
    _, rows, columns = projector.grid.shape
    if count == projector.grid.shape[0]:
        return projector
    geometry = replace(projector.geometry, detector_shape=(count, projector.geometry.detector_shape[1]))
    return Projector(VolumeGrid((count, rows, columns), projector.grid.spacing), geometry)


def _shared_out(p: Parameters, projector: Projector, height: int, slices: int) -> Parameters:
    """The parameters with the Gaussians that so many of all slices are due."""
    _, rows, columns = projector.grid.shape
    start, limit = gaussian_counts(p, slices * rows * columns)
    if height >= slices:
        return p
    share = height / slices
    return replace(p, gaussians=max(round(start * share), 16), max_gaussians=max(round(limit * share), 16))
