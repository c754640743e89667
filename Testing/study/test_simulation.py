"""Simulated studies: intervals hold the truth as often as they say, and tests err as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.simulation import Effect, coverage, power, simulate

CORRELATED = {"reader_sd": 0.4, "case_sd": 0.5}  # readers differ, and cases do


def test_the_true_values_are_those_of_a_large_study() -> None:
    effect, rng = Effect(0.7, **CORRELATED), np.random.default_rng(0)
    assert effect.preferences(2000, 2000, rng).mean() == pytest.approx(0.7, abs=0.02)
    below = []
    for _ in range(400):
        a, b = effect.grades(1, 4000, rng)
        below.append((np.sign(b[0, :2000] - a[0, 2000:]) / 2 + 0.5).mean())  # of different cases
    assert effect.area == pytest.approx(np.mean(below), abs=0.01)
    assert Effect(0.5).area == pytest.approx(0.5, abs=0.01)


def truth_of(effect: Effect, kind: str) -> float:
    return effect.share if kind == "forced_choice" else effect.area


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["forced_choice", "grading"])
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_intervals_of_500_studies_hold_the_truth_in_93_to_97_percent(kind: str, share: float) -> None:
    effect = Effect(share, **CORRELATED)
    found = simulate(effect, kind, readers=6, cases=40, studies=500, seed=1)
    assert 0.93 <= coverage(found, truth_of(effect, kind)) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["forced_choice", "grading"])
def test_without_a_difference_the_test_finds_one_in_4_to_6_percent(kind: str) -> None:
    effect = Effect(0.5, **CORRELATED)
    found = simulate(effect, kind, readers=6, cases=40, studies=3000, seed=2)
    assert 0.04 <= power(found) <= 0.06


@pytest.mark.slow
def test_more_readers_and_cases_find_more() -> None:
    effect = Effect(0.65, **CORRELATED)
    found = [power(simulate(effect, "forced_choice", r, c, 300)) for r, c in ((3, 15), (6, 40), (12, 80))]
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("share", [0, 1, 1.5])
def test_an_effect_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(JobError, match="The expected share is to be between 0 and 1"):
        Effect(share)


def test_one_reader_is_too_few() -> None:
    with pytest.raises(JobError, match="two readers and two cases at least"):
        simulate(Effect(0.6), "forced_choice", 1, 20, 3)
