"""Agreement of raters: Cohen's weighted kappa of two, Krippendorff's alpha and Gwet's AC2 of any number."""

from __future__ import annotations

import numpy as np


def quadratic_weights(scale: int) -> np.ndarray:
    """Agreement between grades, 1 − (difference / largest difference)², (scale, scale)."""
    grades = np.arange(scale)
    return 1 - (np.subtract.outer(grades, grades) / max(scale - 1, 1)) ** 2


def weighted_kappa(first: np.ndarray, second: np.ndarray, scale: int) -> float:
    """Cohen's kappa with quadratic weights (Psychol Bull 70, 1968); NaN where both gave one grade only.

    Args:
        first, second: grades 1 to ``scale`` of the same images, NaN without one.
    """
    both = np.isfinite(first) & np.isfinite(second)
    counts = np.zeros((scale, scale))
    np.add.at(counts, (first[both].astype(int) - 1, second[both].astype(int) - 1), 1)
    disagreement = 1 - quadratic_weights(scale)
    if counts.sum() == 0:
        return float("nan")
    shares = counts / counts.sum()
    expected = (disagreement * np.outer(shares.sum(1), shares.sum(0))).sum()
    return float(1 - (disagreement * shares).sum() / expected) if expected else float("nan")


def krippendorff_alpha(ratings: np.ndarray, metric: str = "ordinal") -> float:
    """Krippendorff's alpha; NaN where all ratings are the same.

    K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011: 1 − observed over expected disagreement of pairs
    within units; a unit with fewer than two ratings does not count.

    Args:
        ratings: (raters, units), NaN without one.
        metric: "nominal", "ordinal" or "interval".

    Raises:
        ValueError: there is no such metric.
    """
    counts, values = _counts(ratings)
    counts = counts[counts.sum(1) >= 2]
    if not len(counts):
        return float("nan")
    m = counts.sum(1, keepdims=True)
    coincidences = (counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))) / (
        m[:, :, None] - 1
    )
    observed = coincidences.sum(0)
    n = observed.sum(1)
    if metric == "nominal":
        distance = 1.0 - np.eye(len(values))
    elif metric == "interval":
        distance = np.subtract.outer(values, values) ** 2
    elif metric == "ordinal":
        middle = np.cumsum(n) - n / 2  # ranks: the sum of counts between two values, with half of their own
        distance = np.subtract.outer(middle, middle) ** 2
    else:
        raise ValueError(f"there is no metric {metric}")
    expected = (np.outer(n, n) * distance).sum() / (n.sum() - 1)
    return float(1 - (observed * distance).sum() / expected) if expected else float("nan")


def gwet_ac2(ratings: np.ndarray, scale: int, weights: np.ndarray | None = None) -> float:
    """Gwet's AC2; with weights that are the identity it is his AC1.

    K. L. Gwet, Handbook of Inter-Rater Reliability, 4th edition 2014, chapters 5 and 6. Chance agreement is
    Σw / (q (q−1)) Σ π (1−π), with the π of every category averaged over units.

    Args:
        ratings: (raters, units), 1 to ``scale``, NaN without one.
        scale: q, the number of categories.
        weights: agreement between categories (scale, scale); quadratic where None.
    """
    w = quadratic_weights(scale) if weights is None else weights
    counts = np.stack([(ratings == grade).sum(0) for grade in range(1, scale + 1)], axis=1).astype(float)
    counts = counts[counts.sum(1) > 0]
    m = counts.sum(1)
    rated = m >= 2
    if not rated.any():
        return float("nan")
    alike = (counts * (counts @ w - 1)).sum(1)[rated] / (m * (m - 1))[rated]
    shares = (counts / m[:, None]).mean(0)
    chance = w.sum() / (scale * (scale - 1)) * (shares * (1 - shares)).sum()
    return float((alike.mean() - chance) / (1 - chance))


def _counts(ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often every unit got every value, (units, values), and the values, rising."""
    values = np.unique(ratings[np.isfinite(ratings)])
    return np.stack([(ratings == value).sum(0) for value in values], axis=1).astype(float), values
