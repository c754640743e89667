"""Ordinal regression of grades: the odds of a higher grade by method, with readers and with cases that are alike."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.errors import Advice, JobError


@dataclass(frozen=True)
class OddsRatio:
    """How the odds of a grade above any other change by method.

    Attributes:
        ratio: of the odds, against the first method. low, high: its 95 % interval.
        p: two-sided, of a ratio of 1.
    """

    ratio: float
    low: float
    high: float
    p: float


def odds_ratio(reference: np.ndarray, other: np.ndarray) -> OddsRatio | None:
    """Cumulative logit model of grades by method and reader, with errors that hold for correlated looks at a case.

    P. Heagerty and S. Zeger, JASA 91, 1996 (statsmodels' OrdinalGEE, independence as working structure).

    Args:
        reference, other: grades by the two methods, (readers, cases), NaN without an answer.

    Returns:
        None where the model has no solution, as when all grades by one method lie above all of the other.

    Raises:
        JobError: the packages for this are not installed.
    """
    try:
        import pandas
        from statsmodels.genmod.generalized_estimating_equations import OrdinalGEE
    except ImportError as error:
        raise JobError(
            "The analysis needs pandas and statsmodels", Advice("install CTSuperResolution with its extra 'study'")
        ) from error
    grades = np.stack([reference, other])
    method, reader, case = np.nonzero(np.isfinite(grades))
    columns = {"method": method.astype(float)}
    columns |= {f"reader{index}": (reader == index).astype(float) for index in range(1, grades.shape[1])}
    values = grades[np.isfinite(grades)]
    if len(np.unique(values)) < 2:
        return None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            fit = OrdinalGEE(values, pandas.DataFrame(columns), groups=case).fit()
            slope, deviation, p = (float(found["method"]) for found in (fit.params, fit.bse, fit.pvalues))
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    if not math.isfinite(deviation) or not 0 < deviation < 10 or abs(slope) > 15:
        return None
    low, high = slope - 1.96 * deviation, slope + 1.96 * deviation
    return OddsRatio(math.exp(slope), math.exp(low), math.exp(high), p)
