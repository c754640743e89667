"""Cost of a reconstruction: about the seconds of its stages on a plain computer, for the estimate of the time left."""

from __future__ import annotations

import math
from dataclasses import dataclass

from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod
from CTSuperResolutionLib.reconstruction.settings import VOXELS_A_GAUSSIAN, Settings, repair_steps

CONE, PARALLEL = 7e-8, 4e-9  # of a view and voxel, there and back, as measured on one core
FILTERED = 1.5e-8  # of a view and voxel, backprojected
TV_STEPS = 5e-7  # of a voxel, ten of them
NAF_SAMPLE = 1.1e-6
NETWORK = 1.7e-6  # of a voxel, repaired
GUIDED = 1e-6  # of a voxel, compared with the repaired one, and fitted to it


@dataclass(frozen=True)
class RepairWork:
    """How often a DiffNR fit does what costs time beside its steps.

    Attributes:
        guided: steps that a repaired volume guides. repairs: volumes that the network repairs.
        smooth_sweeps: over all views, with total variation. sweeps: without.
    """

    guided: int
    repairs: int
    smooth_sweeps: int
    sweeps: int

    @classmethod
    def of(cls, settings: Settings, steps: int) -> RepairWork:
        """That of a fit of so many steps."""
        alone = settings.guide == "none"
        due = [] if alone else repair_steps(settings, steps)
        times = len(due) + 1 if alone or due else 0  # once more at the end
        rounds = times * settings.repair_rounds
        return cls(
            guided=sum(step % settings.guide_every == 0 for step in range(due[0], steps)) if due else 0,
            repairs=rounds if settings.repaired == "yes" else 0,
            smooth_sweeps=rounds * settings.repair_sweeps,
            sweeps=times * settings.repair_sweeps if settings.repair_rounds else 0,
        )


def stage_seconds(method: ReconstructionMethod, geometry: ScanGeometry, grid: VolumeGrid) -> dict[str, float]:
    """Seconds by stage, those of :func:`.reconstruct` and of writing."""
    p, voxels = method.parameters, math.prod(grid.shape)
    sweep = (CONE if geometry.is_cone else PARALLEL) * geometry.views * voxels
    filtered = 0.05 + FILTERED * geometry.views * voxels
    kind = p.backbone if method.name == "diffnr" else method.name
    pixels = math.prod(geometry.detector_shape)
    gaussians = min(p.gaussians, voxels // VOXELS_A_GAUSSIAN) * (1 + p.growth) / 2
    fit = {
        "sart": p.sart_sweeps * sweep,
        "asd-pocs": p.pocs_rounds * (sweep + TV_STEPS * voxels),
        "gaussians": p.gaussian_steps
        * (4e-3 + 1e-7 * gaussians + p.views_per_step * (1.5e-7 * gaussians + 2e-8 * pixels)),
        "naf": p.naf_steps * NAF_SAMPLE * p.rays * max(grid.shape),
    }
    seconds = fit.get(kind, 0.0)
    if method.name == "diffnr":
        work = RepairWork.of(p, p.gaussian_steps if kind == "gaussians" else p.naf_steps)
        slab = voxels / grid.shape[0] * min(p.guide_slices, grid.shape[0])
        seconds += work.guided * (GUIDED + (NAF_SAMPLE if kind == "naf" else 0)) * slab
        seconds += work.repairs * (sweep + filtered + NETWORK * voxels)  # there twice, before the network and after
        seconds += (work.smooth_sweeps + work.sweeps) * sweep + work.smooth_sweeps * TV_STEPS * voxels
    return {
        "filter": filtered,
        **({"fit": seconds} if kind in fit else {}),
        "compare": 0.05 + sweep / 2,
        "write": 1.0 + 2e-7 * voxels,
    }
