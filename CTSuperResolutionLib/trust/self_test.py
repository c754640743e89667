"""Self-test: the method's error on the very scan, where its truth is known.

Within its slices a scan of thick slices is fine. There, rows are degraded as the slices were acquired, super-resolved
by the same method, and compared with what the scanner measured. The error has other sizes there than between slices,
for within slices noise and structure were averaged over their thickness; but on CTs of known truth the ratio of the two
is nearly the same for all, where their sizes are not: see Resources/Documentation/evaluation.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from CTSuperResolutionLib.degradation.acquisition import Acquisition, AxisAcquisition
from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress, WithinStep
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.target_grid import TargetAxis, TargetGrid
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.trust.error_spread import ErrorSpread
from CTSuperResolutionLib.volume.volume import Volume

LEVEL = 0.9  # share of the truths that an interval is to hold
BETWEEN_SLICES = 1.36  # size of the error over its spread between slices, over that within them
SPREAD = ErrorSpread(noise=1.452, steep=1.366, curved=2.241, changed=0.351, power=0.75, lung=1.857, bone=2.0)
NOISE_KEPT = 0.88  # of the noise's deviation, where it is averaged along slices; neighbours correlate
ALONE: dict[str, int | str] = {"adapt": 0, "samples": 1, "measured": "no", "error": "no"}

ROWS, COLUMNS, SLICES = 128, 128, 32  # at the most: some half a million voxels
SHARE = 8  # result's voxels over those of the test, if that leaves FEWEST columns
FEWEST = 48  # rows and columns
FEWEST_SLICES, FEWEST_COARSE = 12, 10
LEAST_HU = 0.1  # of an error: there is no finer scan
COARSER = 1.05  # spacing of the result's slices over that of pixels, from which on rows are brought to it


@dataclass(frozen=True)
class SelfTest:
    """What a scan's test says of the error of its result.

    Attributes:
        factor: half width of an interval over the spread of the error. noise_hu: N of the spread of the result.
        axis: along which the scan is refined. voxels: that were compared in the test.
        rms_hu, cubic_rms_hu: of their errors, in the method's result and in the cubic upsampling.
    """

    factor: float
    noise_hu: float
    axis: int
    rms_hu: float
    cubic_rms_hu: float
    voxels: int

    @property
    def gain_db(self) -> float:
        """By how much the result of the test was nearer to what was measured than the cubic upsampling, dB."""
        return 20 * math.log10(max(self.cubic_rms_hu, LEAST_HU) / max(self.rms_hu, LEAST_HU))

    def half_width(self, sr: np.ndarray, cubic: np.ndarray) -> np.ndarray:
        """Half the width of every voxel's interval, HU, float32 (z, y, x); see :meth:`ErrorSpread.of`."""
        return self.factor * SPREAD.of(sr, cubic, [self.axis], self.noise_hu)

    def report(self) -> dict[str, float]:
        """As plain values for result.json."""
        return {
            "level_percent": 100 * LEVEL,
            "factor": round(self.factor, 3),
            "noise_hu": round(self.noise_hu, 1),
            "test_rms_hu": round(self.rms_hu, 1),
            "test_cubic_rms_hu": round(self.cubic_rms_hu, 1),
            "test_gain_db": round(self.gain_db, 2),
            "test_voxels": self.voxels,
        }


def self_test(
    scan: Volume,
    target: TargetGrid,
    findings: ScanFindings,
    method: Method,
    prior: Prior | None = None,
    progress: Progress | None = None,
) -> SelfTest | None:
    """Test a method on a scan's own slices.

    Args:
        scan: HU. target: the grid of its result. findings: on the scan.
        method: how. prior: its own if None. progress: asked whether to go on.

    Returns:
        None where the scan is not one of thick slices in HU that is refined between them alone, or is too small.

    Raises:
        JobError, Cancelled: as :func:`super_resolve`.
    """
    refined = [axis for axis, factor in enumerate(target.factors) if factor != 1]
    if len(refined) != 1 or scan.value_scale is not None:
        return None
    (axis,) = refined
    lesson = _lesson(scan, target, axis, findings.acquisition.axes[axis])
    if lesson is None:
        return None
    coarse, truth, grid, acquisition = lesson
    method = replace(method, settings={**method.settings, **ALONE})
    own = ScanFindings.of(coarse, grid, method.parameters, acquisition)
    result = super_resolve(
        coarse, method, target=grid, findings=own, prior=prior, progress=WithinStep(progress or Progress())
    )
    cubic = result.cubic.array
    spread = SPREAD.of(result.sr.array, cubic, [axis], findings.noise.sd)
    inner = [slice(2, -2)] * 3
    edge = 2 * math.ceil(target.axes[axis].factor)
    inner[axis] = slice(edge, -edge)
    compared = tuple(inner)
    counts = slice(None) if truth.valid is None else truth.valid[compared]
    of_cubic, error = (
        np.abs(volume - truth.array)[compared][counts].ravel().astype(np.float64) for volume in (cubic, result.sr.array)
    )
    spread = spread[compared][counts].ravel()
    if error.size < FEWEST**2:
        return None
    return SelfTest(
        factor=BETWEEN_SLICES * float(np.quantile(error / spread, LEVEL)),
        noise_hu=NOISE_KEPT * findings.noise.sd * _noise_gain(findings, target, axis),
        axis=axis,
        rms_hu=float(np.sqrt((error**2).mean())),
        cubic_rms_hu=float(np.sqrt((of_cubic**2).mean())),
        voxels=error.size,
    )


