"""Acquisition model: a point-spread function in mm along every axis of a scan, and where each is known from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np

from CTSuperResolutionLib.degradation.kernels import lanczos_matrix, mean_matrix
from CTSuperResolutionLib.degradation.operator import AxisDegradation, Degradation
from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.degradation.psf_estimation import PsfEstimate, estimate_psf, widest_psf
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.volume import Volume

Axis = tuple[int, float]
"""Voxels along an axis, and mm between their centres."""

Source = Literal["set", "measured", "header", "spacing"]
OF_NOMINAL = 0.9  # FWHM over nominal slice thickness: fitted on a real pair of 5 mm and 1 mm slices of one scan
CONTRADICTED = 1.35  # times the width of few edges: a box is 1.31 times as wide as the Gaussian that fits it best
PROTOCOLS = ("lanczos", "mean")  # of the paper: told, in voxels


class SamplingKernel(Hashable, Protocol):
    """What blurs and samples along one axis."""

    @property
    def width(self) -> float:
        """How wide it is, for comparison with others of its kind."""

    def scaled(self, magnification: float) -> SamplingKernel:
        """The kernel of voxels so many times as large."""

    def matrix(self, coarse: Axis, fine: Axis) -> np.ndarray:
        """From fine voxels to coarse ones, float64 (coarse, fine), rows summing to one."""


@dataclass(frozen=True)
class PointSpreadSampling:
    """A point-spread function sampled at the coarse centres."""

    psf: PointSpread

    @property
    def width(self) -> float:
        return self.psf.fwhm

    def scaled(self, magnification: float) -> PointSpreadSampling:
        return PointSpreadSampling(PointSpread(self.psf.family, self.psf.fwhm * magnification))

    def matrix(self, coarse: Axis, fine: Axis) -> np.ndarray:
        return psf_matrix(self.psf, coarse, fine)


@dataclass(frozen=True)
class LanczosSampling:
    """The paper's protocol: a Gaussian of σ ``blur`` fine voxels, then a Lanczos-5 sinc.

    σ is at most a quarter of the factor: a Gaussian wider than that leaves next to nothing at the coarse grid's
    Nyquist frequency to sharpen but noise.
    """

    blur: float

    @property
    def width(self) -> float:
        return self.blur

    def scaled(self, magnification: float) -> LanczosSampling:
        return self

    def matrix(self, coarse: Axis, fine: Axis) -> np.ndarray:
        scale = fine[0] // coarse[0]
        return lanczos_matrix(fine[0], scale, min(self.blur, scale / 4))


@dataclass(frozen=True)
class BlockMeanSampling:
    """The paper's A: means of blocks of fine voxels."""

    width = 1.0

    def scaled(self, magnification: float) -> BlockMeanSampling:
        return self

    def matrix(self, coarse: Axis, fine: Axis) -> np.ndarray:
        return mean_matrix(fine[0], fine[0] // coarse[0])


@dataclass(frozen=True)
class AxisAcquisition:
    """How a scan was acquired along one axis.

    Attributes:
        kernel: what blurs and samples.
        source: where that is known from: set by the user, measured in the scan, stated by the file's header,
            or taken from the spacing.
        measured: what the scan itself shows, whether or not it is used; None where there is too little to see.
        header_mm: nominal slice thickness that the header states.
        edges_mm: FWHM that the scan's few edges show, where the header states far more than that.
    """

    kernel: SamplingKernel
    source: Source
    measured: PsfEstimate | None = None
    header_mm: float | None = None
    edges_mm: float | None = None

    def report(self) -> dict[str, Any]:
        """As plain values for result.json; widths are FWHM in mm."""
        found: dict[str, Any] = {"source": self.source}
        if isinstance(self.kernel, PointSpreadSampling):
            found |= {"family": self.kernel.psf.family, "fwhm_mm": round(self.kernel.psf.fwhm, 3)}
        else:
            found |= {"family": {LanczosSampling: "lanczos", BlockMeanSampling: "mean"}[type(self.kernel)]}
        if self.measured is not None:
            found |= {
                "measured_mm": round(self.measured.psf.fwhm, 3),
                "measured_error_mm": round(self.measured.error, 3),
            }
        if self.header_mm is not None:
            found["header_mm"] = self.header_mm
        if self.edges_mm is not None:
            found["edges_mm"] = round(self.edges_mm, 3)
        return found


@dataclass(frozen=True)
class Acquisition:
    """How a scan was acquired along its three axes: those of the scan, (z, y, x), unless permuted."""

    axes: tuple[AxisAcquisition, AxisAcquisition, AxisAcquisition]

    def permuted(self, order: AxisOrder) -> Acquisition:
        """The same in another order of axes."""
        return Acquisition(order.permute(self.axes))

    def report(self) -> dict[str, Any]:
        """As plain values for result.json, by axis of the scan."""
        return {name: axis.report() for name, axis in zip("zyx", self.axes, strict=True)}

    def degradation(self, coarse: Sequence[Axis], fine: Sequence[Axis]) -> Degradation:
        """A from a fine grid to a coarse one over the same box; an axis of equal size is left alone."""
        return degradation_of([axis.kernel for axis in self.axes], coarse, fine)


def degradation_of(kernels: Sequence[SamplingKernel], coarse: Sequence[Axis], fine: Sequence[Axis]) -> Degradation:
    """A of one kernel an axis; an axis with as many coarse voxels as fine ones is neither blurred nor sampled."""
    return Degradation(
        tuple(
            None if c[0] == f[0] else _axis_degradation(kernel, c, f)
            for kernel, c, f in zip(kernels, coarse, fine, strict=True)
        )
    )


def acquisition_of(scan: Volume, p: Parameters, factors: Sequence[int], thickness: float | None = None) -> Acquisition:
    """How a scan was acquired: each axis from its best source, the user, the scan itself, its header, its spacing.

    The scan is looked at along the axes that are refined. Its slices follow each other along the axis of the largest
    spacing, z where all are equal; that axis has ``slice_width`` and the header's thickness, the others
    ``pixel_width``. A header that states far thicker slices than few edges show gets their width.
    Where nothing says anything, a sharp scan is assumed, as the paper's protocol makes it: of wrong
    guesses, too wide a blur costs more. The paper's protocols are otherwise told and never found out.

    Args:
        scan: HU. p: psf, its widths, and blur. factors: how many times finer the result is, (z, y, x).
        thickness: nominal, of the slices, mm, as the header states it.
    """
    if p.psf in PROTOCOLS:
        protocol = AxisAcquisition(BlockMeanSampling() if p.psf == "mean" else LanczosSampling(p.blur), "set")
        return Acquisition((protocol, protocol, protocol))
    slice_axis = scan.spacing.index(max(scan.spacing))
    family = None if p.psf == "measured" else p.psf

    def along(axis: int) -> AxisAcquisition:
        measured = estimate_psf(scan.array, scan.spacing, axis, scan.valid) if factors[axis] > 1 else None
        given = p.slice_width if axis == slice_axis else p.pixel_width
        stated = thickness if axis == slice_axis else None
        limit = None
        source: Source
        if given:
            source, width = "set", given
        elif measured is not None:
            source, width = "measured", measured.psf.fwhm
        elif stated is not None:
            source, width = "header", OF_NOMINAL * stated
            widest = widest_psf(scan.array, scan.spacing, axis, scan.valid) if factors[axis] > 1 else None
            if widest is not None and CONTRADICTED * widest < width:
                limit = width = widest
        else:
            return AxisAcquisition(LanczosSampling(p.blur), "spacing")
        shape = family or (measured.psf.family if measured else "gaussian")
        return AxisAcquisition(PointSpreadSampling(PointSpread(shape, width)), source, measured, stated, limit)

    return Acquisition((along(0), along(1), along(2)))


@lru_cache(maxsize=32)
def _axis_degradation(kernel: SamplingKernel, coarse: Axis, fine: Axis) -> AxisDegradation:
    return AxisDegradation(kernel.matrix(coarse, fine))
