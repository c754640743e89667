"""Estimation of the point-spread function along an axis from a scan's own edges.

A surface whose normal lies near the axis is sampled by the columns of voxels across it at slightly different places:
all columns together give one finely sampled edge-spread function, as a slanted edge does in a test chart (Judy 1976;
Samei et al. 1998; on patients Sanders et al. 2016). Anatomy is no test chart: a width counts only where the edges have
the shape of a known family and many parts of surfaces agree on it. A wrong width costs more than none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.degradation.edge_profiles import EdgeProfiles, edge_profiles
from CTSuperResolutionLib.degradation.point_spread import FAMILIES, PointSpread

PER_BLOCK = 80  # profiles of one part of a surface that count
LEAST_IN_BLOCK = 20
MIN_BLOCKS = 6
MAX_BLOCKS = 200
MAX_SPREAD = 0.08  # of the width, from one part of a surface to another
MAX_DIFFERENCE = 0.15  # of the width, between rising and falling edges
MIN_TO_COMPARE = 4  # parts of surfaces that rise, and that fall
MAX_DEVIATION = 0.04  # mean absolute deviation from the fitted edge, of its height: more are no clean edges
SYSTEMATIC = 0.06  # of the width: two thirds of the widths of Testing/benchmarks/psf_recovery.py lie within the error
WIDEST = 1.5  # FWHM in groups of samples that an edge can have within its window
RESOLVED = 0.125  # variance of the point-spread function in squared spacings: of narrower ones samples show nothing
MAX_STEP = 5
MIN_PROFILES = 20  # that say how wide the point-spread function is at most
ROUND, FLAT_TOPPED = (-0.3, 0.3), (0.6, 1.4)  # where a clear shape lies from a triangle or Gaussian, 0, to a box, 1


@dataclass(frozen=True)
class PsfEstimate:
    """What the edges of a scan say of its point-spread function along one axis.

    Attributes:
        psf: family and FWHM in mm.
        error: standard error of the FWHM, mm.
        profiles: edges that it was found from.
    """

    psf: PointSpread
    error: float
    profiles: int


def estimate_psf(
    scan: np.ndarray, spacing: tuple[float, float, float], axis: int, valid: np.ndarray | None = None
) -> PsfEstimate | None:
    """The point-spread function of a scan along an axis, or None where there is too little to see.

    Args:
        scan: HU, (z, y, x). spacing: mm, (z, y, x). axis: 0, 1 or 2.
        valid: where a scanner measured, bool, (z, y, x); None for everywhere.
    """
    pitch = spacing[axis]
    for step, profiles in _windows(scan, spacing, axis, valid):
        blocks = _blocks(profiles)
        if len(blocks) < MIN_BLOCKS:
            continue
        edges = _Edges(profiles, blocks, step, pitch)
        family, width = edges.fit()
        if width <= WIDEST * step * pitch:
            psf = PointSpread(family, width)
            return edges.judge(psf) if psf.variance >= RESOLVED * pitch**2 else None
    return None


def widest_psf(
    scan: np.ndarray, spacing: tuple[float, float, float], axis: int, valid: np.ndarray | None = None
) -> float | None:
    """The FWHM, mm, of the Gaussian that fits all edges along an axis best; None where there are too few.

    Anatomy makes edges wider than the point-spread function and never narrower: few edges are enough to say that it
    is not much wider than this. The arguments are those of :func:`estimate_psf`.
    """
    for step, profiles in _windows(scan, spacing, axis, valid):
        if len(profiles.rising) < MIN_PROFILES:
            continue
        width = _Edges(profiles, [np.arange(len(profiles.rising))], step, spacing[axis]).width("gaussian")
        if width <= WIDEST * step * spacing[axis]:
            return width
    return None


def _windows(
    scan: np.ndarray, spacing: tuple[float, float, float], axis: int, valid: np.ndarray | None
) -> Iterator[tuple[int, EdgeProfiles]]:
    """Profiles in windows that grow: the edges of overlapping slices end within the longer ones only."""
    columns = np.moveaxis(scan, axis, 0)
    measured = None if valid is None else np.moveaxis(valid, axis, 0)
    first, second = (s for k, s in enumerate(spacing) if k != axis)
    for step in range(1, MAX_STEP + 1):
        yield step, edge_profiles(columns, measured, (spacing[axis], first, second), step)


def _blocks(profiles: EdgeProfiles) -> list[np.ndarray]:
    """Indices of profiles by the part of a surface that they are of, no part counting for more than others."""
    _, part, counts = np.unique(profiles.blocks, return_inverse=True, return_counts=True)
    rng = np.random.default_rng(0)
    large = np.nonzero(counts >= LEAST_IN_BLOCK)[0]
    if len(large) > MAX_BLOCKS:
        large = rng.choice(large, MAX_BLOCKS, replace=False)
    members = [np.nonzero(part == k)[0] for k in large]
    return [m if len(m) <= PER_BLOCK else rng.choice(m, PER_BLOCK, replace=False) for m in members]


class _Edges:
    """The profiles in which families of edge-spread functions are looked for, as mm and heights (n, samples)."""

    def __init__(self, profiles: EdgeProfiles, blocks: list[np.ndarray], step: int, pitch: float) -> None:
        self._profiles, self._blocks, self._step, self._group = profiles, blocks, step, step * pitch
        self._all = np.concatenate(blocks)

    def fit(self) -> tuple[str, float]:
        """The family of least deviation and its FWHM, mm."""
        return min(((family, self.width(family)) for family in FAMILIES), key=self._deviation_of)

    def judge(self, psf: PointSpread) -> PsfEstimate | None:
        """The estimate with its error, or None where edges differ from it or from each other."""
        widths = np.array([self.width(psf.family, block) for block in self._blocks])
        rising = np.array([self._profiles.rising[block[0]] for block in self._blocks])
        spread = 1.4826 * float(np.median(np.abs(widths - np.median(widths))))
        if spread > MAX_SPREAD * psf.fwhm or self._deviation(psf, self._all) > MAX_DEVIATION:
            return None
        if min(rising.sum(), (~rising).sum()) >= MIN_TO_COMPARE:
            difference = abs(float(np.median(widths[rising]) - np.median(widths[~rising])))
            if difference > MAX_DIFFERENCE * psf.fwhm:
                return None
        shape = self._shape()
        if not (ROUND[0] < shape < ROUND[1] or FLAT_TOPPED[0] < shape < FLAT_TOPPED[1]):
            return None
        error = math.hypot(spread / len(widths) ** 0.5, SYSTEMATIC * psf.fwhm)
        return PsfEstimate(psf, error, len(self._all))

    def _shape(self) -> float:
        """Where the edges lie on the way from the better of triangle and Gaussian, 0, to a box, 1."""
        fits = {family: (family, self.width(family)) for family in FAMILIES}
        rounded = min((fits["triangle"], fits["gaussian"]), key=self._deviation_of)
        start, end = (self._model(PointSpread(*fit), self._all) for fit in (rounded, fits["box"]))
        way = end - start
        return float(((self._profiles.heights[self._all] - start) * way).sum() / (way**2).sum())

    def width(self, family: str, members: np.ndarray | None = None) -> float:
        """The FWHM of least absolute deviation, mm, from all edges or some."""
        members = self._all if members is None else members

        def deviation(width: float) -> float:
            return self._deviation(PointSpread(family, width), members)

        best = min(np.arange(0.3, 2.5, 0.1) * self._group, key=deviation)
        return float(min(best + np.arange(-0.09, 0.1, 0.01) * self._group, key=deviation))

    def _deviation_of(self, fit: tuple[str, float]) -> float:
        return self._deviation(PointSpread(*fit), self._all)

    def _deviation(self, psf: PointSpread, members: np.ndarray) -> float:
        between = slice(2 * self._step, -2 * self._step)  # the plateaus
        difference = self._model(psf, members) - self._profiles.heights[members]
        return float(np.abs(difference[:, between]).mean())

    def _model(self, psf: PointSpread, members: np.ndarray) -> np.ndarray:
        """Heights of a step seen by ``psf``, counted between plateaus as those of the profiles are."""
        edge = psf.integral(self._profiles.offsets[members])
        plateau = 2 * self._step
        low, high = edge[:, :plateau].mean(1, keepdims=True), edge[:, -plateau:].mean(1, keepdims=True)
        return (edge - low) / (high - low)
