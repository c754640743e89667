"""Visual grading characteristics: how far the grades of one method lie above those of another, without their distances.

M. Båth and L. G. Månsson, Br J Radiol 80, 2007: the curve has, for every grade, the share of images graded at least so
by either method; the area under it is the chance that an image of the one is graded above an image of the other, with
ties counted half. 1/2 is no difference.
"""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.study.bootstrap import DRAWS, Interval, share_interval


def vgc_curve(reference: np.ndarray, other: np.ndarray, scale: int) -> np.ndarray:
    """Points of the curve from (0, 0) to (1, 1), (scale + 1, 2): shares of the reference and of the other method.

    Args:
        reference, other: grades of any shape, NaN without an answer. scale: highest grade.
    """
    grades = np.arange(scale + 1, 0, -1)[:, None]
    shares = [(values[np.isfinite(values)][None, :] >= grades).mean(1) for values in (reference, other)]
    return np.stack(shares, axis=1)


def vgc_area(reference: np.ndarray, other: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The area under the curve, the mean over readers, with the two-way bootstrap's interval.

    Args:
        reference, other: grades by the two methods, (readers, cases), NaN without an answer.
        draws, seed: of the bootstrap.
    """
    known = np.isfinite(reference[:, :, None]) & np.isfinite(other[:, None, :])
    above = np.where(known, 0.5 + 0.5 * np.sign(other[:, None, :] - reference[:, :, None]), 0.0)

    def area(readers: np.ndarray, cases: np.ndarray) -> np.ndarray:
        won = np.stack([((cases @ table) * cases).sum(1) for table in above], axis=1)
        met = np.stack([((cases @ table.astype(float)) * cases).sum(1) for table in known], axis=1)
        with np.errstate(invalid="ignore"):
            of_reader = np.where(met > 0, won / met, 0.0)
            return (readers * of_reader).sum(1) / (readers * (met > 0)).sum(1)

    return share_interval(area, *reference.shape, draws=draws, seed=seed)
