"""Simulation of studies: what a design would find, and how often it would be right.

The readers' criterion is a normal score. In a forced choice, reader r prefers the second method on case c where
μ + u_r + v_c + ε > 0, with u ~ N(0, σ_r²), v ~ N(0, σ_c²) and ε ~ N(0, 1): the share is Φ(μ / √(1 + σ_r² + σ_c²)).
In grading, the score of the second method is that of the first plus such a preference, and cases differ by CASE_SD.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.study.bootstrap import Interval
from CTSuperResolutionLib.study.grading import vgc_area
from CTSuperResolutionLib.study.preference import preference_share

CASE_SD = 1.0  # of the quality of cases, in units of one look's own noise
CUTS = (-1.2, -0.4, 0.4, 1.2)  # between the five grades, in standard deviations of the first method's scores
NODES = 40  # of the quadrature over readers


@dataclass(frozen=True)
class Effect:
    """What is true of readers and cases.

    Attributes:
        share: in which the second method is preferred in a pair, over all readers and cases.
        reader_sd, case_sd: how much that differs by reader and by case, in units of one look's own noise.
    """

    share: float
    reader_sd: float = 0.3
    case_sd: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise JobError(f"The expected share is to be between 0 and 1, not {self.share:g}; 0.5 is no difference.")
        if not 0 <= self.reader_sd <= 10 or not 0 <= self.case_sd <= 10:
            raise JobError("The spreads of readers and cases are to be from 0 to 10; 0.3 and 0.5 are usual.")

    @property
    def shift(self) -> float:
        """μ, the mean of the preference."""
        return float(stats.norm.ppf(self.share)) * math.sqrt(1 + self.reader_sd**2 + self.case_sd**2)

    def preferences(self, readers: int, cases: int, rng: np.random.Generator) -> np.ndarray:
        """A forced choice: 1 where the second method is preferred, else 0; (readers, cases)."""
        return (self._preference(readers, cases, rng) + rng.normal(size=(readers, cases)) > 0).astype(float)

    def grades(self, readers: int, cases: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Grades 1 to 5 by the first and by the second method, each (readers, cases)."""
        quality = rng.normal(0, CASE_SD, (1, cases))
        first = quality + rng.normal(size=(readers, cases))
        second = quality + self._preference(readers, cases, rng) + rng.normal(size=(readers, cases))
        cuts = np.array(CUTS) * math.hypot(CASE_SD, 1)
        low, high = (1.0 + (score[..., None] > cuts).sum(-1) for score in (first, second))
        return low, high

    @property
    def area(self) -> float:
        """The true VGC area of such grades, by Gauss–Hermite quadrature over readers."""
        sd_first = math.hypot(CASE_SD, 1)
        sd_second = math.hypot(CASE_SD, 1, self.case_sd)
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        cuts = np.array(CUTS) * sd_first
        edges = np.concatenate([[-np.inf], cuts, [np.inf]])
        first = np.diff(stats.norm.cdf(edges / sd_first))
        shifts = self.shift + self.reader_sd * nodes
        second = np.diff(stats.norm.cdf((edges[None, :] - shifts[:, None]) / sd_second), axis=1)
        below = np.cumsum(first) - first / 2
        return float((weights * (second @ below)).sum() / weights.sum())

    def _preference(self, readers: int, cases: int, rng: np.random.Generator) -> np.ndarray:
        by_reader = rng.normal(0, self.reader_sd, (readers, 1))
        return self.shift + by_reader + rng.normal(0, self.case_sd, (1, cases))


def simulate(
    effect: Effect,
    kind: str,
    readers: int,
    cases: int,
    studies: int,
    *,
    draws: int = 400,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Interval]:
    """The results of simulated studies of one design.

    Args:
        effect: what is true. kind: "forced_choice" or "grading".
        readers, cases: of each study; two at least.
        studies: how many. draws: of each bootstrap. seed: of everything.
        progress: asked before every study whether to go on.

    Raises:
        JobError: there are too few readers or cases.
    """
    if readers < 2 or cases < 2:
        raise JobError("A study has two readers and two cases at least; give more.")
    rng = np.random.default_rng(seed)
    found = []
    for study in range(studies):
        if progress is not None:
            progress.check()
        if kind == "forced_choice":
            found.append(preference_share(effect.preferences(readers, cases, rng), draws=draws, seed=study))
        else:
            found.append(vgc_area(*effect.grades(readers, cases, rng), draws=draws, seed=study))
    return found


def power(results: list[Interval], level: float = 0.05) -> float:
    """The share of studies that find a difference."""
    return float(np.mean([r.p is not None and r.p < level for r in results]))


def coverage(results: list[Interval], truth: float) -> float:
    """The share of studies whose interval holds the truth."""
    return float(np.mean([r.low <= truth <= r.high for r in results]))
