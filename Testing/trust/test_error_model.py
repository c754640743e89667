"""Intervals on volumes whose errors are drawn from a spread that is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.ndimage as ndi
from scipy import stats

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.trust.error_model import ErrorModel, coverage, tissues_of

SHAPE = (40, 60, 60)


def smooth(rng: np.random.Generator, size: float) -> np.ndarray:
    found = ndi.gaussian_filter(rng.normal(0, 1, SHAPE), size)
    return found / found.std()


def case(seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A result, what was measured, the truth, and the spread of the error: more where more was added and in lung."""
    rng = np.random.default_rng(seed)
    lung = smooth(rng, 8) > 0
    measured = np.where(lung, -850.0, 40.0) + 5 * smooth(rng, 2)
    strength = np.exp(0.8 * smooth(rng, 5))  # of what is added, from place to place
    sr = measured + 15 * strength * smooth(rng, 0.7)
    spread = scale * np.where(lung, 2.0, 1.0) * (3 + 12 * strength)
    return sr, measured, sr + spread * rng.normal(0, 1, SHAPE), spread


@pytest.fixture(scope="module")
def model() -> ErrorModel:
    return ErrorModel.fit([case(seed)[:3] for seed in (0, 1, 2)], {"made": "by a test"})


def test_nine_of_ten_truths_lie_inside_in_every_tissue_of_a_result_not_seen(model) -> None:
    sr, measured, truth, _ = case(7)
    found = coverage(model, sr, measured, truth)
    assert found["all"]["covered_percent"] == pytest.approx(90, abs=1.5)
    assert found["lung"]["covered_percent"] == pytest.approx(90, abs=3)
    assert found["soft_tissue"]["covered_percent"] == pytest.approx(90, abs=3)
    assert found["bone"] is None
    width = model.half_width(sr, measured)
    assert found["all"]["mean_half_width_hu"] == pytest.approx(width.mean(), rel=1e-3)


def test_widths_follow_the_spread_and_are_narrower_than_one_width_for_all(model) -> None:
    sr, measured, truth, spread = case(8)
    width = model.half_width(sr, measured)
    assert stats.spearmanr(width.ravel()[::7], spread.ravel()[::7]).statistic > 0.8
    assert width.mean() < np.quantile(np.abs(sr - truth), 0.9)
    assert width.mean() == pytest.approx(1.645 * spread.mean(), rel=0.2)  # what one would say who knew the spread


def test_errors_that_are_twice_as_large_make_intervals_twice_as_wide(model) -> None:
    twice = ErrorModel.fit([case(seed, 2.0)[:3] for seed in (0, 1, 2)], {})
    sr, measured, *_ = case(9)
    assert np.median(twice.half_width(sr, measured) / model.half_width(sr, measured)) == pytest.approx(2, rel=0.05)


def test_a_file_holds_all_of_it(model) -> None:
    again = ErrorModel.from_json(model.to_json())
    sr, measured, *_ = case(9)
    assert again.origin == {"made": "by a test"} and np.array_equal(
        again.half_width(sr, measured), model.half_width(sr, measured)
    )


@pytest.mark.parametrize("spoilt", [{"version": 2}, {"curves": {"air": [[1], [2, 3]]}}, {"weights": None}])
def test_a_file_of_something_else_is_refused(model, spoilt) -> None:
    with pytest.raises(JobError, match="no calibration"):
        ErrorModel.from_json(json.dumps(json.loads(model.to_json()) | spoilt))


def test_tissues_are_those_of_the_ranges() -> None:
    assert tissues_of(np.array([-1000.0, -850, -100, 40, 700, -400, 200, 3500])).tolist() == [0, 1, 2, 3, 4, 5, 5, 5]
