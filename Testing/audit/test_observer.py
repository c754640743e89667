"""The model observer against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.audit.observer import (
    area,
    detectability,
    drawn_places,
    held_out_scores,
    interval,
    laguerre_gauss,
)

SHAPE, SPACING, WIDTHS = (9, 13, 13), (1.5, 1.0, 1.0), (6.0, 6.0, 6.0)


def observed(present: np.ndarray, absent: np.ndarray, seed: int = 0):
    """d' and its interval."""
    one, none = held_out_scores(present, absent)
    draws = drawn_places(len(one), seed)
    return interval(float(detectability(one, none)), detectability(one[draws], none[draws]))


@pytest.mark.parametrize("true", [0.8, 2.0, 4.0])
def test_a_signal_in_white_noise_has_the_d_of_its_energy(true) -> None:
    """A Gaussian blob is the first channel itself, so that the channels lose nothing: d' = ‖s‖ / σ."""
    channels = laguerre_gauss(SHAPE, WIDTHS, SPACING, 3)
    noise = np.random.default_rng(0).normal(0, 20.0, (2, 500, channels.shape[1]))
    signal = true * 20.0 * channels[0]
    found = observed((noise[0] + signal) @ channels.T, noise[1] @ channels.T)
    assert found.value == pytest.approx(true, rel=0.1) and found.low < true < found.high


def test_correlated_channels_are_whitened() -> None:
    """d'² = Δᵀ S⁻¹ Δ, by numbers that are not the channels' own."""
    rng = np.random.default_rng(1)
    mix = rng.normal(0, 1, (4, 4))
    shift = np.array([1.0, -0.5, 0.3, 0.8])
    true = np.sqrt(shift @ np.linalg.solve(mix @ mix.T, shift))
    absent, present = (rng.normal(0, 1, (2000, 4)) @ mix.T for _ in range(2))
    assert observed(present[:600] + shift, absent[:600]).value == pytest.approx(true, rel=0.12)
    assert true > np.linalg.norm(shift / mix.std(axis=1))  # without whitening it would be less


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, true, hits = np.random.default_rng(2), 1.5, 0
    for trial in range(60):
        present, absent = rng.normal(0, 1, (2, 40, 3))
        present[:, 0] += true
        found = observed(present, absent, trial)
        hits += found.low < true < found.high
    assert hits >= 51  # 85 %: templates of few places are a little worse than the best one


def test_no_signal_is_not_found_however_many_channels_look_for_it() -> None:
    rng = np.random.default_rng(3)
    values, areas = [], []
    for _trial in range(40):
        one, none = held_out_scores(rng.normal(0, 1, (20, 6)), rng.normal(0, 1, (20, 6)))
        values.append(float(detectability(one, none)))
        areas.append(area(one, none))
    assert np.mean(values) < 0.1 and np.mean(areas) < 0.53


def test_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert area(np.array([1.0, 2, 3]), np.array([0.0, 2, 2.5])) == pytest.approx((1 + 1.5 + 3) / 9)


def test_channels_are_round_in_millimetres_and_of_one_size() -> None:
    channels = laguerre_gauss((7, 13, 13), WIDTHS, (2.0, 1.0, 1.0), 4)
    np.testing.assert_allclose(np.linalg.norm(channels, axis=1), 1)
    boxes = channels.reshape(4, 7, 13, 13)
    np.testing.assert_allclose(boxes[:, 3 + 2, 6, 6], boxes[:, 3, 6 + 4, 6])
    fine = laguerre_gauss((41, 41, 41), (8.0,) * 3, (1.0,) * 3, 3)
    assert abs(fine[0] @ fine[1]) < 0.5  # of two dimensions they are orthogonal, of three nearly
