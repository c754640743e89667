"""From scan to result: the method, in the order of its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.degradation.data_consistency import agree_with_scan, disagreement
from CTSuperResolutionLib.degradation.noise_estimation import scan_noise
from CTSuperResolutionLib.degradation.operator import assumed_blur, make_degradation
from CTSuperResolutionLib.degradation.upsampling import VIEW_UPSAMPLING, upsample
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.priors import find_prior, prior_name
from CTSuperResolutionLib.planning.cost_model import stage_seconds
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.stages.reconstruct_residual import carrier_steps, carry
from CTSuperResolutionLib.stages.restore_views import restoration_steps, restore_views
from CTSuperResolutionLib.volume.axis_order import Turn
from CTSuperResolutionLib.volume.intensity import restore_clipped, to_hu, to_unit
from CTSuperResolutionLib.volume.volume import Volume


@dataclass(frozen=True, eq=False)
class Result:
    """What comes out of a scan.

    Attributes:
        sr: the super-resolved volume. cubic: the cubic upsampling, on the same grid.
        uncertainty: spread of the prior's samples, HU, on the same grid; None for a single sample.
        report: what was done and found, as plain values for result.json.
    """

    sr: Volume
    cubic: Volume
    uncertainty: Volume | None
    report: dict[str, object]


@torch.no_grad()
def super_resolve(scan: Volume, method: Method, *, progress: Progress | None = None) -> Result:
    """Super-resolve a scan.

    Args:
        scan: the LR volume, already cut to the region of interest.
        method: scale, preset, parameters, prior, seed and device.
        progress: told of every stage; ends the work by raising Cancelled.

    Raises:
        JobError: a scale, device or prior that cannot be used.
    """
    progress = progress or Progress()
    p = method.parameters
    factors = method.factors(scan.spacing, scan.shape)
    progress.plan(stage_seconds(p, scan.shape, factors, scan.spacing))
    progress.stage("upsample")
    device = machine.choose_device(method.device)
    # First, so that a damaged one is said at once.
    prior = Prior.load(find_prior(method.prior), device=device) if p.uses_prior else None
    bounds = (p.hu_low, p.hu_high)
    turn = Turn.of(factors)
    scale, spacing = turn.there(factors), turn.there(scan.spacing)
    fine_spacing = tuple(d / s for d, s in zip(spacing, scale, strict=True))

    coarse = torch.from_numpy(turn.volume(scan.array)).to(device)
    cubic = upsample(coarse, scale)
    blur = assumed_blur(p.blur, scale)
    degradation = make_degradation(cubic.shape, scale, kernel=p.kernel, blur=blur)
    noise = scan_noise(scan.array)
    damping = noise.damping(p.damping)
    trusted = degradation.trusted(coarse, cubic, damping)

    def agree(unit: torch.Tensor) -> torch.Tensor:
        """A volume on the [0, 1] scale brought to HU, and to agreement with the scan."""
        hu = restore_clipped(to_hu(unit.clamp(min=0), bounds), cubic, bounds)
        return agree_with_scan(hu, trusted, degradation, rounds=p.consistency_rounds)

    sharpened_unit = to_unit(agree_with_scan(cubic, trusted, degradation, rounds=p.consistency_rounds), bounds)
    base_unit = sharpened_unit
    if p.base == "cubic":
        base_unit = to_unit(cubic, bounds)
    elif p.base == "none":
        base_unit = cubic.new_zeros(()).expand(cubic.shape)

    progress.stage("project", 2 * p.views if p.base == "cubic" else p.views)
    geometry = scan_geometry(p, coarse.shape, spacing).refined(*scale[:2])
    sharpened_views = base_views = project(sharpened_unit, fine_spacing, geometry, progress=progress)
    if p.base == "none":
        base_views = torch.zeros_like(sharpened_views)
    elif p.base == "cubic":
        base_views = project(base_unit, fine_spacing, geometry, progress=progress)

    restored_views, uncertainty = sharpened_views, None
    view_degradation = make_degradation(geometry.detector_shape, scale[:2], kernel=p.kernel, blur=blur[:2])
    if prior:
        progress.stage("restore", restoration_steps(p, geometry, view_degradation, cubic.shape))
        restored = restore_views(
            sharpened_unit,
            sharpened_views,
            fine_spacing,
            geometry,
            view_degradation,
            prior,
            p,
            seed=method.seed,
            agree=lambda unit: to_unit(agree(unit), bounds),
            progress=progress,
        )
        restored_views, uncertainty = restored.views, restored.uncertainty
        if p.base == "restored":
            base_unit, base_views = restored.volume, restored.volume_views
        sharpened_unit = restored.volume
    elif p.view_restoration in VIEW_UPSAMPLING:
        restored_views = VIEW_UPSAMPLING[p.view_restoration](view_degradation.apply(sharpened_views), scale[:2])

    progress.stage("fit", carrier_steps(p))
    carried = carry(
        restored_views,
        base_views,
        sharpened_unit,
        base_unit,
        fine_spacing,
        geometry,
        p,
        seed=method.seed,
        progress=progress,
    )
    del sharpened_unit

    progress.stage("assemble", cubic.shape[0])
    residual = carried.voxels(progress)
    fine = agree(base_unit + residual).round_()

    def volume(array: torch.Tensor) -> Volume:
        return scan.with_array(turn.back(array.cpu().numpy()), factors)

    report = {
        "scale": list(factors),
        "device": str(device),
        "prior": {"name": prior_name(method.prior), "sha256": prior.sha256} if prior else None,
        "noise": {"hu": round(noise.noise, 1), "damping": round(damping, 3)},
        **carried.report,
        "consistency": {
            "sr": disagreement(fine, coarse, degradation),
            "cubic": disagreement(cubic, coarse, degradation),
        },
    }
    hu_of_unit = bounds[1] - bounds[0]
    return Result(
        sr=volume(fine),
        cubic=volume(cubic),
        uncertainty=None if uncertainty is None else volume(uncertainty * hu_of_unit),
        report=report,
    )


def scan_geometry(p: Parameters, shape: Sequence[int], spacing: Sequence[float]) -> ScanGeometry:
    """The simulated scan of the LR volume: one detector pixel a voxel."""
    beam = cone_beam if p.geometry == "cone" else parallel_beam
    return beam(views=p.views, volume_shape=tuple(shape), spacing=tuple(spacing))
