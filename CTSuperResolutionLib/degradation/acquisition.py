"""Acquisition model: a point-spread function in mm along every axis of a scan, and where each is known from."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np

from CTSuperResolutionLib.degradation.kernels import lanczos_matrix, mean_matrix
from CTSuperResolutionLib.degradation.operator import AxisDegradation, Degradation
from CTSuperResolutionLib.degradation.point_spread import VARIANCE_OF_FWHM, PointSpread, psf_matrix
from CTSuperResolutionLib.degradation.psf_estimation import PsfEstimate, estimate_psf, widest_psf
from CTSuperResolutionLib.degradation.slice_thickness import SliceThickness, slice_axis
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.target_grid import TargetAxis
from CTSuperResolutionLib.volume.axis_order import AxisOrder
from CTSuperResolutionLib.volume.volume import Volume

Axis = tuple[int, float]
"""Voxels along an axis, and mm between their centres."""

NOT_SHIFTED = (0.0, 0.0, 0.0)

Source = Literal["set", "measured", "header", "spacing"]
# FWHM over nominal slice thickness: 0.9 on a real pair of 5 mm and 1 mm slices of one scan. Of 5 mm slices of a plastic
# skull, 0.8 costs 0.4 dB where 0.9 is right and gains 1.5 dB where the profile is a box.
OF_NOMINAL = 0.8
OF_SPACING = 0.7  # FWHM over the distance of thick slices of unknown thickness: no profile tried fell below cubic
THICK = 1.5  # distance of slices over that of pixels, from which on they are thick
CONTRADICTED = 1.35  # times the width of few edges: a box is 1.31 times as wide as the Gaussian that fits it best
SQUARE = 0.1  # by how much the pixels of a plane may differ from squares
CROSSWISE = 1.3  # width along rows over what edges along columns show, and the reverse
PROTOCOLS = ("lanczos", "mean")  # of the paper: told, in voxels


class SamplingKernel(Hashable, Protocol):
    """What blurs and samples along one axis."""

    @property
    def width(self) -> float:
        """How wide it is, for comparison with others of its kind."""

    def scaled(self, magnification: float) -> SamplingKernel:
        """The kernel of voxels so many times as large."""

    def matrix(self, coarse: Axis, fine: Axis, shift: float = 0.0) -> np.ndarray:
        """From fine voxels to coarse ones, float64 (coarse, fine), rows summing to one.

        ``shift`` is from the middle of the coarse ones to that of the fine ones, mm.
        """


@dataclass(frozen=True)
class PointSpreadSampling:
    """A point-spread function sampled at the coarse centres."""

    psf: PointSpread

    @property
    def width(self) -> float:
        return self.psf.fwhm

    def scaled(self, magnification: float) -> PointSpreadSampling:
        return PointSpreadSampling(PointSpread(self.psf.family, self.psf.fwhm * magnification))

    def matrix(self, coarse: Axis, fine: Axis, shift: float = 0.0) -> np.ndarray:
        return psf_matrix(self.psf, coarse, fine, shift)


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

    def matrix(self, coarse: Axis, fine: Axis, shift: float = 0.0) -> np.ndarray:
        whole = _whole_factor(coarse, fine, shift)
        if whole is not None:
            return lanczos_matrix(fine[0], whole, min(self.blur, whole / 4))
        (rows, pitch), (columns, step) = coarse, fine
        centres = ((np.arange(rows) - (rows - 1) / 2) * pitch - shift) / step + (columns - 1) / 2
        return lanczos_matrix(columns, pitch / step, min(self.blur, pitch / step / 4), centres)


@dataclass(frozen=True)
class BlockMeanSampling:
    """The paper's A: means of blocks of fine voxels, those that lie across a face of a coarse one in parts."""

    width = 1.0

    def scaled(self, magnification: float) -> BlockMeanSampling:
        return self

    def matrix(self, coarse: Axis, fine: Axis, shift: float = 0.0) -> np.ndarray:
        whole = _whole_factor(coarse, fine, shift)
        if whole is not None:
            return mean_matrix(fine[0], whole)
        return psf_matrix(PointSpread("box", coarse[1]), coarse, fine, shift)


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
                "measured_profiles": self.measured.profiles,
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

    def degradation(
        self, coarse: Sequence[Axis], fine: Sequence[Axis], shifts: Sequence[float] = NOT_SHIFTED
    ) -> Degradation:
        """A from a fine grid to a coarse one; an axis that both share is left alone.

        ``shifts`` are from the middle of the coarse grid to that of the fine one, mm.
        """
        return degradation_of([axis.kernel for axis in self.axes], coarse, fine, shifts)

    def degradation_from(self, axes: Sequence[TargetAxis]) -> Degradation:
        """A from the fine voxels of a target grid, along these axes, to the scan's."""
        coarse, fine = [(a.size, a.spacing) for a in axes], [(a.count, a.pitch) for a in axes]
        return self.degradation(coarse, fine, [a.shift for a in axes])


