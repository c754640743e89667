"""The noise schedule: forward noising and its inverse, with one step for all images or one for each."""

import math

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from CTSuperResolutionLib.diffusion import noise_schedule
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule

LINEAR = NoiseSchedule.linear()
ALPHAS = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 1, 40, 50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_linear_schedule_is_that_of_ddpm():
    assert len(LINEAR) == 1000 and LINEAR.alphas_cumprod.dtype == torch.float32
    torch.testing.assert_close(LINEAR.alphas_cumprod.double(), ALPHAS, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"beta_end": 0.012, "num_train_timesteps": 300},
        {"beta_schedule": "scaled_linear"},
        {"trained_betas": [0.1, 0.2]},
    ],
)
def test_a_schedule_is_that_of_diffusers_for_the_same_configuration(changed):
    config = {**noise_schedule.LINEAR, **changed}
    assert torch.equal(NoiseSchedule.of(config).alphas_cumprod, DDIMScheduler.from_config(config).alphas_cumprod)


@pytest.mark.parametrize("step", [0, 60, 999])
def test_x0_is_found_with_the_noise_that_was_added(step):
    schedule, x0, noise = NoiseSchedule(ALPHAS), images(3), images(3, seed=1)
    x = schedule.add_noise(x0, noise, step)
    torch.testing.assert_close(x, math.sqrt(ALPHAS[step]) * x0 + math.sqrt(1 - ALPHAS[step]) * noise)
    torch.testing.assert_close(schedule.predict_x0(x, noise, step), x0)
    torch.testing.assert_close(schedule.mean(x0, step), schedule.add_noise(x0, torch.zeros_like(x0), step))


def test_a_step_for_each_image_is_that_step_for_each():
    schedule, x0, noise, steps = NoiseSchedule(ALPHAS), images(3), images(3, seed=1), [0, 60, 999]
    x = schedule.add_noise(x0, noise, torch.tensor(steps))
    back = schedule.predict_x0(x, noise, torch.tensor(steps))
    for k, step in enumerate(steps):
        torch.testing.assert_close(x[k], schedule.add_noise(x0[k], noise[k], step))
        torch.testing.assert_close(back[k], schedule.predict_x0(x[k], noise[k], step))


def test_one_step_for_all_is_worked_out_in_double_precision():
    alpha = LINEAR.alphas_cumprod[0].item()
    assert LINEAR.coefficients(0) == (math.sqrt(alpha), math.sqrt(1 - alpha))
    for found in LINEAR.coefficients(torch.tensor([0])):
        assert found.dtype == torch.float32 and found.shape == (1, 1, 1, 1)


@pytest.mark.parametrize(("step", "to"), [(0, 20), (300, 999)])
def test_noising_again_gives_the_mean_and_variance_of_the_later_step(step, to):
    """By way of an earlier step: the same √ᾱ x₀, and with independent noise the same 1 − ᾱ."""
    schedule, x0, none = NoiseSchedule(ALPHAS), images(1), torch.zeros(1, 1, 40, 50, dtype=torch.float64)
    mean = schedule.renoise(schedule.mean(x0, step), none, step=step, to=to)
    torch.testing.assert_close(mean, schedule.mean(x0, to))
    one = torch.ones_like(none)
    first = schedule.renoise(schedule.add_noise(none, one, step), none, step=step, to=to)
    second = schedule.renoise(none, one, step=step, to=to)
    torch.testing.assert_close(first**2 + second**2, (1 - ALPHAS[to]) * one)
