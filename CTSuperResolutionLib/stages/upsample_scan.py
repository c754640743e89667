"""Stage 1: the scan upsampled to the grid of its result, and what it demands of any volume there."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib.degradation.acquisition import Acquisition, acquisition_of
from CTSuperResolutionLib.degradation.damping import BLOCK, Damping, suitable_damping
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise, scan_noise
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.ringing import overshoot, spare_ringing
from CTSuperResolutionLib.degradation.upsampling import upsample_onto
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.refinement import Factors
from CTSuperResolutionLib.job.target_grid import TargetAxis, TargetGrid
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.stages.unmeasured import Unmeasured
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.filling import filled
from CTSuperResolutionLib.volume.intensity import restore_clipped, to_hu, to_unit
from CTSuperResolutionLib.volume.volume import Volume


@dataclass(frozen=True, eq=False)
class UpsampledScan:
    """A scan on the grid of its result, its axes in the order that suits the simulated scanner.

    Attributes:
        scan: as it was read. target: the grid of the result over it.
        axis_order: from the scan's axes to the scanner's, in which everything below is.
        scale: how many times finer the result is. coarse_grid, grid: the voxels of the scan and of the result.
        cubic: cubic B-spline upsampling, HU, of the scan with what was not measured filled.
        unmeasured: what was not measured, if anything.
        acquisition: how the scan was acquired along the scan's own axes.
        noise: of the scan. damping: that it sets.
        consistency: the scan's demands on a volume in HU.
        hu_range: HU that are 0 and 1 for the method.
    """

    scan: Volume
    target: TargetGrid
    axis_order: AxisOrder
    scale: Factors
    coarse_grid: VolumeGrid
    grid: VolumeGrid
    cubic: torch.Tensor
    unmeasured: Unmeasured | None
    acquisition: Acquisition
    noise: ScanNoise
    damping: Damping
    consistency: DataConsistency
    hu_range: tuple[float, float]

    @property
    def axes(self) -> tuple[TargetAxis, TargetAxis, TargetAxis]:
        """Voxels of the result over those of the scan, along the axes below."""
        return self.axis_order.permute(self.target.axes)

    @property
    def degradation(self) -> Degradation:
        """A along the axes below: what the scanner did to a volume on the result's grid."""
        return self.consistency.degradation

    @property
    def unit_noise(self) -> float:
        """Standard deviation of the scan's noise on the [0, 1] scale, as second differences show it: as in training."""
        low, high = self.hu_range
        return self.noise.white / (high - low)

    def measured(self, progress: Progress | None = None) -> torch.Tensor:
        """What the scan supports by itself: the cubic upsampling made consistent with it, HU. Advances one a round."""
        return self.consistency.enforce(self.cubic, progress)

    def consistent(self, progress: Progress | None = None) -> torch.Tensor:
        """As :meth:`measured`, in [0, 1]."""
        return to_unit(self.measured(progress), self.hu_range)

    def enforce(self, unit: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """A volume of the [0, 1] scale in HU, what the scale clips taken from cubic, and consistent with the scan.

        Advances by one a round.
        """
        hu = restore_clipped(to_hu(unit.clamp(min=0), self.hu_range), self.cubic, self.hu_range)
        return self.consistency.enforce(hu, progress)

    def enforce_unit(self, unit: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """As :meth:`enforce`, back on the [0, 1] scale."""
        return to_unit(self.enforce(unit, progress), self.hu_range)

    def spare_ringing(self, change: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        """A change of a volume, both on the [0, 1] scale, without what would add to its ringing."""
        low, high = self.hu_range
        over = overshoot(to_hu(unit, self.hu_range), self.consistency.measurement, self.axes)
        return spare_ringing(change * (high - low), over, self.scale) / (high - low)

    def report(self) -> dict[str, object]:
        """What was found of the scan, as plain values."""
        return {
            "scale": list(self.target.factors),
            "acquisition": self.acquisition.report(),
            "noise": {
                "hu": round(self.noise.sd, 1),
                "damping": round(self.damping.detail, 3),
                "flat_damping": round(max(self.damping.detail, self.damping.flat), 3),
            },
        }

    def result(self, fine: torch.Tensor) -> Volume:
        """A super-resolved array, HU, as the volume that is given back: cubic where nothing was measured."""
        return self.to_volume(fine if self.unmeasured is None else self.unmeasured.given_back(fine))

    def cubic_of_scan(self) -> Volume:
        """The cubic upsampling of the scan as its file has it."""
        return self.to_volume(self.cubic if self.unmeasured is None else self.unmeasured.cubic)

    def to_volume(self, fine: torch.Tensor) -> Volume:
        """An array on the result's grid as a volume in the patient's space, its axes in the scan's order."""
        return self.scan.on_target(self.axis_order.from_scanner_order(fine.cpu().numpy()), self.target)


def upsample_scan(
    scan: Volume,
    target: TargetGrid,
    p: Parameters,
    device: torch.device | str,
    acquisition: Acquisition | None = None,
    progress: Progress | None = None,
) -> UpsampledScan:
    """Upsample a scan and find out what it demands: how it was acquired and how noisy it is.

    Args:
        scan: HU. target: the grid of the result over it.
        p: point-spread function, damping, rounds of consistency and range of HU.
        device: where the volumes are to be.
        acquisition: of the scan, where it is known already; found out otherwise.
        progress: advanced by one in all.
    """
    axis_order = AxisOrder.for_factors(target.factors)
    axes, scale = axis_order.permute(target.axes), axis_order.permute(target.factors)
    hu, valid = axis_order.to_scanner_order(scan.array), None
    if scan.valid is not None and not scan.valid.all():
        valid = axis_order.to_scanner_order(scan.valid)
        hu = filled(hu, valid, axis_order.permute(scan.spacing))
    coarse = torch.from_numpy(hu).to(device)
    parts = (progress or Progress()).in_parts(sum(s > 1 for s in scale) + 2)
    cubic = upsample_onto(coarse, axes, parts)
    coarse_grid = VolumeGrid(axis_order.permute(scan.shape), axis_order.permute(scan.spacing))
    grid = VolumeGrid(axis_order.permute(target.shape), axis_order.permute(target.spacing))
    # In the scanner's order, so that how a scan is stored does not change the result's last bits.
    noise = scan_noise(hu, coarse_grid.spacing, valid, is_hu=scan.value_scale is None)
    parts.advance()
    acquisition = acquisition or acquisition_of(scan, p, target.factors)
    permuted = acquisition.permuted(axis_order)
    block = [axis.part(slice(0, min(axis.size, BLOCK))) for axis in axes]
    damping = suitable_damping(noise, permuted.degradation_from(block), block, p.damping)
    unmeasured = None
    if valid is not None:
        as_it_is = torch.from_numpy(axis_order.to_scanner_order(scan.array)).to(device)
        unmeasured = Unmeasured.of(as_it_is, valid, axes)
    consistency = DataConsistency.damped(
        permuted.degradation_from(axes),
        coarse,
        cubic,
        damping=damping,
        rounds=p.consistency_rounds,
        measured=unmeasured.measured if unmeasured else None,
    )
    parts.advance()
    return UpsampledScan(
        scan,
        target,
        axis_order,
        scale,
        coarse_grid,
        grid,
        cubic,
        unmeasured,
        acquisition,
        noise,
        damping,
        consistency,
        (p.hu_low, p.hu_high),
    )
