"""Stage 2b: the prior learns from the scan: fine within its slices, which say how the other direction would look."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from CTSuperResolutionLib.degradation.acquisition import degradation_of
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.degradation.upsampling import spline_matrix
from CTSuperResolutionLib.diffusion.adaptation import CROP, Lessons, adapt
from CTSuperResolutionLib.diffusion.kept_prior import kept_prior
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetAxis, TargetGrid
from CTSuperResolutionLib.planning.cost_model import learns_from_scan
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.stages.upsample_scan import UpsampledScan, upsample_scan
from CTSuperResolutionLib.volume.intensity import to_hu, to_unit
from CTSuperResolutionLib.volume.volume import Volume

LESSONS, HELD_OUT = 32, 8  # slices
SIDE = 128  # rows and columns, at the most
TENTHS_HELD_OUT = (2, 7)  # of the slices
MIDDLE, WIDEST = 1 << 24, 256  # voxels of the result to learn from, and along each of its sides within slices
COARSER = 1.05  # spacing of slices over that of pixels, from which on rows are brought to it


def prior_for(
    scan: Volume,
    target: TargetGrid,
    method: Method,
    device: torch.device,
    findings: ScanFindings | None,
    progress: Progress,
) -> Prior | None:
    """The prior of a method, which has learned from the middle of a scan of thick slices where ``adapt`` says so.

    Args:
        scan: HU, all of it, so that every part of it is restored by the same prior. target: the grid over it.
        method: how. device: where the network works. findings: on the scan, looked for where None.
        progress: gets a stage of its own where there is something to learn.

    Raises:
        JobError: the prior cannot be used.
    """
    p = method.parameters
    if not p.uses_prior:
        return None
    prior = kept_prior(method.prior_place, device)
    if not learns_from_scan(p, target.factors):
        return prior
    progress.stage("adapt", p.consistency_rounds + LESSONS + HELD_OUT + p.adapt)
    part = _middle(target)
    upsampled = upsample_scan(
        scan.crop(part), target.part(part), p, device, findings or ScanFindings.of(scan, target, p)
    )
    return adapt_prior(prior, upsampled.consistent(progress), upsampled, p, method.seed, progress)


def _middle(target: TargetGrid) -> Slices:
    """The middle of a scan that is refined along one axis, in its own voxels."""
    factors = target.factors
    sizes = [
        axis.size if factor != 1 else min(axis.size, WIDEST) for axis, factor in zip(target.axes, factors, strict=True)
    ]
    across = next(k for k, factor in enumerate(factors) if factor != 1)
    plane = math.prod(size for k, size in enumerate(sizes) if k != across)
    sizes[across] = min(sizes[across], max(2, int(MIDDLE / (plane * factors[across]))))
    z, y, x = (
        slice((axis.size - size) // 2, (axis.size - size) // 2 + size)
        for axis, size in zip(target.axes, sizes, strict=True)
    )
    return z, y, x


def adapt_prior(
    prior: Prior, volume: torch.Tensor, upsampled: UpsampledScan, p: Parameters, seed: int, progress: Progress
) -> Prior:
    """The prior after it learned from a scan of thick slices, if it restores held-out parts of that better.

    Slices of the data-consistent volume are degraded along their rows or columns as the scan is along the axis that is
    refined, and sharpened in the same way. A scan that is refined along more than one axis has nothing finer to show.

    Args:
        prior: to adapt. volume: data-consistent, in [0, 1], (z, y, x). upsampled: the scan that it is consistent with.
        p: how many steps. seed: of all that is drawn. progress: advanced by one a lesson and a step.
    """
    refined = [k for k, factor in enumerate(upsampled.scale) if factor != 1]
    rng = np.random.default_rng((seed, len(volume)))
    teacher = _Teacher(volume, upsampled, refined[0])
    if len(refined) > 1 or not teacher.has_lessons:
        progress.advance(LESSONS + HELD_OUT + p.adapt)
        return replace(prior, adaptation={"kept": False})
    learn, held_out = (teacher.lessons(n, held, rng, progress) for n, held in ((LESSONS, False), (HELD_OUT, True)))
    adapted, report = adapt(prior, learn, held_out, steps=p.adapt, seed=seed, progress=progress)
    return replace(adapted, adaptation=report)


class _Teacher:
    """Makes lessons of a volume whose slices along one axis were measured fine.

    Args:
        volume: in [0, 1]. upsampled: of the scan. axis: the one along which the scan is refined.
    """

    def __init__(self, volume: torch.Tensor, upsampled: UpsampledScan, axis: int) -> None:
        self._slices, self._upsampled = volume.movedim(axis, 0), upsampled
        spacing = upsampled.grid.spacing
        self._pixels = [spacing[k] for k in range(3) if k != axis]
        self._along, self._factor = spacing[axis], upsampled.scale[axis]
        self._kernel = upsampled.acquisition.permuted(upsampled.axis_order).axes[axis].kernel
        across = next(k for k in range(3) if k != axis)
        self._acquisition = ImageAcquisition.of_slices(upsampled.degradation, across, upsampled.unit_noise)
        if self._acquisition.row_factor == 1:
            self._acquisition = self._acquisition.turned()

    @property
    def has_lessons(self) -> bool:
        """Whether there are slices of both kinds, and room in them."""
        fewest = min(self._rows(n, pixel).count for n, pixel in zip(self._slices.shape[1:], self._pixels, strict=True))
        return min(fewest, *self._slices.shape[1:]) >= CROP and len(self._slices) >= 10

    def lessons(self, count: int, held_out: bool, rng: np.random.Generator, progress: Progress) -> Lessons:
        """Lessons of so many random slices, of those held out or of the others. Advances by one each."""
        tenths = 10 * np.arange(len(self._slices)) // len(self._slices)
        indices = np.flatnonzero(np.isin(tenths, TENTHS_HELD_OUT) == held_out)
        pairs = []
        for index in rng.choice(indices, count):
            pairs.append(self._pair(self._slices[index], rng))
            progress.advance()
        return Lessons(pairs, self._acquisition)

    def _pair(self, image: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A slice that is degraded along one of its axes, which become its rows, and sharpened; and as it was."""
        pixel = self._pixels[0]
        if rng.random() < 0.5:
            image, pixel = image.T, self._pixels[1]
        sides = int(SIDE * self._pitch(pixel) / pixel), SIDE
        top, left = (int(rng.integers(max(n - side, 0) + 1)) for n, side in zip(image.shape, sides, strict=True))
        image = image[top : top + sides[0], left : left + sides[1]]
        rows = self._rows(len(image), pixel)
        truth = self._on_rows(image, rows, pixel)
        kernel = self._kernel.scaled(rows.pitch / self._along)
        degraded = degradation_of([kernel], [(rows.size, rows.spacing)], [(rows.count, rows.pitch)], [rows.shift])
        degradation = Degradation((None, *degraded.axes, None))
        scan = degradation.A(to_hu(truth, self._upsampled.hu_range)[None])
        cubic = torch.from_numpy(spline_matrix(rows)).to(scan) @ scan
        rounds, damping = self._upsampled.consistency.rounds, replace(self._upsampled.findings.damping, flat=0.0)
        consistency = DataConsistency.damped(degradation, scan, cubic, damping=damping, rounds=rounds)
        return to_unit(consistency.enforce(cubic), self._upsampled.hu_range)[0], truth

    def _pitch(self, pixel: float) -> float:
        """mm between the rows of a lesson: those of the refined axis, unless pixels are as large."""
        return self._along if self._along > COARSER * pixel else pixel

    def _rows(self, count: int, pixel: float) -> TargetAxis:
        """Rows of a lesson over so many pixels, and the coarse ones below them."""
        pitch = self._pitch(pixel)
        size = int(count * pixel / (pitch * self._factor) + 1e-6)
        return TargetAxis.over(max(size, 1), pitch * self._factor, self._factor, pitch)

    @staticmethod
    def _on_rows(image: torch.Tensor, rows: TargetAxis, pixel: float) -> torch.Tensor:
        """An image with its pixels averaged over those rows, or the first of them where they are rows already."""
        if rows.pitch == pixel:
            return image[: rows.count]
        matrix = psf_matrix(PointSpread("box", rows.pitch), (rows.count, rows.pitch), (len(image), pixel))
        return torch.from_numpy(matrix).to(image) @ image
