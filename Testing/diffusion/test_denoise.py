"""Denoising in one step: the formula with networks whose answers are known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser
from CTSuperResolutionLib.diffusion.denoise import denoise
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.job.events import Progress

ALPHAS = NoiseSchedule.linear().alphas_cumprod.double()
SCHEDULE = NoiseSchedule(ALPHAS)
SEEDS = [(5, 0), (5, 1), (5, 2)]


def slices() -> torch.Tensor:
    return torch.rand(3, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network(predict_noise, size: int = 2) -> BatchedDenoiser:
    return BatchedDenoiser(SimpleNamespace(schedule=SCHEDULE, predict_noise=predict_noise), size, Progress())


def streams() -> NoiseStreams:
    return NoiseStreams(SEEDS, slices()[0])


class Untouched:
    def draw(self):
        raise AssertionError("no noise is drawn at step 0")


def test_without_noise_it_is_one_step_of_the_formula():
    """x₀|t = x − √((1 − ᾱ)/ᾱ) ε_θ(√ᾱ x), on the [−1, 1] scale; far beyond the range too, as nothing is clamped."""
    asked = []

    def predict_noise(x: torch.Tensor, step: int, neighbours: None = None) -> torch.Tensor:
        asked.append((tuple(x.shape), step))
        return 100 * x.flip(-1) - 30

    found = denoise(slices(), network(predict_noise), 0, Untouched())
    x, alpha = 2 * slices().numpy() - 1, float(ALPHAS[0])
    answer = 100 * math.sqrt(alpha) * x[..., ::-1] - 30
    expected = (x - math.sqrt((1 - alpha) / alpha) * answer + 1) / 2
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    assert expected.max() > 1 and expected.min() < 0
    assert asked == [((2, 1, 6, 8), 0), ((1, 1, 6, 8), 0)]


@pytest.mark.parametrize("step", [1, 60, 900])
def test_with_noise_a_network_that_knows_all_finds_the_truth(step):
    """The exact ε that leads from x_t to another image; x_t itself worked out from the streams' own seeds."""
    x, truth = 2 * slices().numpy() - 1, np.sin(np.arange(144.0)).reshape(3, 6, 8)
    signal, sigma = math.sqrt(ALPHAS[step]), math.sqrt(1 - ALPHAS[step])
    noise = np.stack([np.random.default_rng(seed).standard_normal((6, 8), dtype=np.float32) for seed in SEEDS])
    noise = noise.astype(float)
    shown = []

    def predict_noise(images: torch.Tensor, t: int, neighbours: None = None) -> torch.Tensor:
        first = sum(map(len, shown))
        shown.append(images.numpy())
        return (images - signal * torch.from_numpy(truth[first : first + len(images), None])) / sigma

    found = denoise(slices(), network(predict_noise), step, streams())
    np.testing.assert_allclose(np.concatenate(shown)[:, 0], signal * x + sigma * noise, atol=1e-12)
    np.testing.assert_allclose(found.numpy(), (truth + 1) / 2, atol=1e-9)


@pytest.mark.parametrize("step", [0, 60])
def test_a_network_that_finds_no_noise_leaves_what_it_was_shown(step):
    found = denoise(slices(), network(lambda x, t, neighbours: torch.zeros_like(x)), step, streams())
    change = math.sqrt((1 - ALPHAS[step]) / ALPHAS[step]) * streams().draw() / 2 if step else 0
    torch.testing.assert_close(found, slices() + change, atol=1e-12, rtol=0)


def test_neighbours_are_shown_beside_their_slices_on_the_networks_scale():
    """A network that gives back what a slice's two neighbours have beyond it, in batches of two."""
    beyond = torch.rand(3, 2, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def predict_noise(x: torch.Tensor, t: int, neighbours: torch.Tensor) -> torch.Tensor:
        assert neighbours.shape == (len(x), 2, 6, 8)
        return neighbours[:, :1] - 3 * neighbours[:, 1:]

    found = denoise(slices(), network(predict_noise), 0, Untouched(), beyond)
    answer = math.sqrt((1 - ALPHAS[0]) / ALPHAS[0]) * (beyond[:, 0] - 3 * beyond[:, 1])  # twice as large in [−1, 1]
    torch.testing.assert_close(found, slices() - answer, atol=1e-12, rtol=0)
