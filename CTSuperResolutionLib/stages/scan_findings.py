"""Findings on a scan that hold for all of it, whichever part of it is worked on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from CTSuperResolutionLib.degradation.acquisition import Acquisition, acquisition_of
from CTSuperResolutionLib.degradation.damping import BLOCK, Damping, suitable_damping
from CTSuperResolutionLib.degradation.data_consistency import METAL_HU
from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise, scan_noise
from CTSuperResolutionLib.degradation.reach import reach_of_cut
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.projection.geometry import parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.matter_windows import find_matter, matter_windows, shown_share
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.volume import Volume

NOISE_VOXELS = 1 << 23
"""Of a scan's middle, in which its noise is found: at some 60 bytes each."""

FEWEST_SLICES = 16
CALIBRATING_VIEWS = 8
REACHED = 64  # voxels along an axis, of which data consistency reaches fewer than half
SLICES_AT_ONCE = 16


@dataclass(frozen=True)
class ScanFindings:
    """What was found out of a scan as a whole.

    Attributes:
        acquisition: how it was acquired, along its own axes.
        noise: of the scan. damping: that it sets.
        highest: HU that its matter may have.
        brightest: largest line integral through it on the [0, 1] scale, mm: 1 for the prior of views.
        slices: of its whole result, along the scanner's axis of rotation.
        reach: how far from a cut across that axis the nearest consistent volume differs, in voxels of the scan;
            infinite where the axis is not refined.
        matter: the scan's voxels along the other two axes between which there is more than air; None where it is all
            air, or not in HU.
    """

    acquisition: Acquisition
    noise: ScanNoise
    damping: Damping
    highest: float
    brightest: float
    slices: int
    reach: float
    matter: tuple[slice, slice] | None

    @classmethod
    def of(
        cls,
        scan: Volume,
        target: TargetGrid,
        p: Parameters,
        acquisition: Acquisition | None = None,
        *,
        noise_in: Volume | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> ScanFindings:
        """Look at a scan.

        Args:
            scan: HU, all that is to be worked on. target: the grid of the result over it.
            p: the method's parameters. acquisition: of the scan, where it is known already.
            noise_in: where its noise is found, so that a region has that of the whole scan; in itself where None.
            check: called now and then; may end the looking by raising.
        """
        acquisition = acquisition or acquisition_of(scan, p, target.factors, check=check)
        order = AxisOrder.for_factors(target.factors)
        axes = order.permute(target.axes)
        # In the scanner's order, so that how a scan is stored does not change the result's last bits.
        hu, spacing = scan.array.transpose(order.axes), order.permute(scan.spacing)
        valid = None if scan.valid is None else scan.valid.transpose(order.axes)
        noise = _noise(noise_in or scan, order)
        check()
        acquired = acquisition.permuted(order)
        block = [axis.part(slice(0, min(axis.size, BLOCK))) for axis in axes]
        damping = suitable_damping(noise, acquired.degradation_from(block), block, p.damping)
        along = acquired.degradation_from([axis.part(slice(0, min(axis.size, REACHED))) for axis in axes]).axes[0]
        return cls(
            acquisition,
            noise,
            damping,
            highest=float(hu.max(where=True if valid is None else valid, initial=METAL_HU)),
            brightest=_brightest(hu, valid, spacing, (p.hu_low, p.hu_high), check),
            slices=axes[0].count,
            reach=math.inf if along is None else reach_of_cut(along),
            matter=find_matter(hu, check) if scan.value_scale is None else None,
        )

    def shown_share(self, target: TargetGrid) -> float:
        """Share of the pixels of slices that the prior is shown, over that grid: the others are air."""
        axes = AxisOrder.for_factors(target.factors).permute(target.axes)
        return shown_share(matter_windows(self.matter, axes), axes)


def _noise(scan: Volume, order: AxisOrder) -> ScanNoise:
    hu = scan.array.transpose(order.axes)
    middle = _middle(hu.shape)
    valid = None if scan.valid is None else np.ascontiguousarray(scan.valid.transpose(order.axes)[middle])
    is_hu = scan.value_scale is None
    return scan_noise(np.ascontiguousarray(hu[middle]), order.permute(scan.spacing), valid, is_hu=is_hu)


def _middle(shape: Sequence[int]) -> slice:
    """The middle slices of a scan in which its noise is looked for; all of a small one."""
    kept = min(shape[0], max(FEWEST_SLICES, NOISE_VOXELS // (shape[1] * shape[2])))
    first = (shape[0] - kept) // 2
    return slice(first, first + kept)


def _brightest(
    hu: np.ndarray,
    valid: np.ndarray | None,
    spacing: Sequence[float],
    hu_range: tuple[float, float],
    check: Callable[[], None],
) -> float:
    """The largest line integral of a few parallel views of a scan (z, y, x); 1 where there is nothing but air."""
    brightest = 0.0
    for first in range(0, len(hu), SLICES_AT_ONCE):
        check()
        some = slice(first, first + SLICES_AT_ONCE)
        part = hu[some] if valid is None else np.where(valid[some], hu[some], np.float32(hu_range[0]))
        depth, rows, columns = part.shape
        z, y, x = spacing
        grid = VolumeGrid((depth, rows, columns), (z, y, x))
        beam = parallel_beam(views=CALIBRATING_VIEWS, volume_shape=grid.shape, spacing=grid.spacing)
        views = Projector(grid, beam).forward(to_unit(torch.from_numpy(np.ascontiguousarray(part)), hu_range))
        brightest = max(brightest, float(views.max()))
    return brightest or 1.0
