"""The method from scan to result, in the order of its figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.degradation.acquisition import Acquisition
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.priors import prior_name
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.planning.bands import result_bands
from CTSuperResolutionLib.planning.cost_model import stage_seconds
from CTSuperResolutionLib.stages.adapt_prior import prior_for
from CTSuperResolutionLib.stages.banded_residual import banded_residual, banded_steps
from CTSuperResolutionLib.stages.project_volume import (
    ProjectedVolume,
    make_projector,
    make_view_degradation,
    project_base,
    projection_steps,
)
from CTSuperResolutionLib.stages.restore_views import Restorer, interpolate_views
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.stages.upsample_scan import UpsampledScan, upsample_scan
from CTSuperResolutionLib.volume.intensity import to_unit_in_place
from CTSuperResolutionLib.volume.volume import Volume


@dataclass(frozen=True, eq=False)
class Result:
    """What comes out of a scan.

    Attributes:
        sr: the super-resolved volume.
        make_cubic, make_measured: make the volumes beside it, see below: anew every time, for volumes are what limits
            the size of a job.
        uncertainty: spread of the prior's samples, HU, on the same grid; None for a single sample.
        acquisition: of the scan, as it was found out or given.
        report: what was done and found, as plain values for result.json, which has more on the volumes as written.
    """

    sr: Volume
    make_cubic: Callable[[], Volume]
    make_measured: Callable[[], Volume]
    uncertainty: Volume | None
    acquisition: Acquisition
    report: dict[str, object]

    @property
    def cubic(self) -> Volume:
        """The cubic upsampling, on the same grid."""
        return self.make_cubic()

    @property
    def measured(self) -> Volume:
        """What the scan supports without a prior, on the same grid: cubic made consistent with the scan.

        No prior, no fit and no random numbers are in it, and A gives the same of it as of ``sr``: sr − measured is what
        was added where the scanner does not see. In slices that are in no band, and so not wanted, it is cubic.
        """
        return self.make_measured()


@torch.no_grad()
def super_resolve(
    scan: Volume,
    method: Method,
    *,
    target: TargetGrid | None = None,
    findings: ScanFindings | None = None,
    prior: Prior | None = None,
    bands: Sequence[slice] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Super-resolve a scan.

    Args:
        scan: the LR volume, already cut to the region of interest. method: how.
        target: the grid of the result over the scan, where it is part of a larger one; the method's own where None.
        findings, prior, bands: of the scan that it is part of, see :class:`.ScanFindings`, :func:`.prior_for` and
            :mod:`.bands`; its own if None.
        progress: told of every stage; may raise Cancelled.

    Raises:
        JobError: a scale, device or prior that cannot be used.
    """
    progress, p = progress or Progress(), method.parameters
    target = (target or method.target_grid(scan.shape, scan.spacing)).countable()
    progress.plan(stage_seconds(p, scan.shape, target.factors, scan.spacing))

    device = machine.choose_device(method.device)
    # First, so that a damaged one is said at once.
    prior = prior or prior_for(scan, target, method, device, findings, progress)
    progress.stage("upsample", 1 + p.consistency_rounds)
    upsampled = upsample_scan(scan, target, p, device, findings, progress)
    measured, bands = upsampled.measured(progress), bands or result_bands(upsampled.target)

    progress.stage("project", projection_steps(p))
    projector = make_projector(upsampled, p)
    kept = _KeptHu.of(measured, bands)
    # Held so that who needs a volume last lets go of it: volumes are what limits the size of a job.
    held = [ProjectedVolume.of(to_unit_in_place(measured, upsampled.hu_range), projector, progress)]
    del measured
    base = None if p.base == "restored" else project_base(held[0], upsampled, projector, p, progress)
    view_degradation = make_view_degradation(upsampled, projector)
    if prior:
        restorer = Restorer(prior, upsampled, projector, view_degradation, p, method.seed)
        progress.stage("restore", restorer.steps)
        restored = restorer.restore(held.pop(), progress)
    else:
        restored = interpolate_views(held.pop(), view_degradation, p)
    base = base or restored.start

    progress.stage("fit", banded_steps(p, len(bands)))
    shared = {"slices": upsampled.findings.slices, "seed": method.seed}
    residual = banded_residual(restored, base, projector, p, bands, **shared, progress=progress)

    progress.stage("assemble", p.consistency_rounds)
    report = _reported(method, prior, device) | residual.report | upsampled.report()
    uncertainty, unit = _in_hu(restored.uncertainty, upsampled), residual.added_to(base.volume)
    del base, residual, restored
    sr = upsampled.result(upsampled.enforce(unit, progress).round_())
    measured_of_scan = partial(kept.beside_cubic, upsampled)
    return Result(sr, upsampled.cubic_of_scan, measured_of_scan, uncertainty, upsampled.acquisition, report)


def _reported(method: Method, prior: Prior | None, device: torch.device) -> dict[str, object]:
    if prior is None:
        return {"device": str(device), "prior": None}
    used: dict[str, object] = {"name": prior_name(method.prior), "sha256": prior.sha256}
    adaptation = {} if prior.adaptation is None else {"adaptation": dict(prior.adaptation)}
    return {"device": str(device), "prior": used | adaptation}


@dataclass(frozen=True, eq=False)
class _KeptHu:
    """Slices of a volume in whole HU, half as large: volumes are what limits the size of a job."""

    slices: slice
    hu: torch.Tensor

    @classmethod
    def of(cls, volume: torch.Tensor, bands: Sequence[slice]) -> _KeptHu:
        wanted = slice(bands[0].start, bands[-1].stop)
        whole = volume[wanted].new_empty(volume[wanted].shape, dtype=torch.int16)
        for to, values in zip(whole, volume[wanted], strict=True):
            to.copy_(values.round())
        return cls(wanted, whole)

    def beside_cubic(self, upsampled: UpsampledScan) -> Volume:
        fine = upsampled.cubic
        for to, values in zip(fine[self.slices], self.hu, strict=True):
            to.copy_(values)
        return upsampled.result(fine)


def _in_hu(uncertainty: torch.Tensor | None, upsampled: UpsampledScan) -> Volume | None:
    low, high = upsampled.hu_range
    return None if uncertainty is None else upsampled.to_volume(uncertainty * (high - low))
