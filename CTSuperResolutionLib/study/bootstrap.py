"""Two-way bootstrap: how sure a figure is that came of some readers and some cases, both drawn from many.

Readers, cases and both are drawn with replacement, and the three variances put together so that each part counts once:
with R readers, C cases and the variances V_R, V_C and V_RC of the figure when readers, cases or both are drawn,

    V = R/(R−1) V_R + C/(C−1) V_C − RC/((R−1)(C−1)) (V_RC − V_R − V_C),

never less than either of its first two terms. For a mean over a table of readers and cases this is its unbiased
variance when both are random (that of the analysis of variance, as in Dorfman, Berbaum and Metz, Invest Radiol 27,
1992). Drawing both and taking the percentiles instead counts the residual three times (Owen, Ann Appl Stat 1, 2007;
Gallas et al., Commun Stat A 38, 2009), and forgets that few readers are few. The interval is Student's t on the log
odds, with the degrees of freedom of Hillis (Stat Med 26, 2007), (R−1)(V / (R/(R−1) V_R))².
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes weights of readers (draws, readers) and of cases (draws, cases), whole numbers; gives every draw's figure."""

DRAWS = 2000
LEVEL = 0.95
BATCH = 250  # draws at once


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval.

    Attributes:
        estimate: of all readers and cases.
        low, high: ends of the interval.
        p: two-sided, of the null hypothesis that the figure is the null value; None where it cannot be said.
        freedom: degrees of freedom.
    """

    estimate: float
    low: float
    high: float
    p: float | None
    freedom: float


def share_interval(statistic: Statistic, readers: int, cases: int, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The interval of a share or an area, whose null value is 1/2.

    A share of 0 or 1 has no variance: its interval is that of Clopper and Pearson with a trial for each case.

    Args:
        statistic: the figure, from 0 to 1.
        readers, cases: how many there are; two of each at least.
        draws: of each bootstrap. seed: of the draws.

    Raises:
        ValueError: there are fewer than two readers or cases.
    """
    estimate = float(statistic(np.ones((1, readers)), np.ones((1, cases)))[0])
    if not 0 < estimate < 1:
        low = 0.0 if estimate <= 0 else float(stats.beta.ppf((1 - LEVEL) / 2, cases, 1))
        high = 1.0 if estimate >= 1 else float(stats.beta.ppf((1 + LEVEL) / 2, 1, cases))
        return Interval(estimate, low, high, float(2 * 0.5**cases), math.inf)
    variance, freedom = two_way_variance(statistic, readers, cases, draws=draws, seed=seed)
    odds = math.log(estimate / (1 - estimate))
    error = math.sqrt(variance) / (estimate * (1 - estimate))
    low, high, p = student(odds, error, freedom)
    return Interval(estimate, 1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high)), p, freedom)


def difference_interval(statistic: Statistic, readers: int, cases: int, *, draws: int, seed: int = 0) -> Interval:
    """The interval of a figure without bounds, whose null value is 0. See :func:`share_interval`."""
    estimate = float(statistic(np.ones((1, readers)), np.ones((1, cases)))[0])
    variance, freedom = two_way_variance(statistic, readers, cases, draws=draws, seed=seed)
    low, high, p = student(estimate, math.sqrt(variance), freedom)
    return Interval(estimate, low, high, p, freedom)


def student(estimate: float, error: float, freedom: float) -> tuple[float, float, float | None]:
    """Ends of Student's interval and the two-sided p against 0; no p where there is no error."""
    if error == 0:
        return estimate, estimate, None
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return estimate - reach, estimate + reach, float(2 * stats.t.sf(abs(estimate) / error, freedom))


def two_way_variance(
    statistic: Statistic, readers: int, cases: int, *, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """The variance of a figure when readers and cases are random, and its degrees of freedom.

    Raises:
        ValueError: there are fewer than two readers or cases.
    """
    if readers < 2 or cases < 2:
        raise ValueError("a two-way bootstrap needs two readers and two cases")
    rng = np.random.default_rng(seed)
    of = {}
    for name, vary in (("readers", (True, False)), ("cases", (False, True)), ("both", (True, True))):
        values = []
        for first in range(0, draws, BATCH):
            count = min(BATCH, draws - first)
            weights = [
                rng.multinomial(n, np.full(n, 1 / n), count).astype(float) if drawn else np.ones((count, n))
                for n, drawn in zip((readers, cases), vary, strict=True)
            ]
            values.append(statistic(*weights))
        of[name] = float(np.nanvar(np.concatenate(values)))
    inflate_r, inflate_c = readers / (readers - 1), cases / (cases - 1)
    by_readers, by_cases = inflate_r * of["readers"], inflate_c * of["cases"]
    residual = inflate_r * inflate_c * max(of["both"] - of["readers"] - of["cases"], 0.0)
    variance = max(by_readers + by_cases - residual, by_readers, by_cases)
    freedom = (readers - 1) * (variance / by_readers) ** 2 if by_readers else math.inf
    return variance, freedom
