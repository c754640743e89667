"""From scan to result: the method, in the order of its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.consistency import agree_with_scan, disagreement
from CTSuperResolutionLib.degradation import assumed_blur, make_degradation
from CTSuperResolutionLib.diffusion.ddnm import SamplerSettings, batch_size, restore, sampler_steps
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.effort import gaussian_counts, stage_seconds
from CTSuperResolutionLib.gaussians.backends.choice import choose_backend
from CTSuperResolutionLib.gaussians.field import edge_strength, energy, initial_field
from CTSuperResolutionLib.gaussians.fit import FitSettings, fit
from CTSuperResolutionLib.gaussians.residual import voxelize_residual
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.priors import find_prior, prior_name
from CTSuperResolutionLib.job.spec import JobSpec
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.least_squares import least_squares
from CTSuperResolutionLib.turn import Turn
from CTSuperResolutionLib.upsampling import upsample
from CTSuperResolutionLib.volume.intensity import restore_clipped, to_hu, to_unit
from CTSuperResolutionLib.volume.volume import Volume


@dataclass(frozen=True, eq=False)
class Result:
    """What comes out of a scan.

    Attributes:
        sr: the super-resolved volume. cubic: the cubic upsampling, on the same grid.
        report: what was done and found, as plain values for result.json.
    """

    sr: Volume
    cubic: Volume
    report: dict[str, object]


@torch.no_grad()
def super_resolve(scan: Volume, spec: JobSpec, *, progress: Progress | None = None) -> Result:
    """Super-resolve a scan.

    Args:
        scan: the LR volume, already cut to the region of interest.
        spec: what to do; its input, output and region are not looked at.
        progress: told of every stage; ends the work by raising Cancelled.

    Raises:
        JobError: a scale, device or prior that cannot be used.
    """
    progress = progress or Progress()
    p = spec.parameters
    factors = spec.factors(scan.spacing, scan.shape)
    progress.plan(stage_seconds(p, scan.shape, factors, scan.spacing))
    progress.stage("upsample")
    device = machine.choose_device(spec.device)
    # First, so that a damaged one is said at once.
    prior = Prior.load(find_prior(spec.prior), device=device) if p.null_space else None
    bounds = (p.hu_low, p.hu_high)
    turn = Turn.of(factors)
    scale, spacing = turn.there(factors), turn.there(scan.spacing)
    fine_spacing = tuple(d / s for d, s in zip(spacing, scale, strict=True))

    coarse = torch.from_numpy(turn.volume(scan.array)).to(device)
    cubic = upsample(coarse, scale)
    blur = assumed_blur(p.blur, scale)
    degradation = make_degradation(cubic.shape, scale, kernel=p.kernel, blur=blur)
    trusted = degradation.trusted(coarse, cubic, p.damping)
    sharpened = agree_with_scan(cubic, trusted, degradation, rounds=p.consistency_rounds)
    sharpened_unit = to_unit(sharpened, bounds)
    base_unit = sharpened_unit if p.base == "consistent" else to_unit(cubic, bounds)

    progress.stage("project", p.views if base_unit is sharpened_unit else 2 * p.views)
    geometry = scan_geometry(p, coarse.shape, spacing).refined(*scale[:2])
    sharpened_views = base_views = project(sharpened_unit, fine_spacing, geometry, progress=progress)
    if base_unit is not sharpened_unit:
        base_views = project(base_unit, fine_spacing, geometry, progress=progress)
    restored_views = sharpened_views
    if prior:
        view_degradation = make_degradation(geometry.detector_shape, scale[:2], kernel=p.kernel, blur=blur[:2])
        sampler = SamplerSettings(
            steps=p.ddim_steps,
            start_step=p.start_step,
            eta=p.eta,
            sigma_y=p.sigma_y,
            batch=batch_size(geometry.detector_shape),
            seed=spec.seed,
        )
        progress.stage("restore", sampler_steps(sampler, p.views))
        coarse_views = view_degradation.apply(sharpened_views)
        drawn_views = restore(coarse_views, sharpened_views, view_degradation, prior, sampler, progress=progress)
        # Part of what a weak prior draws is wrong; Wiener's factor, correlation over energy, says how much to keep.
        restored_views = torch.lerp(sharpened_views, drawn_views, p.null_space)

    near = p.start == "residual"
    progress.stage("fit", p.iterations + (2 * p.views if near else 0))
    scene = Scene.around(cubic.shape, fine_spacing)
    generator = torch.Generator().manual_seed(spec.seed)
    if near:
        missing = least_squares(restored_views - base_views, cubic.shape, fine_spacing, geometry, progress=progress)
        strength = energy(missing)
    else:
        missing = sharpened_unit - base_unit
        strength = edge_strength(base_unit, scene.grid)
    count, limit = gaussian_counts(p, cubic.numel())
    field = initial_field(strength, missing, scene.grid, count=count, gamma=p.gamma, generator=generator)
    del strength, missing, sharpened, sharpened_unit  # volumes: memory is what limits the size of a job
    settings = FitSettings(
        iterations=p.iterations,
        views_per_step=p.views_per_step,
        shape_rate=p.shape_rate,
        density_rate=p.density_rate,
        limit=limit,
        lambda_tv=p.lambda_tv,
        lambda_ssim=p.lambda_ssim,
        densify_every=p.densify_every,
        densify_gradient=p.densify_gradient,
        seed=spec.seed,
    )
    backend = choose_backend(device)
    progress.note(backend.why)
    fit(field, restored_views, base_views, geometry, scene, settings, kernels=backend.kernels, progress=progress)

    progress.stage("assemble", scene.grid.shape[0])
    residual = voxelize_residual(field, scene.grid, kernels=backend.kernels, progress=progress)
    repaired = restore_clipped(to_hu((base_unit + residual).clamp_(min=0), bounds), cubic, bounds)
    fine = agree_with_scan(repaired, trusted, degradation, rounds=p.consistency_rounds).round_()

    def volume(array: torch.Tensor) -> Volume:
        return scan.with_array(turn.back(array.cpu().numpy()), factors)

    report = {
        "scale": list(factors),
        "device": str(device),
        "prior": {"name": prior_name(spec.prior), "sha256": prior.sha256} if prior else None,
        "kernels": backend.name,
        "gaussians": len(field),
        "gamma": round(float(field.gamma), 6),
        "consistency": {
            "sr": disagreement(fine, coarse, degradation),
            "cubic": disagreement(cubic, coarse, degradation),
        },
    }
    return Result(sr=volume(fine), cubic=volume(cubic), report=report)


def scan_geometry(p: Parameters, shape: Sequence[int], spacing: Sequence[float]) -> ScanGeometry:
    """The simulated scan of the LR volume: one detector pixel a voxel."""
    beam = cone_beam if p.geometry == "cone" else parallel_beam
    return beam(views=p.views, volume_shape=tuple(shape), spacing=tuple(spacing))
