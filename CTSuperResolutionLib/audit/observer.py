"""Model observer: a channelised Hotelling observer (CHO) in three dimensions, scored without having seen the case.

Laguerre-Gauss channels (Gallas and Barrett, J Opt Soc Am A 20, 2003) turn the surroundings of a place into a few
numbers v; the template is w = S⁻¹ (v̄₁ − v̄₀) with S the mean covariance of cases with and without the signal, and
d' = (t̄₁ − t̄₀) / √((σ₁² + σ₀²)/2) of the scores t = wᵀv. Each place is scored by a template of all other places, so that
training is not taken for ability; the interval is that of the places drawn with replacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

DRAWS = 2000
LEVEL = 0.95
RIDGE = 1e-9  # of the mean variance: keeps S invertible where two channels see the same


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def rounded(self, digits: int = 2) -> list[float]:
        """Value and ends, for a report."""
        return [round(float(number), digits) for number in (self.value, self.low, self.high)]


def laguerre_gauss(shape: Sequence[int], widths: Sequence[float], spacing: Sequence[float], count: int) -> np.ndarray:
    """The first channels around the middle of a box, L_p(2πρ²) exp(−πρ²), ρ² = Σ (r/a)² over the axes; (count, voxels).

    Each has a sum of squares of 1.

    Args:
        shape: of the box, odd, (z, y, x). widths: a, mm, (z, y, x). spacing: mm, (z, y, x).
    """
    axes = [(np.arange(n) - n // 2) * d / a for n, d, a in zip(shape, spacing, widths, strict=True)]
    square = np.pi * sum(r**2 for r in np.meshgrid(*axes, indexing="ij", sparse=True))
    channels = np.stack([special.eval_laguerre(p, 2 * square) * np.exp(-square) for p in range(count)])
    flat = channels.reshape(count, -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def held_out_scores(present: np.ndarray, absent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of every place with and without the signal, by templates of the other places; (places,) each.

    Args:
        present, absent: channel outputs of the same places, (places, channels).
    """
    places, channels = present.shape
    scores = np.empty((2, places))
    for held in range(places):
        others = np.arange(places) != held
        one, none = present[others], absent[others]
        scatter = (np.cov(one.T) + np.cov(none.T)).reshape(channels, channels) / 2
        scatter = scatter + RIDGE * np.trace(scatter) / channels * np.eye(channels)
        template = np.linalg.solve(scatter, one.mean(axis=0) - none.mean(axis=0))
        template = template / np.sqrt(template @ scatter @ template)  # one scale for all templates
        scores[:, held] = present[held] @ template, absent[held] @ template
        scores[:, held] -= (one.mean(axis=0) + none.mean(axis=0)) @ template / 2
    return scores[0], scores[1]


def detectability(present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """d' of scores, (..., places) each."""
    spread = (present.var(axis=-1, ddof=1) + absent.var(axis=-1, ddof=1)) / 2
    return (present.mean(axis=-1) - absent.mean(axis=-1)) / np.sqrt(spread)


def area(present: np.ndarray, absent: np.ndarray) -> float:
    """Area under the ROC curve of scores: how often one with the signal is above one without (Mann and Whitney)."""
    return float(stats.mannwhitneyu(present, absent).statistic / (len(present) * len(absent)))


def drawn_places(places: int, seed: int) -> np.ndarray:
    """Places drawn with replacement, (DRAWS, places): the same for every method, so that methods can be compared."""
    return np.random.default_rng(seed).integers(0, places, (DRAWS, places))


def interval(value: float, draws: np.ndarray) -> Estimate:
    """A figure with the percentiles of its draws."""
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high))
