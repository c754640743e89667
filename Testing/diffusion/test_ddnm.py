"""DDNM+ against cases with a known answer: linear denoisers and a Gaussian prior."""

import math
from types import SimpleNamespace

import pytest
import torch

from CTSuperResolutionLib.degradation import make_degradation
from CTSuperResolutionLib.diffusion.ddnm import (
    RangeSpace,
    SamplerSettings,
    ddnm_plus_weights,
    restore,
    sampler_steps,
)
from CTSuperResolutionLib.diffusion.prior import new_scheduler

ALPHAS = new_scheduler().alphas_cumprod.double()
SHAPE, SCALE = (16, 24), (4, 4)


def linear_denoiser(strength: float):
    """Any linear map will do: the data step has to work whatever the network says."""
    return SimpleNamespace(
        alphas_cumprod=ALPHAS, predict_noise=lambda x, t: strength * x.roll(3, -1) - 0.2 * x.flip(-2)
    )


def gaussian_prior(deviation: float):
    """The exact network where images are drawn from N(0, deviation²) in [−1, 1] units, pixel by pixel."""

    def predict_noise(x: torch.Tensor, t: int) -> torch.Tensor:
        alpha = float(ALPHAS[t])
        return x * math.sqrt(1 - alpha) / (alpha * deviation**2 + 1 - alpha)

    return SimpleNamespace(alphas_cumprod=ALPHAS, predict_noise=predict_noise)


def views(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, *SHAPE, generator=generator, dtype=torch.float64)
    x[:, 0, 0] = 1.0  # the brightest pixel calibrates all views
    return x


def settings(**changes) -> SamplerSettings:
    return SamplerSettings(
        **{"steps": 5, "start_step": 300, "eta": 0.5, "sigma_y": 0.0, "batch": 8, "seed": 0} | changes
    )


@pytest.mark.parametrize("kernel", ["lanczos", "mean"])
@pytest.mark.parametrize(("steps", "start_step", "eta"), [(1, 0, 0.0), (4, 60, 0.0), (6, 999, 0.99)])
def test_without_noise_the_measured_part_is_exact(kernel, steps, start_step, eta):
    degradation = make_degradation(SHAPE, SCALE, kernel=kernel)
    truth = views(3)
    coarse = degradation.apply(truth)
    start = degradation.pseudo_inverse(coarse)
    start[:, 0, 0] = 1.0
    chosen = settings(steps=steps, start_step=start_step, eta=eta)
    restored = restore(coarse, start, degradation, linear_denoiser(0.4), chosen)
    torch.testing.assert_close(degradation.apply(restored), coarse, atol=1e-9, rtol=0)


def test_an_untouched_axis_is_kept_whole():
    degradation = make_degradation(SHAPE, (4, 1))
    coarse = degradation.apply(views(2))
    restored = restore(coarse, degradation.pseudo_inverse(coarse), degradation, linear_denoiser(0.1), settings())
    torch.testing.assert_close(degradation.apply(restored), coarse, atol=1e-9, rtol=0)


def test_null_space_samples_have_the_spread_of_the_prior():
    """From pure noise, what A cannot see must come out as the prior's own distribution.

    Exact for η = 0, the deterministic DDIM; fresh noise at every step (η > 0, as DDNM and DDRM count it) narrows it.
    """
    deviation = 0.15
    degradation = make_degradation(SHAPE, SCALE, kernel="mean")
    middle = torch.full((24, *SHAPE), 0.5, dtype=torch.float64)
    middle[:, 0, 0] = 1.0
    coarse = torch.full((24, 4, 6), 0.5, dtype=torch.float64)
    chosen = settings(steps=1000, start_step=999, eta=0.0, batch=24)
    restored = restore(coarse, middle, degradation, gaussian_prior(deviation), chosen)
    unseen = 2 * (restored - degradation.pseudo_inverse(degradation.apply(restored)))
    # 1 - 1/16 of all directions are in the null-space of 4 x 4 means.
    assert unseen.std().item() == pytest.approx(deviation * math.sqrt(15 / 16), rel=0.03)


def test_expected_noise_is_not_copied_into_the_result():
    """With the right σ_y the prior's shrinkage shows; with σ_y = 0 all of the noise stays in the measured part."""
    degradation = make_degradation(SHAPE, SCALE, kernel="mean")
    sigma_y, generator = 0.05, torch.Generator().manual_seed(1)
    clean = torch.full((40, 4, 6), 0.5, dtype=torch.float64)
    noisy = clean + sigma_y * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    start = torch.full((40, *SHAPE), 0.5, dtype=torch.float64)
    start[:, 0, 0] = 1.0
    prior = gaussian_prior(0.02)
    errors = {}
    for assumed in (0.0, sigma_y):
        restored = restore(noisy, start, degradation, prior, settings(steps=100, start_step=999, sigma_y=assumed))
        errors[assumed] = (degradation.apply(restored) - clean).std().item()
    assert errors[0.0] == pytest.approx((noisy - clean).std().item(), rel=1e-6)
    assert errors[sigma_y] < 0.5 * errors[0.0]


@pytest.mark.parametrize("sigma", [0.0, 0.001, 0.004, 0.3])
def test_weights_equal_the_mean_pooling_formulas(sigma):
    """Section 2 of DDNM+ for r x r means, whose singular value is 1/r in each axis together."""
    r, a, eta, sigma_y = 4, 0.9, 0.7, 0.001
    pull, added = ddnm_plus_weights(torch.tensor([1 / r]), a, sigma, eta, sigma_y)
    if sigma >= a * sigma_y * r:
        expected = 1.0, math.sqrt(sigma**2 - (a * sigma_y * r) ** 2)
    else:
        expected = sigma * math.sqrt(1 - eta**2) / (a * sigma_y * r), eta * sigma
    assert (pull.item(), added.item()) == pytest.approx(expected)


def test_range_space_diagonalises_the_degradation():
    degradation = make_degradation(SHAPE, SCALE)
    fine = views(2)
    space = RangeSpace(degradation, fine)
    coarse = degradation.apply(fine)
    torch.testing.assert_close(space.measured(coarse), space.coordinates(fine))
    torch.testing.assert_close(space.synthesize(space.coordinates(fine)), degradation.pseudo_inverse(coarse))


def test_a_view_does_not_depend_on_its_batch_but_on_the_seed():
    degradation = make_degradation(SHAPE, SCALE)
    truth = views(5)
    coarse = degradation.apply(truth)
    one = restore(coarse, truth, degradation, linear_denoiser(0.3), settings(batch=1))
    all_at_once = restore(coarse, truth, degradation, linear_denoiser(0.3), settings(batch=5))
    torch.testing.assert_close(one, all_at_once, atol=1e-12, rtol=0)
    other = restore(coarse, truth, degradation, linear_denoiser(0.3), settings(batch=5, seed=1))
    assert (other - one).abs().max() > 1e-3


def test_progress_counts_every_step():
    class Counter:
        done = 0

        def advance(self, steps: int = 1) -> None:
            self.done += steps

    degradation, counter = make_degradation(SHAPE, SCALE), Counter()
    chosen = settings(steps=3, batch=2)
    restore(degradation.apply(views(5)), views(5), degradation, linear_denoiser(0.1), chosen, progress=counter)
    assert counter.done == sampler_steps(chosen, 5) == 9


def test_the_unit_of_the_views_does_not_matter():
    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    plain = restore(degradation.apply(truth), truth, degradation, linear_denoiser(0.2), settings())
    scaled = restore(degradation.apply(truth * 70), truth * 70, degradation, linear_denoiser(0.2), settings())
    torch.testing.assert_close(scaled, plain * 70)
