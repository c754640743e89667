"""Reconstruction from projections to a volume, by any of the methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer
from CTSuperResolutionLib.errors import JobError, OtherOption, bytes_text
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.reconstruction.backbone import Backbone
from CTSuperResolutionLib.reconstruction.biplanar import biplanar_views
from CTSuperResolutionLib.reconstruction.cost import stage_seconds
from CTSuperResolutionLib.reconstruction.diffnr import fit_with_repair
from CTSuperResolutionLib.reconstruction.fdk import filtered_backprojection
from CTSuperResolutionLib.reconstruction.gaussian_backbone import GaussianBackbone
from CTSuperResolutionLib.reconstruction.iterative import asd_pocs, sart, sart_steps
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod
from CTSuperResolutionLib.reconstruction.naf import NafBackbone
from CTSuperResolutionLib.reconstruction.projections import Projections
from CTSuperResolutionLib.reconstruction.settings import Settings
from CTSuperResolutionLib.reconstruction.slice_repair import SliceRepair
from CTSuperResolutionLib.volume.volume import Volume

LEAST_VOLUMES = 3  # float32: the result, filtered backprojection, and what is projected


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What comes out of projections.

    Attributes:
        volume: HU. fdk: filtered backprojection of the same views, HU, on the same grid.
        report: what was done and found, as plain values for result.json.
    """

    volume: Volume
    fdk: Volume
    report: dict[str, Any]


def reconstruct(
    projections: Projections, method: ReconstructionMethod, *, progress: Progress | None = None
) -> Reconstruction:
    """Reconstruct the volume behind some views.

    Args:
        projections: line integrals with their geometry. method: how.
        progress: told of every stage; may raise Cancelled.

    Raises:
        JobError: a device or a slice fixer that cannot be used, or a volume that memory cannot hold.
    """
    progress = progress or Progress()
    device = machine.choose_device(method.device)
    _require_memory(projections, device)
    # First, so that one that is missing or damaged is said at once.
    p = method.parameters
    fixer = SliceFixer.load(method.fixer_folder, device, p.word) if method.name == "diffnr" else None
    water, projector = projections.water_mm(device), projections.projector
    views = projector.geometry.views
    progress.plan(stage_seconds(method, projector.geometry, projector.grid))
    progress.stage("filter", views)
    with torch.no_grad():
        first = filtered_backprojection(water, projector.geometry, projector.grid, progress)
    report: dict[str, Any] = {"device": str(device)}
    if method.name == "fdk":
        found = first
    elif method.name == "sart":
        progress.stage("fit", sart_steps(p.sart_sweeps, views))
        found = sart(water, projector, sweeps=p.sart_sweeps, progress=progress)
    elif method.name == "asd-pocs":
        progress.stage("fit", sart_steps(p.pocs_rounds, views))
        found = asd_pocs(water, projector, rounds=p.pocs_rounds, tolerance=p.pocs_tolerance, progress=progress)
    else:
        found, more = _fitted(water, projections, method, fixer, progress)
        report |= more
    progress.stage("compare", views)
    with torch.no_grad():
        missing = projector.forward(found, progress=progress) - water
    # Of what is measured, so that 0.01 is a hundredth of the signal.
    report["projection_error"] = round(float(missing.norm() / water.norm()), 6)
    return Reconstruction(projections.volume(found), projections.volume(first), report)


def _require_memory(projections: Projections, device: torch.device) -> None:
    """Refuse what no method can do, before it is tried: every one holds a few volumes and stacks of views."""
    shape = projections.place.grid.shape
    least = 4 * LEAST_VOLUMES * (math.prod(shape) + projections.integrals.size)
    free = machine.available_memory(device)
    if least > free:
        raise JobError(
            f"A volume of {' x '.join(map(str, shape))} voxels from these views needs at least {bytes_text(least)} of "
            f"memory and {bytes_text(free)} are free",
            OtherOption("size", "a smaller {}"),
            OtherOption("spacing", "a larger {}"),
        )


def _fitted(
    water: torch.Tensor,
    projections: Projections,
    method: ReconstructionMethod,
    fixer: SliceFixer | None,
    progress: Progress,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """The volume of a backbone that is fitted to the views, and what it says of itself."""
    p = method.parameters
    kind = p.backbone if method.name == "diffnr" else method.name
    steps = p.gaussian_steps if kind == "gaussians" else p.naf_steps
    make: Callable[..., Backbone] = GaussianBackbone if kind == "gaussians" else NafBackbone
    progress.stage("fit", steps)
    backbone = make(water, projections.projector, p, iterations=steps, seed=method.seed)
    if fixer is None:
        for _ in range(steps):
            backbone.step()
            progress.advance()
        return backbone.volume(), backbone.report
    repair = slice_repair(fixer, water, projections, p, progress)
    volume = fit_with_repair(backbone, repair, p, steps=steps, seed=method.seed, progress=progress)
    known = {"name": method.fixer_folder.name, **fixer.provenance}
    return volume, {**backbone.report, "slice_fixer": known}


def slice_repair(
    fixer: SliceFixer, water: torch.Tensor, projections: Projections, settings: Settings, progress: Progress
) -> SliceRepair:
    """Repair of volumes of a scan, as the settings have it.

    Args:
        fixer: what repairs. water: the projections, (views, v, u), mm of water, on the device. projections: the scan.
        settings: rounds, sweeps and ablations. progress: asked now and then whether to go on.
    """
    views = biplanar_views(water, projections.geometry, projections.place.grid)
    if settings.biplanar == "no":
        views = torch.zeros_like(views)
    used = fixer if settings.repaired == "yes" else None
    return SliceRepair(
        used, water, projections.projector, views, settings.repair_rounds, settings.repair_sweeps, progress
    )
