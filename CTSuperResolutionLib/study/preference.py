"""Forced choice: the share in which one method is preferred, and Bradley and Terry's strengths of several."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.study.bootstrap import DRAWS, Interval, Statistic, difference_interval, share_interval

ITERATIONS = 200  # of the minorisation: the error of comparable methods falls by half in each
PRIOR = 0.5  # wins that every pair is given either way: no method that always wins has an infinite strength


def preference_share(table: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The share in which one of two methods is preferred.

    Args:
        table: (readers, cases); 1 where it was preferred, 0 where the other was, 1/2 for a tie, NaN without an answer.
        draws, seed: of the bootstrap.
    """
    known = np.isfinite(table)
    values = np.where(known, table, 0.0)

    def share(readers: np.ndarray, cases: np.ndarray) -> np.ndarray:
        counts = ((readers @ known) * cases).sum(1)
        with np.errstate(invalid="ignore"):
            return ((readers @ values) * cases).sum(1) / counts

    return share_interval(share, *table.shape, draws=draws, seed=seed)


def bradley_terry(wins: np.ndarray) -> np.ndarray:
    """Bradley and Terry's log strengths, with that of the first method 0, by Hunter's minorisation.

    P(i is preferred to j) = 1 / (1 + exp(β_j − β_i)); R. A. Bradley and M. E. Terry, Biometrika 39, 1952; D. R. Hunter,
    Ann Stat 32, 2004. A tie is half a win for each.

    Args:
        wins: (..., methods, methods); how often the row's method was preferred to the column's.

    Returns:
        β, (..., methods).
    """
    games = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(-1)
    strength = np.ones(won.shape)
    for _ in range(ITERATIONS):
        with np.errstate(divide="ignore", invalid="ignore"):
            strength = won / (games / (strength[..., :, None] + strength[..., None, :])).sum(-1)
        strength = strength / strength.mean(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(strength)
        return logs - logs[..., :1]


def strengths(won: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> list[Interval]:
    """Log strengths of all methods but the first, against it, each with its interval.

    Every pair is given half a win either way, so that the strengths stay finite.

    Args:
        won: (readers, cases, methods, methods); 1, 1/2 or 0 where the row's method met the column's, else 0 both ways.
        draws, seed: of the bootstrap.
    """
    count = won.shape[-1]
    extra = PRIOR * (1 - np.eye(count))

    def strength_of(method: int) -> Statistic:
        def strength(readers: np.ndarray, cases: np.ndarray) -> np.ndarray:
            return bradley_terry(np.einsum("br,bc,rcij->bij", readers, cases, won, optimize=True) + extra)[:, method]

        return strength

    return [
        difference_interval(strength_of(method), *won.shape[:2], draws=draws, seed=seed) for method in range(1, count)
    ]
