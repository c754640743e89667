"""Training targets: the identities of the docstring, in float64."""

import numpy as np
import pytest
import scipy.stats
import torch

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.training.examples import Example
from CTSuperResolutionLib.diffusion.training.targets import noisy_batch

ALPHAS = NoiseSchedule.linear().alphas_cumprod.double()
SCHEDULE = NoiseSchedule(ALPHAS)
COUNT, SIZE = 3000, 5


def drawn(error: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Starts and truths (n, v, u) that differ by ``error`` times standard normal, and their batch."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, (COUNT, SIZE, SIZE)).astype(np.float32)
    start = truth + error * rng.standard_normal(truth.shape).astype(np.float32)
    spread = float(np.mean((start - truth) ** 2, dtype=float))
    batch = noisy_batch(
        [Example(s, x, spread, ImageAcquisition(4, 2)) for s, x in zip(start, truth, strict=True)], SCHEDULE, rng
    )
    return start.astype(float), truth.astype(float), [values.numpy() for values in batch]


def test_the_target_leads_to_the_truth_in_one_step():
    _, truth, (shown, steps, _, _, target, _) = drawn(0.3)
    assert shown.shape == target.shape == (COUNT, 1, SIZE, SIZE) and steps.shape == (COUNT,)
    alpha = ALPHAS.numpy()[steps][:, None, None]
    reached = (shown[:, 0] - np.sqrt(1 - alpha) * target[:, 0]) / np.sqrt(alpha)
    assert np.abs((reached - truth) * np.sqrt(alpha)).max() < 1e-6  # starts are rounded to single precision
    assert (steps > 900).any()


def test_most_are_shown_as_they_are_at_step_zero():
    start, truth, (shown, steps, _, _, target, _) = drawn(0.3)
    still, alpha = steps == 0, float(ALPHAS[0])
    assert still.mean() == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / COUNT))
    np.testing.assert_allclose(shown[still, 0], np.sqrt(alpha) * start[still], atol=1e-7)
    expected = np.sqrt(alpha / (1 - alpha)) * (start - truth)[still]
    np.testing.assert_allclose(target[still, 0], expected, rtol=1e-5, atol=1e-4)


def test_other_steps_are_spread_as_the_square_of_a_uniform_number():
    steps = drawn(0.3)[2][1]
    others = steps[steps > 0]
    assert others.max() < len(ALPHAS)
    # ⌊T u²⌋ is at most t with probability √((t + 1)/T); step 0 is counted as 1.
    found = scipy.stats.kstest(others, lambda t: np.sqrt((t + 1) / len(ALPHAS)))
    assert found.statistic < 2 / np.sqrt(len(others)) + np.sqrt(2 / len(ALPHAS))


def test_noise_is_added_to_the_start_or_to_the_truth():
    """With an error of 100 they are told apart while ᾱ is above a half; what is left is standard normal noise."""
    start, truth, (shown, steps, *_) = drawn(100.0)
    alpha = ALPHAS.numpy()[steps]
    early = (steps > 0) & (alpha > 0.5)
    signal, sigma = np.sqrt(alpha[early])[:, None, None], np.sqrt(1 - alpha[early])[:, None, None]
    from_truth, from_start = ((shown[early, 0] - signal * origin[early]) / sigma for origin in (truth, start))
    at_truth = np.abs(from_truth).max((1, 2)) < 10
    assert at_truth.mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / early.sum()))
    noise = np.where(at_truth[:, None, None], from_truth, from_start)
    assert noise.mean() == pytest.approx(0, abs=4 / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(1, rel=4 / np.sqrt(2 * noise.size))
    assert np.abs(noise).max() < 6


@pytest.mark.parametrize("error", [0.01, 0.03, 0.5])
def test_weights_are_the_inverse_of_the_targets_mean_square(error):
    """By kind: unity where the truth is shown, 1/(1 + s ᾱ/(1 − ᾱ)) or (1 − ᾱ)/(s ᾱ) where a start is."""
    start, truth, (_, steps, _, _, target, weights) = drawn(error)
    alpha = ALPHAS.numpy()[steps]
    own = np.square(start - truth).mean((1, 2))
    of_error = alpha / (1 - alpha) * ((own + np.square(start - truth).mean()) / 2 + 1e-6)
    expected = {True: 1 / of_error, False: 1 / (1 + of_error)}
    still = steps == 0
    np.testing.assert_allclose(weights[still], expected[True][still], rtol=1e-3)
    either = np.isclose(weights, 1) | np.isclose(weights, expected[False], rtol=1e-3)
    assert either[~still].all()
    weighted = weights * np.square(target).mean((1, 2, 3))
    for kind in (still, ~still):
        assert weighted[kind].mean() == pytest.approx(1, abs=0.05)


def test_the_same_seed_draws_the_same():
    batches = zip(drawn(0.1)[2], drawn(0.1)[2], drawn(0.1, seed=1)[2], strict=True)
    for k, (one, again, other) in enumerate(batches):
        assert np.array_equal(one, again)
        if k == 2:
            assert (one == list(ImageAcquisition(4, 2))).all()  # the examples' own
        elif k == 3:
            assert one.shape == (COUNT, 4, SIZE, SIZE) and not one.any()  # they have no neighbours
        else:
            assert not np.array_equal(one, other)


def test_alphas_in_single_precision_do_as_well():
    """As training has them: off by rounding, which √ᾱ magnifies."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (200, 4, 4)).astype(np.float32)
    examples = [Example(x + np.float32(0.1), x, 0.01, ImageAcquisition(4, 4)) for x in truth]
    shown, steps, _, _, target, _ = noisy_batch(examples, NoiseSchedule(ALPHAS.float()), rng)
    assert shown.dtype == target.dtype == torch.float32
    alpha = ALPHAS[steps][:, None, None, None]
    reached = (shown.double() - (1 - alpha).sqrt() * target.double()) / alpha.sqrt()
    assert ((reached - torch.from_numpy(truth)[:, None]) * alpha.sqrt()).abs().max() < 2e-6
