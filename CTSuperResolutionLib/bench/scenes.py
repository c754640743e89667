"""Benchmark scenes: Gaussians as a fit has them, and the detector or grid to render them on. Lengths in scene units."""

from __future__ import annotations

import math

import torch

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.footprints import Footprints
from CTSuperResolutionLib.gaussians.scene import Scene, VoxelGrid
from CTSuperResolutionLib.projection.geometry import ScanGeometry

# Standard deviations are 0.35 to 1.5 voxels, as a field starts with, times this spread between a Gaussian's axes.
NARROWEST, WIDEST, SPREAD = 0.35, 1.5, 0.3
SOURCE, DETECTOR = 6.0, 9.0  # distances of a cone beam's source and detector
VIEWS, VIEW = 7, 2  # an angle at which nothing is lined up with the detector
SIDE = 1 / math.sqrt(2)  # half of a box along x and y that a detector from -1 to 1 sees whole at every angle


def make_field(case: BenchmarkCase, device: torch.device | str) -> list[torch.Tensor]:
    """Means (n, 3), log-scales (n, 3), quaternions (n, 4) and densities of either sign (n,), float32, to be learnt.

    The same for every backend and device. They fill the box that a fit's volume is, or all of the grid to voxelize.
    """
    generator = torch.Generator().manual_seed(0)
    half = torch.tensor([1.0, 1.0, 1.0] if case.op == "voxelize" else [SIDE, SIDE, 1.0])
    n, voxel = case.gaussians, 2 / case.size
    means = (2 * torch.rand(n, 3, generator=generator) - 1) * half
    scales = voxel * (NARROWEST + (WIDEST - NARROWEST) * torch.rand(n, 3, generator=generator))
    log_scales = scales.log() + SPREAD * torch.randn(n, 3, generator=generator)
    quats = torch.randn(n, 4, generator=generator)
    densities = torch.randn(n, generator=generator)
    return [tensor.to(device).requires_grad_() for tensor in (means, log_scales, quats, densities)]


def make_geometry(case: BenchmarkCase, *, unit: float = 1.0, views: int = VIEWS) -> ScanGeometry:
    """A square detector over the scene, its pixels as large as a voxel is there; a scene unit is ``unit`` long."""
    angles = tuple(math.pi * k / views for k in range(views))
    shape, voxel = (case.size, case.size), 2 * unit / case.size
    if case.beam == "cone":
        pitch = voxel * DETECTOR / SOURCE
        return ScanGeometry(angles, shape, (pitch, pitch), SOURCE * unit, DETECTOR * unit)
    return ScanGeometry(angles, shape, (voxel, voxel))


def make_grid(case: BenchmarkCase) -> VoxelGrid:
    """A cube of voxels over the scene."""
    return Scene.around((case.size,) * 3, (1.0,) * 3).grid


def make_footprints(case: BenchmarkCase) -> Footprints:
    """Where a case's Gaussians lie on its array."""
    field = make_field(case, "cpu")
    if case.op == "voxelize":
        return Footprints.on_grid(field, make_grid(case))
    return Footprints.on_detector(field, make_geometry(case), VIEW)
