"""Cost of a reconstruction: about the seconds of its stages on a plain computer, for the estimate of the time left."""

from __future__ import annotations

import math

from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod

CONE, PARALLEL = 7e-8, 4e-9  # of a view and voxel, there and back, as measured on one core
FILTERED = 1.5e-8  # of a view and voxel, backprojected
TV_STEP = 5e-7  # of a voxel, ten of them
NAF_SAMPLE = 1.1e-6


def stage_seconds(method: ReconstructionMethod, geometry: ScanGeometry, grid: VolumeGrid) -> dict[str, float]:
    """Seconds by stage, those of :func:`.reconstruct` and of writing."""
    p, voxels = method.parameters, math.prod(grid.shape)
    sweep = (CONE if geometry.is_cone else PARALLEL) * geometry.views * voxels
    kind = p.backbone if method.name == "diffnr" else method.name
    pixels = math.prod(geometry.detector_shape)
    gaussians = p.gaussians * (1 + p.growth) / 2
    fit = {
        "sart": p.sart_sweeps * sweep,
        "asd-pocs": p.pocs_rounds * (sweep + TV_STEP * voxels),
        "gaussians": p.gaussian_steps
        * (4e-3 + 1e-7 * gaussians + p.views_per_step * (1.5e-7 * gaussians + 2e-8 * pixels)),
        "naf": p.naf_steps * NAF_SAMPLE * p.rays * max(grid.shape),
    }
    filtered = 0.05 + FILTERED * geometry.views * voxels
    return {
        "filter": filtered,
        **({"fit": fit[kind]} if kind in fit else {}),
        "compare": 0.05 + sweep / 2,
        "write": 1.0 + 2e-7 * voxels,
    }