def _lesson(
    scan: Volume, target: TargetGrid, axis: int, acquired: AxisAcquisition
) -> tuple[Volume, Volume, TargetGrid, Acquisition] | None:
    """A part of a scan that was degraded along its rows; the part; the grid of its result; how it was acquired.

    The rows lie where the slices of the scan do, and the other way round. None where there is too little.
    """
    rows, columns = sorted((k for k in range(3) if k != axis), key=lambda k: -scan.shape[k])
    pixel, along, factor = scan.spacing[rows], target.axes[axis].pitch, target.axes[axis].factor
    pitch = along if along > COARSER * pixel else pixel
    sizes = [0, 0, 0]
    sizes[axis] = min(scan.shape[axis], SLICES)
    sizes[rows] = min(scan.shape[rows], math.ceil(max(ROWS, FEWEST_COARSE * factor + 1) * pitch / pixel))
    coarse_rows = int(sizes[rows] * pixel / (pitch * factor) + 1e-6)
    of_result = target.voxels / SHARE / (sizes[axis] * max(coarse_rows, 1) * factor)
    sizes[columns] = min(scan.shape[columns], COLUMNS, max(FEWEST, int(of_result)))
    if sizes[axis] < FEWEST_SLICES or coarse_rows < FEWEST_COARSE or sizes[columns] < FEWEST:
        return None
    z, y, x = (slice((n - size) // 2, (n - size) // 2 + size) for n, size in zip(scan.shape, sizes, strict=True))
    part = scan.crop((z, y, x))
    fine = TargetAxis.over(coarse_rows, pitch * factor, factor, pitch)
    truth = np.swapaxes(part.array, axis, rows)
    valid = None if part.valid is None else np.swapaxes(part.valid, axis, rows)
    if pitch != pixel:
        average = psf_matrix(PointSpread("box", pitch), (fine.count, pitch), (sizes[rows], pixel))
        truth = _along(average, truth, axis)
        if valid is not None:
            valid = _along(average, valid.astype(np.float64), axis) > 1 - 1e-6
    else:
        kept = tuple(slice(0, fine.count) if k == axis else slice(None) for k in range(3))
        truth = truth[kept]
        valid = None if valid is None else valid[kept]
    kernel = acquired.kernel.scaled(pitch / along)
    matrix = kernel.matrix((fine.size, fine.spacing), (fine.count, fine.pitch), fine.shift)
    degraded = _along(matrix, truth, axis)
    grids = [TargetAxis.over(n, scan.spacing[columns], 1, scan.spacing[columns]) for n in degraded.shape]
    grids[rows] = TargetAxis.over(degraded.shape[rows], scan.spacing[axis], 1, scan.spacing[axis])
    grids[axis] = fine
    told = AxisAcquisition(kernel, "set")
    acquisition = Acquisition((told, told, told))  # of the others nothing is asked
    spacing = tuple(grid.spacing for grid in grids)
    fine_spacing = tuple(grid.pitch for grid in grids)
    return (
        _volume(degraded, spacing, None),
        _volume(truth, fine_spacing, valid),
        TargetGrid((grids[0], grids[1], grids[2])),
        acquisition,
    )


def _volume(array: np.ndarray, spacing: tuple[float, ...], valid: np.ndarray | None) -> Volume:
    dz, dy, dx = spacing
    held = None if valid is None or valid.all() else np.ascontiguousarray(valid)
    values = np.ascontiguousarray(array, dtype=np.float32)
    return Volume(values, (dz, dy, dx), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1), valid=held)


def _along(matrix: np.ndarray, array: np.ndarray, axis: int) -> np.ndarray:
    """A matrix applied along one axis."""
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)


def _noise_gain(findings: ScanFindings, target: TargetGrid, axis: int) -> float:
    """How many times stronger white noise is before the scan's slices averaged it."""
    degradation = findings.acquisition.degradation_from(target.axes).axes[axis]
    assert degradation is not None
    weights = degradation.matrix[len(degradation.matrix) // 2]
    return 1 / float(np.sqrt((weights**2).sum()))
