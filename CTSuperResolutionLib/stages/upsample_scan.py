"""Stage 1: the scan upsampled to the grid of its result, and what it demands of any volume there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.degradation.acquisition import Acquisition
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.ringing import overshoot, spare_ringing
from CTSuperResolutionLib.degradation.upsampling import upsample_onto, upsampled_slices
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.refinement import Factors
from CTSuperResolutionLib.job.target_grid import TargetAxis, TargetGrid
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.stages.consistent_strips import ConsistentStrips
from CTSuperResolutionLib.stages.matter_windows import Windows, matter_windows
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.stages.unmeasured import Unmeasured
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.filling import filled
from CTSuperResolutionLib.volume.intensity import restore_clipped, to_hu, to_unit_in_place
from CTSuperResolutionLib.volume.volume import Volume

SPARED_AT_ONCE = 4  # slices, of ten volumes of their size
SPARED_VOXELS = 1 << 21  # of each of these


@dataclass(frozen=True, eq=False)
class UpsampledScan:
    """A scan on the grid of its result, its axes in the order that suits the simulated scanner.

    Attributes:
        scan: as it was read. target: the grid of the result over it.
        axis_order: from the scan's axes to the scanner's, in which everything below is.
        scale: how many times finer the result is. coarse_grid, grid: the voxels of the scan and of the result.
        unmeasured: what was not measured, if anything.
        findings: what holds for the whole scan.
        consistency: the scan's demands on a volume in HU.
        hu_range: HU that are 0 and 1 for the method.
    """

    scan: Volume
    target: TargetGrid
    axis_order: AxisOrder
    scale: Factors
    coarse_grid: VolumeGrid
    grid: VolumeGrid
    unmeasured: Unmeasured | None
    findings: ScanFindings
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
    def cubic(self) -> torch.Tensor:
        """Cubic B-spline upsampling, HU, of the scan with what was not measured filled.

        Made anew every time, for that is quick, and volumes are what limits the size of a job.
        """
        return upsample_onto(self.consistency.measurement, self.axis_order.permute(self.target.axes))

    @property
    def acquisition(self) -> Acquisition:
        """How the scan was acquired along the scan's own axes."""
        return self.findings.acquisition

    @property
    def unit_noise(self) -> float:
        """Standard deviation of the scan's noise on the [0, 1] scale, as second differences show it: as in training."""
        low, high = self.hu_range
        return self.findings.noise.white / (high - low)

    @property
    def brightest(self) -> float:
        """Largest line integral through the scan on the [0, 1] scale, mm."""
        return self.findings.brightest

    @property
    def windows(self) -> Windows:
        """Where there is more than air."""
        return matter_windows(self.findings.matter, self.axes)

    def measured(self, progress: Progress | None = None) -> torch.Tensor:
        """What the scan supports by itself: the cubic upsampling made consistent with it, HU. Advances one a round."""

        def cubic(_: torch.Tensor, part: DataConsistency, axes: Sequence[TargetAxis]) -> torch.Tensor:
            return upsample_onto(part.measurement, axes)

        return self._strips.enforce(self.consistency.measurement.new_empty(self.grid.shape), cubic, progress)

    def consistent(self, progress: Progress | None = None) -> torch.Tensor:
        """As :meth:`measured`, in [0, 1]."""
        return to_unit_in_place(self.measured(progress), self.hu_range)

    def enforce(self, unit: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """A volume of the [0, 1] scale in HU, what the scale clips taken from cubic, and consistent with the scan.

        The volume's place is taken. Advances by one a round.
        """
        machine.release_freed_memory()
        return self._strips.enforce(unit, self._in_hu, progress)

    def enforce_unit(self, unit: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """As :meth:`enforce`, back on the [0, 1] scale."""
        return to_unit_in_place(self.enforce(unit, progress), self.hu_range)

    @property
    def _strips(self) -> ConsistentStrips:
        return ConsistentStrips(self.consistency, self.axes, self.acquisition.permuted(self.axis_order))

    def _in_hu(self, unit: torch.Tensor, part: DataConsistency, axes: Sequence[TargetAxis]) -> torch.Tensor:
        low, high = self.hu_range
        hu = unit.clamp_(min=0).mul_(high - low).add_(low)
        for some, cubic in upsampled_slices(part.measurement, axes):
            hu[some] = restore_clipped(hu[some], cubic, self.hu_range)
        return hu

    def spare_ringing(self, change: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        """A change of a volume, both on the [0, 1] scale, without what would add to its ringing, in its place.

        A scan of thick slices whose profile its own edges show does not ring for a kernel guessed too wide: what rises
        above all its slices are structures thinner than they are, and the change stays as it is.
        """
        if self._profile_is_measured:
            return change
        low, high = self.hu_range
        beyond, beside = (round(factor) for factor in self.scale[:2])
        _, rows, columns = change.shape
        height = max(SPARED_VOXELS // (columns * (SPARED_AT_ONCE + 2 * beyond)), 1)
        before = change[:0]  # slices that were spared already, as they were: all is done in place
        for first in range(0, len(change), SPARED_AT_ONCE):  # for several volumes of all of it would limit a job's size
            start, last = first - len(before), min(first + SPARED_AT_ONCE, len(change))
            some = slice(start, last + beyond)
            around = torch.cat([before, change[first : some.stop]])
            for top in range(0, rows, height):
                seen = slice(max(top - beside, 0), min(top + height + beside, rows))
                hu = to_hu(unit[some, seen], self.hu_range)
                over = overshoot(hu, self.consistency.measurement, self.axes, (some, seen, slice(None)))
                kept = spare_ringing(around[:, seen] * (high - low), over, self.scale).div_(high - low)
                own = slice(top, min(top + height, rows))
                inner = slice(own.start - seen.start, own.stop - seen.start)
                change[first:last, own] = kept[first - start : last - start, inner]
            before = around[: last - start][-beyond:]
        return change

    @property
    def _profile_is_measured(self) -> bool:
        """Whether the scan is refined along a single axis, along which its own edges show how it was measured."""
        axes = zip(self.acquisition.axes, self.target.factors, strict=True)
        return [axis.source for axis, factor in axes if factor != 1] == ["measured"]

    def report(self) -> dict[str, object]:
        """What was found of the scan, as plain values."""
        noise, damping = self.findings.noise, self.findings.damping
        return {
            "scale": list(self.target.factors),
            "acquisition": self.acquisition.report(),
            "noise": {
                "hu": round(noise.sd, 1),
                "damping": round(damping.detail, 3),
                "flat_damping": round(max(damping.detail, damping.flat), 3),
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
    findings: ScanFindings | None = None,
    progress: Progress | None = None,
) -> UpsampledScan:
    """Upsample a scan and find out what it demands.

    Args:
        scan: HU. target: the grid of the result over it.
        p: point-spread function, damping, rounds of consistency and range of HU.
        device: where the volumes are to be.
        findings: on the scan as a whole, where it is part of a larger one; found out otherwise.
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
    findings = findings or ScanFindings.of(scan, target, p, check=parts.check)
    parts.advance()
    unmeasured = None
    if valid is not None:
        as_it_is = torch.from_numpy(axis_order.to_scanner_order(scan.array)).to(device)
        unmeasured = Unmeasured.of(as_it_is, valid, axes)
    consistency = DataConsistency.damped(
        findings.acquisition.permuted(axis_order).degradation_from(axes),
        coarse,
        upsample_onto(coarse, axes, parts),
        damping=findings.damping,
        rounds=p.consistency_rounds,
        measured=unmeasured.measured if unmeasured else None,
        highest=findings.highest,
    )
    parts.advance()
    return UpsampledScan(
        scan,
        target,
        axis_order,
        scale,
        VolumeGrid(axis_order.permute(scan.shape), axis_order.permute(scan.spacing)),
        VolumeGrid(axis_order.permute(target.shape), axis_order.permute(target.spacing)),
        unmeasured,
        findings,
        consistency,
        (p.hu_low, p.hu_high),
    )
