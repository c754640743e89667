"""Stage 1: the scan upsampled to the grid of its result, and what it demands of any volume there."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib.degradation.acquisition import Acquisition, acquisition_of
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise, scan_noise
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.intensity import restore_clipped, to_hu, to_unit
from CTSuperResolutionLib.volume.volume import Volume


@dataclass(frozen=True, eq=False)
class UpsampledScan:
    """A scan on the grid of its result, its axes in the order that suits the simulated scanner.

    Attributes:
        scan: as it was read. factors: how many times finer the result is, (z, y, x) of the scan.
        axis_order: from the scan's axes to the scanner's, in which everything below is.
        scale: the factors. coarse_grid, grid: the voxels of the scan and of the result.
        cubic: cubic B-spline upsampling, HU.
        acquisition: how the scan was acquired along the scan's own axes.
        noise: of the scan. damping: λ that it sets.
        consistency: the scan's demands on a volume in HU.
        hu_range: HU that are 0 and 1 for the method.
    """

    scan: Volume
    factors: tuple[int, int, int]
    axis_order: AxisOrder
    scale: tuple[int, int, int]
    coarse_grid: VolumeGrid
    grid: VolumeGrid
    cubic: torch.Tensor
    acquisition: Acquisition
    noise: ScanNoise
    damping: float
    consistency: DataConsistency
    hu_range: tuple[float, float]

    @property
    def degradation(self) -> Degradation:
        """A along the axes below: what the scanner did to a volume on the result's grid."""
        return self.consistency.degradation

    @property
    def unit_noise(self) -> float:
        """Standard deviation of the scan's noise on the [0, 1] scale."""
        low, high = self.hu_range
        return self.noise.noise / (high - low)

    def consistent(self, progress: Progress | None = None) -> torch.Tensor:
        """The cubic upsampling made consistent with the scan, in [0, 1]. Advances by one a round."""
        return to_unit(self.consistency.enforce(self.cubic, progress), self.hu_range)

    def enforce(self, unit: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """A volume of the [0, 1] scale in HU, what the scale clips taken from cubic, and consistent with the scan.

        Advances by one a round.
        """
        hu = restore_clipped(to_hu(unit.clamp(min=0), self.hu_range), self.cubic, self.hu_range)
        return self.consistency.enforce(hu, progress)

    def enforce_unit(self, unit: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """As :meth:`enforce`, back on the [0, 1] scale."""
        return to_unit(self.enforce(unit, progress), self.hu_range)

    def report(self, fine: torch.Tensor, progress: Progress) -> dict[str, object]:
        """What was found of the scan, and how far a result (HU) and cubic are from it, as plain values.

        Advances by two.
        """
        consistency = {}
        for name, volume in (("sr", fine), ("cubic", self.cubic)):
            consistency[name] = self.consistency.residual(volume)
            progress.advance()
        return {
            "acquisition": self.acquisition.report(),
            "noise": {"hu": round(self.noise.noise, 1), "damping": round(self.damping, 3)},
            "consistency": consistency,
        }

    def to_volume(self, fine: torch.Tensor) -> Volume:
        """An array on the result's grid as a volume in the patient's space, its axes in the scan's order."""
        return self.scan.with_array(self.axis_order.from_scanner_order(fine.cpu().numpy()), self.factors)


def upsample_scan(
    scan: Volume,
    factors: tuple[int, int, int],
    p: Parameters,
    device: torch.device | str,
    acquisition: Acquisition | None = None,
    progress: Progress | None = None,
) -> UpsampledScan:
    """Upsample a scan and find out what it demands: how it was acquired and how noisy it is.

    Args:
        scan: HU. factors: how many times finer the result is, (z, y, x).
        p: point-spread function, damping, rounds of consistency and range of HU.
        device: where the volumes are to be.
        acquisition: of the scan, where it is known already; found out otherwise.
        progress: advanced by one in all.
    """
    axis_order = AxisOrder.for_factors(factors)
    scale = axis_order.permute(factors)
    measured = axis_order.to_scanner_order(scan.array)
    coarse = torch.from_numpy(measured).to(device)
    parts = (progress or Progress()).in_parts(sum(s > 1 for s in scale) + 2)
    cubic = upsample(coarse, scale, parts)
    noise = scan_noise(measured)  # in this order, so that how a scan is stored does not change the result's last bits
    damping = noise.damping(p.damping)
    parts.advance()
    coarse_grid = VolumeGrid(axis_order.permute(scan.shape), axis_order.permute(scan.spacing))
    grid = coarse_grid.refined(scale)
    acquisition = acquisition or acquisition_of(scan, p, factors)
    degradation = acquisition.permuted(axis_order).degradation(coarse_grid.axes, grid.axes)
    consistency = DataConsistency.damped(degradation, coarse, cubic, damping=damping, rounds=p.consistency_rounds)
    parts.advance()
    return UpsampledScan(
        scan,
        factors,
        axis_order,
        scale,
        coarse_grid,
        grid,
        cubic,
        acquisition,
        noise,
        damping,
        consistency,
        (p.hu_low, p.hu_high),
    )
