"""Degraded CTs as training examples: slices and projections, before and after a scanner's degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.damping import Damping
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise, white_noise
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.simulation import CLIP_HU
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.training.acquisitions import DrawnAcquisition, draw_acquisition
from CTSuperResolutionLib.diffusion.training.examples import REACH, Example, cut
from CTSuperResolutionLib.projection.geometry import parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.resampling import isotropic

BLOCK = (96, 144, 144)  # fine voxels of a volume that are degraded together
PLANE = (16, 256, 256)  # the same of one whose slices stand apart
THICK = 2.0  # mm; slices this far apart and more do not say how a volume goes on between them
SMALLEST = 32  # voxels along a block's shortest side, or along a side of a slice that stands apart
SPACINGS = (1.0, 1.0, 0.8, 1.25, 1.5)  # mm that a volume is brought to, one of them for each block
FINEST = 0.75  # of a CT's own largest spacing: what it is brought to is no finer
OVERLAP, PLANES_OVERLAP = 4, 2  # how many blocks a voxel is in, or a pixel of slices that stand apart
MOST_BLOCKS = 96  # of one CT
VIEWS = 16  # projections of one block
DAMPING, ROUNDS = 0.1, 12  # as every preset has them
FADED_SHARE = 0.5  # of the slices whose neighbours are shown by less than they have
SHARPENED_SHARE = 0.25  # of the blocks that are sharpened as kernels for bone do it
SHARPENED_BY, SHARPENED_WIDTHS = (0.3, 1.2), (0.6, 1.2)  # of what a Gaussian of that σ in fine voxels takes away


@dataclass(frozen=True, eq=False)
class DegradedVolume:
    """A block of a volume and its super-resolution without a prior, on the [0, 1] scale.

    Attributes:
        truth, start: (z, y, x), float16.
        slices: how those along each axis were measured; a single one where they stand apart, along z.
        views: how the projections were measured. true_views, start_views: over half a turn, (views, v, u), float32,
            brightest 1; None where rows and columns of an axial slice were measured differently.
        slice_spread, view_spread: mean of (start - truth)².
    """

    truth: np.ndarray
    start: np.ndarray
    slices: tuple[ImageAcquisition, ...]
    views: ImageAcquisition | None
    true_views: np.ndarray | None
    start_views: np.ndarray | None
    slice_spread: float
    view_spread: float


class DegradedCt:
    """Examples from one CT, of which blocks are degraded in several ways.

    Args:
        volumes: see :func:`degrade_ct`.
        projections: share of the examples that are projections; the others are slices along any axis.
    """

    def __init__(self, volumes: Sequence[DegradedVolume], *, projections: float = 0.5) -> None:
        self._volumes, self._projections = list(volumes), projections

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        """A random example of crop x crop pixels that is not all one value, if one is found soon."""
        for _ in range(5):
            volume = self._volumes[rng.integers(len(self._volumes))]
            if volume.views is not None and rng.random() < self._projections:
                example = _view(volume, rng, crop)
            else:
                example = _slice(volume, rng, crop)
            if np.ptp(example.truth) > 0.02:
                break
        return example


def _view(volume: DegradedVolume, rng: np.random.Generator, crop: int) -> Example:
    assert volume.views is not None and volume.true_views is not None and volume.start_views is not None
    index = int(rng.integers(len(volume.true_views)))
    images = volume.start_views[index], volume.true_views[index]
    start, truth = cut(images, rng, crop, _grid(volume.views))
    return Example(2 * start - 1, 2 * truth - 1, 4 * volume.view_spread, volume.views)


def _slice(volume: DegradedVolume, rng: np.random.Generator, crop: int) -> Example:
    axis = int(rng.integers(len(volume.slices)))
    count = volume.truth.shape[axis]
    index, acquisition = int(rng.integers(count)), volume.slices[axis]
    beside: list[int] = []
    if len(volume.slices) > 1:
        beside = [index + k for k in range(-REACH, REACH + 1) if k]
    images = [np.take(volume.start, index, axis), np.take(volume.truth, index, axis)]
    images += [np.take(volume.start, min(max(k, 0), count - 1), axis) for k in beside]
    start, truth, *others = cut(images, rng, crop, _grid(acquisition))
    # A network that always sees all of them relies on them where edges are sharper than those that it learned from.
    shown = rng.random() if rng.random() < FADED_SHARE else 1.0
    neighbours = np.float32(2 * shown) * (np.stack(others) - start) if others else None
    return Example(2 * start - 1, 2 * truth - 1, 4 * volume.slice_spread, acquisition, neighbours)


def _grid(acquisition: ImageAcquisition) -> tuple[int, int]:
    return int(acquisition.row_factor), int(acquisition.column_factor)


@torch.no_grad()
def degrade_ct(hu: np.ndarray, spacing: Sequence[float], rng: np.random.Generator) -> list[DegradedVolume]:
    """Random blocks of a CT, each degraded by an acquisition of its own and brought back without a prior.

    What is assumed of a scanner differs from the truth by a tenth or so, as it does in use. Volumes with thick slices
    are degraded in the plane only, and their slices stand apart: nothing is known of what lies between them.

    Args:
        hu: (z, y, x). spacing: mm, (z, y, x).
        rng: draws blocks, acquisitions and angles.

    Returns:
        Four for each block that would fill the CT (two where slices stand apart), two at least and 96 at most;
        none of too small a CT.
    """
    hu, planar = np.clip(hu, *CLIP_HU).astype(np.float32), spacing[0] >= THICK
    if planar:
        count = PLANES_OVERLAP * hu.size / np.prod(PLANE)
    else:
        count = OVERLAP * hu.size * np.prod(spacing) / np.prod(BLOCK)
    volumes = []
    for _ in range(min(max(round(count), 2), MOST_BLOCKS)):
        millimetres = max(float(rng.choice(SPACINGS)), FINEST * max(spacing))
        acquisition = draw_acquisition(rng, planar=planar)
        fine = _slices_apart(hu, rng) if planar else _block(hu, spacing, millimetres, rng)
        if rng.random() < SHARPENED_SHARE:
            fine = _sharpened(fine, rng, planar)
        sides = tuple(n - n % f for n, f in zip(fine.shape, acquisition.factors, strict=True))
        if min(sides[1:] if planar else sides) < SMALLEST:
            continue
        truth = torch.from_numpy(np.ascontiguousarray(fine[tuple(map(slice, sides))]))
        volumes.append(_degraded(truth, millimetres, acquisition, planar, rng))
    return volumes


def _block(hu: np.ndarray, spacing: Sequence[float], millimetres: float, rng: np.random.Generator) -> np.ndarray:
    """A random block of a volume, brought to isotropic voxels."""
    sides = [min(n, round(most * millimetres / d)) for n, most, d in zip(hu.shape, BLOCK, spacing, strict=True)]
    firsts = [int(rng.integers(n - side + 1)) for n, side in zip(hu.shape, sides, strict=True)]
    block = hu[tuple(slice(first, first + side) for first, side in zip(firsts, sides, strict=True))]
    return isotropic(block, spacing, millimetres)


def _slices_apart(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same random part of random slices, as they are."""
    depth, *sides = (min(n, most) for n, most in zip(hu.shape, PLANE, strict=True))
    chosen = rng.choice(len(hu), depth, replace=False)
    top, left = (int(rng.integers(n - side + 1)) for n, side in zip(hu.shape[1:], sides, strict=True))
    return hu[chosen, top : top + sides[0], left : left + sides[1]]


