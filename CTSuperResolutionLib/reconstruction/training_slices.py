"""Training slices of a slice fixer: CTs scanned with few views and reconstructed, at many stages, on purpose too early.

DiffNR's data curation: what a fixer will be shown is what comes out of a fit that is not finished. What it is shown
is linear in the volume, so that a mixture of two reconstructions is a further one, and one with the truth is like what
a fit comes to that a repaired volume has guided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import DENSEST, shown_to_fixer
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
from CTSuperResolutionLib.reconstruction.simulated_scan import BEAMS, SimulatedScan
from CTSuperResolutionLib.reconstruction.simulation import simulate
from CTSuperResolutionLib.reconstruction.slice_repair import left_over
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.resampling import isotropic
from CTSuperResolutionLib.volume.volume import Volume

SPACING_MM = (2.5, 5.0)  # of the volumes, drawn between
MOST_SIDES = (24, 64, 64)  # voxels (z, y, x)
LEAST_SIDE = 16
VIEWS = (10, 12, 18, 24, 36)
PHOTONS = (1e4, 1e6)
SWEEPS = (2, 8)  # of SART, after which it is looked at
STEPS = {"gaussians": (150, 450), "naf": (100, 200)}  # of a fit, drawn between
SHARES = (0.4, 0.6, 1.0)  # of a fit, after which it is looked at
CLIP_HU = (-1024.0, 3071.0)
SMALL_FIT = {"rays": 256, "hash_bits": 13}
MIXED = 0.5  # of the slices are of two reconstructions, or of one and the truth
NEAREST = 0.8  # share of the truth in such a slice, at the most


@dataclass(frozen=True, eq=False)
class TrainingSlices:
    """Reconstructions of one scan, attenuation relative to water, float32; the last one is the truth.

    Attributes:
        volumes: (k, z, y, x). missing: what the views say beyond each, as :func:`.left_over` has it, same shape.
        views: (z, 2, rows, columns).
    """

    volumes: torch.Tensor
    missing: torch.Tensor
    views: torch.Tensor

    def draw(self, rng: np.random.Generator, side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A square of a slice of some reconstruction, flipped or not, as the fixer is shown it.

        Returns:
            Slices (1, 6, side, side), views (1, 2, rows, columns), and the truth (1, 1, side, side) in [0, 1].
        """
        stages, depth, *sides = self.volumes.shape
        first, second = (int(k) for k in rng.integers(0, (stages - 1, stages)))
        share = 0.0 if rng.random() > MIXED else float(rng.uniform(0, NEAREST))
        z = int(rng.integers(depth))
        y, x = (int(rng.integers(n - side + 1)) for n in sides)
        planes = (torch.arange(z - 1, z + 2).clamp(0, depth - 1), slice(y, y + side), slice(x, x + side))

        def mixed(stack: torch.Tensor) -> torch.Tensor:
            a, b = (stack[k][planes] for k in (first, second))
            return a + share * (b - a)

        shown = shown_to_fixer(mixed(self.volumes), mixed(self.missing))[1:2]
        truth = (self.volumes[-1, z, planes[1], planes[2]] / DENSEST).clamp(0, 1)[None, None]
        views = self.views[z : z + 1]
        if rng.random() < 0.5:  # along x, which the first view sees, and along y, which the second does
            shown, truth = shown.flip(-1), truth.flip(-1)
            views = torch.stack([views[:, 0].flip(-1), views[:, 1]], 1)
        if rng.random() < 0.5:
            shown, truth = shown.flip(-2), truth.flip(-2)
            views = torch.stack([views[:, 0], views[:, 1].flip(-1)], 1)
        return shown, views, truth


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
        water, projector = scan.water_mm(), scan.projector
        volumes, missing = [], []
        for volume in (*_stages(scan, rng), truth):
            volumes.append(volume)
            missing.append(left_over(volume, water, projector))
            progress.check()
        views = biplanar_views(water, scan.geometry, scan.place.grid)
        found.append(TrainingSlices(torch.stack(volumes), torch.stack(missing), views))
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


def _stages(scan: Projections, rng: np.random.Generator) -> Iterator[torch.Tensor]:
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
        steps = int(rng.integers(*STEPS[kind]))
        backbone: Backbone = make(water, projector, settings, iterations=steps, seed=int(rng.integers(2**31)))
        for step in range(steps):
            backbone.step()
            if step + 1 in {round(share * steps) for share in SHARES}:
                yield backbone.volume()
