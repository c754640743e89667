"""Training slices of a slice fixer: CTs scanned with few views and reconstructed, at many stages, on purpose too early.

DiffNR's data curation: what a fixer will be shown is what comes out of a fit that is not finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import DENSEST, with_neighbours
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.reconstruction.attenuation import relative_to_water
from CTSuperResolutionLib.reconstruction.backbone import Backbone
from CTSuperResolutionLib.reconstruction.biplanar import biplanar_views
from CTSuperResolutionLib.reconstruction.fdk import filtered_backprojection
from CTSuperResolutionLib.reconstruction.gaussian_backbone import GaussianBackbone
from CTSuperResolutionLib.reconstruction.iterative import OrderedSubsets
from CTSuperResolutionLib.reconstruction.naf import NafBackbone
from CTSuperResolutionLib.reconstruction.projections import Projections
from CTSuperResolutionLib.reconstruction.settings import Settings
from CTSuperResolutionLib.reconstruction.simulation import BEAMS, SimulatedScan, simulate
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.resampling import isotropic
from CTSuperResolutionLib.volume.volume import Volume

SPACING_MM = (2.5, 5.0)  # of the volumes, drawn between
MOST_SIDES = (24, 72, 72)  # voxels (z, y, x)
LEAST_SIDE = 16
VIEWS = (10, 12, 18, 24, 36)
PHOTONS = (1e4, 1e6)
SWEEPS = (1, 4, 10)  # of SART, after which it is looked at
STEPS = {"gaussians": 120, "naf": 100}  # of a fit, looked at halfway and at its end
CLIP_HU = (-1024.0, 3071.0)
SMALL_FIT = {"rays": 256, "hash_bits": 13, "density_rate": 10}


@dataclass(frozen=True, eq=False)
class TrainingSlices:
    """Slices of one reconstruction, on the fixer's scale [0, 1], float32.

    Attributes:
        shown: with their neighbours, (n, 3, y, x). views: (n, 2, rows, columns). truth: (n, 1, y, x).
    """

    shown: torch.Tensor
    views: torch.Tensor
    truth: torch.Tensor


def training_slices(cts: Sequence[Path], scans: int, seed: Sequence[int], progress: Progress) -> list[TrainingSlices]:
    """Scan CTs in turn, each time otherwise, and reconstruct them.

    Args:
        cts: files. scans: how many in all. seed: of all that is drawn. progress: advanced by one a scan.

    Raises:
        JobError: a CT is too small.
    """
    rng = np.random.default_rng(list(seed))
    found: list[TrainingSlices] = []
    for number in range(scans):
        path = cts[number % len(cts)]
        scan, truth = _scan(path, read_volume(path), rng)
        views = biplanar_views(scan.water_mm(), scan.geometry, scan.place.grid)
        clean = (truth / DENSEST).clamp(0, 1)[:, None]
        for volume in _stages(scan, int(rng.integers(2**31))):
            found.append(TrainingSlices(with_neighbours((volume / DENSEST).clamp(0, 1)), views, clean))
            progress.check()
        progress.advance()
    return found


def _scan(path: Path, ct: Volume, rng: np.random.Generator) -> tuple[Projections, torch.Tensor]:
    """A part of a CT at a spacing that is drawn, scanned in a way that is drawn; and what is there."""
    spacing = float(rng.uniform(*SPACING_MM))
    hu = isotropic(np.clip(ct.array, *CLIP_HU), ct.spacing, spacing)
    sides = [min(n, most) for n, most in zip(hu.shape, MOST_SIDES, strict=True)]
    if min(sides) < LEAST_SIDE:
        raise JobError(f"The CT {path} is too small to train a slice fixer on; leave it out.")
    starts = [int(rng.integers(n - side + 1)) for n, side in zip(hu.shape, sides, strict=True)]
    part = np.ascontiguousarray(hu[tuple(slice(a, a + n) for a, n in zip(starts, sides, strict=True))], np.float32)
    volume = Volume(part, (spacing,) * 3, (0.0, 0.0, 0.0), ct.direction)
    scan = SimulatedScan(
        views=int(rng.choice(VIEWS)),
        beam=BEAMS[int(rng.random() < 0.7)],  # parallel beams project many times faster, and streak alike
        photons=float(np.exp(rng.uniform(*np.log(PHOTONS)))),
        seed=int(rng.integers(2**31)),
    )
    return simulate(volume, scan), torch.from_numpy(relative_to_water(part))


def _stages(scan: Projections, seed: int) -> Iterator[torch.Tensor]:
    """Reconstructions of a scan, attenuation relative to water: filtered, by SART, and both backbones on their way."""
    water, projector = scan.water_mm(), scan.projector
    with torch.no_grad():
        yield filtered_backprojection(water, scan.geometry, scan.place.grid)
        subsets, volume = OrderedSubsets(water, projector), water.new_zeros(projector.grid.shape)
        for sweep in range(SWEEPS[-1]):
            subsets.sweep(volume, 1.0, Progress())
            if sweep + 1 in SWEEPS:
                yield volume.clone()
    settings = Settings.of(SMALL_FIT)
    for kind, make in (("gaussians", GaussianBackbone), ("naf", NafBackbone)):
        steps = STEPS[kind]
        backbone: Backbone = make(water, projector, settings, iterations=steps, seed=seed)
        for step in range(steps):
            backbone.step()
            if step + 1 in (steps // 2, steps):
                yield backbone.volume()