def degradation_of(
    kernels: Sequence[SamplingKernel],
    coarse: Sequence[Axis],
    fine: Sequence[Axis],
    shifts: Sequence[float],
) -> Degradation:
    """A of one kernel an axis, as :meth:`Acquisition.degradation`."""
    return Degradation(
        tuple(
            None if c == f else _axis_degradation(kernel, c, f, shift)
            for kernel, c, f, shift in zip(kernels, coarse, fine, shifts, strict=True)
        )
    )


def slice_thickness_of(acquisition: Acquisition, spacing: Sequence[float], thickness: float | None) -> SliceThickness:
    """What is known of how thick the slices of a scan are.

    Args:
        acquisition: of the scan, along its own axes. spacing: of the scan, mm, (z, y, x).
        thickness: nominal, as the header states it, mm.
    """
    axis = slice_axis(spacing, thickness)
    found = {"header_mm": thickness} | acquisition.axes[axis].report()
    return SliceThickness.of_report(spacing[axis], found)


def acquisition_of(
    scan: Volume,
    p: Parameters,
    factors: Sequence[float],
    thickness: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> Acquisition:
    """How a scan was acquired: each axis from its best source, the user, the scan itself, its header, its spacing.

    The scan is looked at along the axes that are refined. Its slices follow each other along :func:`.slice_axis`; that
    axis has ``slice_width`` and the header's thickness, the others ``pixel_width``. A header that states far thicker
    slices than few edges show gets their width. Where nothing says anything, slices that lie far apart are taken to be
    thick, a little less than they may be, for of wrong guesses too wide a blur costs more; otherwise a scan is taken
    for sharp, as the paper's protocol makes it. The paper's protocols are told and never found out.

    Args:
        scan: HU. p: psf, its widths, and blur. factors: how many times finer the result is, (z, y, x).
        thickness: nominal, of the slices, mm, as the header states it.
        check: called for every axis; may end the looking by raising.
    """
    if p.psf in PROTOCOLS:
        protocol = AxisAcquisition(BlockMeanSampling() if p.psf == "mean" else LanczosSampling(p.blur), "set")
        return Acquisition((protocol, protocol, protocol))
    slices = slice_axis(scan.spacing, thickness)
    family = None if p.psf == "measured" else p.psf

    def along(axis: int) -> AxisAcquisition:
        check()
        measured = _measured(scan, axis, slices) if factors[axis] > 1 else None
        given = p.slice_width if axis == slices else p.pixel_width
        stated = thickness if axis == slices else None
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
        elif axis == slices and scan.spacing[axis] > THICK * min(scan.spacing):
            source, width = "spacing", OF_SPACING * scan.spacing[axis]
        else:
            return AxisAcquisition(LanczosSampling(p.blur), "spacing")
        shape = family or (measured.psf.family if measured else "gaussian")
        return AxisAcquisition(PointSpreadSampling(PointSpread(shape, width)), source, measured, stated, limit)

    return Acquisition((along(0), along(1), along(2)))


def _measured(scan: Volume, axis: int, slices: int) -> PsfEstimate | None:
    """What a scan shows along an axis, or what the whole one that it is a part of did.

    Curved surfaces can pass for wide edges where there are few. In the plane the point-spread function is as wide along
    rows as along columns, so a width counts that the edges of both allow.
    """
    whole = scan.acquisition.measured
    if whole is not None:
        found = whole[axis]
        if found is None:
            return None
        return PsfEstimate(PointSpread(found.family, found.fwhm), found.error, found.profiles)
    measured = estimate_psf(scan.array, scan.spacing, axis, scan.valid)
    across = 3 - axis - slices
    if measured is None or axis == slices:
        return measured
    if not math.isclose(scan.spacing[axis], scan.spacing[across], rel_tol=SQUARE):
        return measured
    widest = widest_psf(scan.array, scan.spacing, across, scan.valid)  # of a Gaussian
    width = (measured.psf.variance / VARIANCE_OF_FWHM["gaussian"]) ** 0.5
    return None if widest is not None and width > CROSSWISE * widest else measured


@lru_cache(maxsize=32)
def _axis_degradation(kernel: SamplingKernel, coarse: Axis, fine: Axis, shift: float) -> AxisDegradation:
    return AxisDegradation(kernel.matrix(coarse, fine, shift))


def _whole_factor(coarse: Axis, fine: Axis, shift: float) -> int | None:
    """How many fine voxels every coarse one has, where these are whole; None otherwise."""
    factor, rest = divmod(fine[0], coarse[0])
    return factor if not rest and not shift and math.isclose(coarse[1], factor * fine[1], rel_tol=1e-6) else None
