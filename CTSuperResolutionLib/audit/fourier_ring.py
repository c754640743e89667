"""Fourier ring correlation of patches: up to which frequency two images show the same.

FRC(f) = Re Σ F G* / √(Σ |F|² Σ |G|²), summed over a ring of frequencies around f (Saxton and Baumeister, J Microsc 127,
1982); sFRC of Kc et al. (arXiv 2603.04673) scans it over patches and looks where the curve falls below a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RingCorrelation:
    """Correlation of pairs of patches by rings of frequency.

    Attributes:
        frequencies: middles of the rings, cycles per mm, (rings,), rising.
        correlation: (patches, rings), from −1 to 1; 0 where there is no power.
        power: of the first and of the second patches, (2, patches, rings).
    """

    frequencies: np.ndarray
    correlation: np.ndarray
    power: np.ndarray

    def crossings(self, threshold: float) -> np.ndarray:
        """The frequency at which each pair's correlation first falls below a threshold, interpolated; (patches,).

        The last ring's frequency where it never does, the first one's where it is below from the start.
        """
        below = self.correlation < threshold
        first = np.where(below.any(axis=1), below.argmax(axis=1), below.shape[1] - 1)
        before = np.maximum(first - 1, 0)
        rows = np.arange(len(first))
        high, low = self.correlation[rows, before], self.correlation[rows, first]
        drop = np.where(high > low, high - low, 1.0)
        part = np.clip((high - threshold) / drop, 0.0, 1.0)
        start, stop = self.frequencies[before], self.frequencies[first]
        return np.where(below.any(axis=1), start + part * (stop - start), self.frequencies[-1])


def ring_correlation(first: np.ndarray, second: np.ndarray, spacing: Sequence[float]) -> RingCorrelation:
    """Fourier ring correlation of pairs of patches, each without its mean and under a Hann window.

    Rings are as wide as the patch's longer side resolves, and end at the Nyquist frequency of the coarser spacing.

    Args:
        first, second: (patches, rows, columns). spacing: mm between (rows, columns).
    """
    rows, columns = first.shape[1:]
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1])
    spectra = []
    for patches in (first, second):
        weighted = (patches * window).sum(axis=(1, 2), keepdims=True) / window.sum()
        spectra.append(np.fft.rfft2((patches - weighted) * window))
    along, across = np.fft.fftfreq(rows, spacing[0]), np.fft.rfftfreq(columns, spacing[1])
    radius = np.hypot(along[:, None], across)
    step = max(1 / (rows * spacing[0]), 1 / (columns * spacing[1]))
    count = int(0.5 / max(spacing) / step + 1e-9)
    ring = np.rint(radius / step).astype(int)
    doubled = np.full(ring.shape, 2.0)  # rfft2 has one of each pair of conjugates
    doubled[:, 0] = 1
    if columns % 2 == 0:
        doubled[:, -1] = 1

    def over_rings(values: np.ndarray) -> np.ndarray:
        flat = (values * doubled).reshape(len(values), -1)
        return np.stack([flat[:, (ring == k).ravel()].sum(axis=1) for k in range(1, count + 1)], axis=1)

    power = np.stack([over_rings(np.abs(spectrum) ** 2) for spectrum in spectra])
    cross = over_rings((spectra[0] * spectra[1].conj()).real)
    norm = np.sqrt(power[0] * power[1])
    correlation = np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 0)
    return RingCorrelation(step * np.arange(1, count + 1), correlation, power)