def _sharpened(fine: np.ndarray, rng: np.random.Generator, planar: bool) -> np.ndarray:
    """As a sharp kernel gives it: along rows and columns, and half of the time across thin slices as well."""
    width, more = rng.uniform(*SHARPENED_WIDTHS), rng.uniform(*SHARPENED_BY)
    across = 0.0 if planar or rng.random() < 0.5 else width
    sharp: np.ndarray = fine + np.float32(more) * (fine - ndi.gaussian_filter(fine, (across, width, width)))
    return np.clip(sharp, *CLIP_HU)


def _degraded(
    truth: torch.Tensor, millimetres: float, acquisition: DrawnAcquisition, planar: bool, rng: np.random.Generator
) -> DegradedVolume:
    scan = acquisition.scan(truth, rng)
    cubic = upsample(scan, acquisition.factors)
    degradation = acquisition.assumed_degradation(tuple(truth.shape))
    # Of slices that stand apart the noise is that within each of them.
    white, content = white_noise(scan[len(scan) // 2].numpy() if planar else scan.numpy())
    damping = Damping(ScanNoise(white=white, content=content).damping(DAMPING))
    consistency = DataConsistency.damped(degradation, scan, cubic, damping=damping, rounds=ROUNDS)
    start = to_unit(consistency.enforce(cubic), CLIP_HU)
    truth = to_unit(truth, CLIP_HU)
    noise = white / (CLIP_HU[1] - CLIP_HU[0])
    views, true_views, start_views, view_spread = None, None, None, 0.0
    if not planar and acquisition.assumed[1] == acquisition.assumed[2]:
        views = ImageAcquisition.of_views(Degradation(degradation.axes[:2]), noise)
        true_views, start_views = _project(truth, start, millimetres, acquisition.factors, rng)
        view_spread = float(np.mean(np.square(start_views - true_views)))
    return DegradedVolume(
        truth=truth.numpy().astype(np.float16),
        start=start.numpy().astype(np.float16),
        slices=tuple(ImageAcquisition.of_slices(degradation, k, noise) for k in ((0,) if planar else (0, 1, 2))),
        views=views,
        true_views=true_views,
        start_views=start_views,
        slice_spread=float((truth - start).square().mean()),
        view_spread=view_spread,
    )


def _project(
    truth: torch.Tensor, start: torch.Tensor, millimetres: float, factors: Sequence[int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Projections of a block and of its super-resolution at the same random angles, on one scale."""
    depth, height, width = truth.shape
    coarse_shape = depth // factors[0], height // factors[1], width // factors[2]
    coarse = millimetres * factors[0], millimetres * factors[1], millimetres * factors[2]
    geometry = parallel_beam(views=VIEWS, volume_shape=coarse_shape, spacing=coarse).refined(*factors[:2])
    geometry = replace(geometry, angles=tuple(np.sort(rng.uniform(0, np.pi, VIEWS)).tolist()))
    projector = Projector(VolumeGrid((depth, height, width), (millimetres,) * 3), geometry)
    of_truth, of_start = projector.forward(truth), projector.forward(start)
    brightest = of_start.max().clamp(min=1e-6)
    return (of_truth / brightest).numpy(), (of_start / brightest).numpy()
