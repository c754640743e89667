"""DDNM+ against cases with a known answer: its formulas for mean pooling, linear denoisers and a Gaussian prior."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.diffusion.ddnm import SamplerSettings, restore, sampler_steps
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.errors import Cancelled, JobError

ALPHAS = NoiseSchedule.linear().alphas_cumprod.double()
SCHEDULE = NoiseSchedule(ALPHAS)
SHAPE, SCALE = (16, 24), (4, 4)


def linear_denoiser(strength: float):
    """Any linear map will do: the data step has to work whatever the network says."""
    return SimpleNamespace(
        schedule=SCHEDULE, predict_noise=lambda x, t, neighbours=None: strength * x.roll(3, -1) - 0.2 * x.flip(-2)
    )


def gaussian_prior(deviation: float):
    """The exact network where images are drawn from N(0, deviation²) in [−1, 1] units, pixel by pixel."""

    def predict_noise(x: torch.Tensor, t: int, neighbours: None = None) -> torch.Tensor:
        alpha = float(ALPHAS[t])
        return x * math.sqrt(1 - alpha) / (alpha * deviation**2 + 1 - alpha)

    return SimpleNamespace(schedule=SCHEDULE, predict_noise=predict_noise)


def views(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, *SHAPE, generator=generator, dtype=torch.float64)
    x[:, 0, 0] = 1.0  # the brightest pixel calibrates all views
    return x


def settings(**changes) -> SamplerSettings:
    table = {"steps": 5, "start_step": 300, "eta": 0.5, "sigma_y": 0.0, "resampling": 1, "thresholds": ()}
    return SamplerSettings(**table | {"batch": 8, "seed": 0} | changes)


class Counter:
    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


def block_means(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x[:, None], 4)[:, 0]


def replicate(y: torch.Tensor) -> torch.Tensor:
    return y.repeat_interleave(4, 1).repeat_interleave(4, 2)


def by_the_formulas(coarse, start, prior, *, eta, sigma_y, sample=0, seed=0) -> torch.Tensor:
    """DDNM (σ_y = 0) or DDNM+ for 4 x 4 means A and replication A†: five steps from t = 300, views in [0, 1]."""
    y, up = 2 * coarse - 1, 2 * start - 1
    up = up + replicate(y - block_means(up))
    streams = [np.random.default_rng((seed, view, sample)) for view in range(len(y))]

    def draw():
        return torch.from_numpy(np.stack([s.standard_normal(SHAPE, dtype=np.float32) for s in streams])).double()

    x, times = math.sqrt(ALPHAS[300]) * up + math.sqrt(1 - ALPHAS[300]) * draw(), [300, 225, 150, 75, 0]
    for t, following in zip(times, [float(ALPHAS[t]) for t in times[1:]] + [1.0], strict=True):
        noise = prior.predict_noise(x[:, None], t)[:, 0]
        x0 = ((x - math.sqrt(1 - ALPHAS[t]) * noise) / math.sqrt(ALPHAS[t])).clamp(-1, 1.1)
        a, sigma = math.sqrt(following), math.sqrt(1 - following)
        fresh = draw()
        step = eta * sigma * fresh + math.sqrt(1 - eta**2) * sigma * noise
        if sigma_y == 0:
            x = a * (replicate(y) + x0 - replicate(block_means(x0))) + step
            continue
        carried = a * 2 * sigma_y * 4  # singular value 1/4; [−1, 1] doubles σ_y
        share = 1 if sigma >= carried else sigma * math.sqrt(1 - eta**2) / carried
        added = math.sqrt(sigma**2 - carried**2) if sigma > carried else eta * sigma
        in_range = replicate(block_means(fresh))
        x = a * (x0 - share * replicate(block_means(x0) - y)) + added * in_range
        x = x + step - replicate(block_means(step))
    return (x + 1) / 2


def spread_of_samples(deviation: float, steps: int, eta: float, path: list[int]) -> float:
    """Standard deviation after DDIM from t = 999 with :func:`gaussian_prior`: every move scales it and adds noise."""
    times = np.linspace(999, 0, steps).round().astype(int)
    alphas = [*ALPHAS[times].tolist(), 1.0]
    variance = 1 - alphas[0]
    for here, there in pairwise(path):
        if there < here:
            kept = alphas[there] / alphas[here]
            variance = kept * variance + 1 - kept
            continue
        total = alphas[here] * deviation**2 + 1 - alphas[here]
        x0, noise = math.sqrt(alphas[here]) * deviation**2 / total, math.sqrt(1 - alphas[here]) / total
        a, sigma = math.sqrt(alphas[there]), math.sqrt(1 - alphas[there])
        variance = (a * x0 + sigma * math.sqrt(1 - eta**2) * noise) ** 2 * variance + (sigma * eta) ** 2
    return math.sqrt(variance)


@pytest.mark.parametrize("kernel", ["lanczos", "mean"])
@pytest.mark.parametrize(("steps", "start_step", "eta"), [(1, 0, 0.0), (4, 60, 0.0), (6, 999, 0.99)])
def test_without_noise_the_measured_part_is_exact(kernel, steps, start_step, eta):
    degradation = make_degradation(SHAPE, SCALE, kernel=kernel)
    truth = views(3)
    coarse = degradation.A(truth)
    start = degradation.A_dagger(coarse)
    start[:, 0, 0] = 1.0
    chosen = settings(steps=steps, start_step=start_step, eta=eta)
    restored = restore(coarse, start, degradation, linear_denoiser(0.4), chosen)
    torch.testing.assert_close(degradation.A(restored), coarse, atol=1e-9, rtol=0)


def test_an_untouched_axis_is_kept_whole():
    degradation = make_degradation(SHAPE, (4, 1))
    coarse = degradation.A(views(2))
    start = degradation.A_dagger(coarse)
    restored = restore(coarse, start, degradation, linear_denoiser(0.1), settings())
    torch.testing.assert_close(degradation.A(restored), coarse, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("steps", "eta", "repeats"), [(1000, 0, 1), (50, 0.5, 1), (50, 0.99, 1), (300, 0, 2), (40, 0.5, 3)]
)
def test_null_space_samples_have_the_spread_that_theory_says(steps, eta, repeats):
    """From pure noise, with the exact network of a Gaussian prior, the unseen part has a known variance."""
    deviation = 0.15
    degradation = make_degradation(SHAPE, SCALE, kernel="mean")
    middle = torch.full((24, *SHAPE), 0.5, dtype=torch.float64)
    middle[:, 0, 0] = 1.0
    coarse = torch.full((24, 4, 6), 0.5, dtype=torch.float64)
    chosen = settings(steps=steps, start_step=999, eta=eta, batch=24, resampling=repeats)
    restored = restore(coarse, middle, degradation, gaussian_prior(deviation), chosen)
    unseen = 2 * (restored - degradation.A_dagger(degradation.A(restored)))
    there_and_back = [0, *(k for p in range(1, steps) for k in [p, *([p - 1, p] * (repeats - 1))]), steps]
    theory = spread_of_samples(deviation, steps, eta, there_and_back)
    # 1 - 1/16 of all directions are in the null-space of 4 x 4 means.
    assert unseen.std().item() == pytest.approx(theory * math.sqrt(15 / 16), rel=0.03)
    if eta == 0:  # and with many steps that is the prior's own, resampling or not
        assert theory == pytest.approx(deviation, rel=10 / steps + 0.02)


@pytest.mark.slow
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
        chosen = settings(steps=100, start_step=999, sigma_y=assumed)
        restored = restore(noisy, start, degradation, prior, chosen)
        errors[assumed] = (degradation.A(restored) - clean).std().item()
    assert errors[0.0] == pytest.approx((noisy - clean).std().item(), rel=1e-6)
    assert errors[sigma_y] < 0.5 * errors[0.0]


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("sigma_y", [0.0, 0.02])
def test_mean_pooling_gives_the_papers_own_formulas(eta, sigma_y):
    """Eq. 1 without noise and eq. 2 with it; at σ_y = 0.02 some steps make all of the correction and some a part."""
    degradation, prior = make_degradation(SHAPE, SCALE, kernel="mean"), linear_denoiser(0.4)
    start = views(3)
    coarse = block_means(views(3, seed=5))
    restored = restore(coarse, start, degradation, prior, settings(eta=eta, sigma_y=sigma_y))
    expected = by_the_formulas(coarse, start, prior, eta=eta, sigma_y=sigma_y)
    torch.testing.assert_close(restored, expected, atol=1e-9, rtol=0)


def recorded(prior) -> tuple[SimpleNamespace, list[tuple[int, int]]]:
    """A prior and the list of (step, images) that it will have been asked."""
    asked = []

    def predict_noise(x: torch.Tensor, t: int, neighbours: None = None) -> torch.Tensor:
        asked.append((t, len(x)))
        return prior.predict_noise(x, t)

    return SimpleNamespace(schedule=SCHEDULE, predict_noise=predict_noise), asked


def test_step_zero_asks_once_about_the_views_themselves():
    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    prior, asked = recorded(linear_denoiser(0.4))
    coarse = degradation.A(truth)
    chosen = settings(steps=1, start_step=0)
    restored = restore(coarse, truth, degradation, prior, chosen)
    assert asked == [(0, 2)]
    x, alpha = 2 * truth - 1, float(ALPHAS[0])
    noise = prior.predict_noise(math.sqrt(alpha) * x[:, None], 0)[:, 0]
    expected = (x - math.sqrt((1 - alpha) / alpha) * noise).clamp(-1, 1.1) / 2 + 0.5
    torch.testing.assert_close(restored, degradation.enforce(expected, coarse), atol=1e-9, rtol=0)
    assert torch.equal(restored, restore(coarse, truth, degradation, prior, settings(steps=1, start_step=0, seed=9)))


def test_resampling_asks_again_about_the_times_before():
    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    prior, asked = recorded(linear_denoiser(0.4))
    coarse = degradation.A(truth)
    restored = restore(coarse, truth, degradation, prior, settings(steps=4, resampling=3))
    assert [t for t, _ in asked] == [300, 300, 300, 200, 200, 200, 100, 100, 100, 0]
    torch.testing.assert_close(degradation.A(restored), coarse, atol=1e-9, rtol=0)


def test_an_adaptive_start_is_each_views_own():
    """Unreachable, easy and impossible thresholds: the first starts late, the second at once, whatever the batch."""
    degradation, truth = make_degradation(SHAPE, SCALE), views(3)
    coarse = degradation.A(truth)
    prior, asked = recorded(linear_denoiser(0.4))
    thresholds = (1e-6, 1e6, 1e6)
    results = [
        restore(coarse, truth, degradation, prior, settings(thresholds=thresholds, batch=batch)) for batch in (3, 1)
    ]
    torch.testing.assert_close(results[0], results[1], atol=1e-12, rtol=0)
    scan = [(300, 3), (225, 1), (150, 1), (75, 1)]
    runs = [(300, 2), (225, 2), (150, 2), (75, 2), (0, 2), (0, 1)]
    assert asked[:10] == scan + runs
    everywhere = restore(coarse, truth, degradation, prior, settings())
    torch.testing.assert_close(results[0][1:], everywhere[1:], atol=1e-12, rtol=0)
    assert (results[0][0] - everywhere[0]).abs().max() > 1e-3


@pytest.mark.parametrize("batch", [2, 5])
def test_adaptive_starts_are_where_eq_2_says(batch):
    """Distances worked out view by view; thresholds just above the one at a time that differs from view to view."""
    degradation, truth = make_degradation(SHAPE, SCALE, kernel="mean"), views(5)
    coarse, (prior, asked) = block_means(views(5, seed=5)), recorded(linear_denoiser(0.4))
    y, up = 2 * coarse - 1, 2 * truth - 1
    up = up + replicate(y - block_means(up))
    times, distances = [300, 225, 150, 75], []
    for view in range(5):
        noise = torch.from_numpy(np.random.default_rng((0, view, 0)).standard_normal(SHAPE, dtype=np.float32)).double()
        for t in times:
            x = math.sqrt(ALPHAS[t]) * up[view] + math.sqrt(1 - ALPHAS[t]) * noise
            predicted = linear_denoiser(0.4).predict_noise(x[None, None], t)[:, 0]
            x0 = ((x - math.sqrt(1 - ALPHAS[t]) * predicted) / math.sqrt(ALPHAS[t])).clamp(-1, 1.1)
            x0 = x0 + replicate(y[view : view + 1] - block_means(x0))
            distances.append((up[view].clamp(-1, 1.1) - x0.clamp(-1, 1.1)).norm().item() / 2)
    distances = np.reshape(distances, (5, 4))
    assert (np.diff(distances) < 0).all()  # otherwise a start could not be chosen by its threshold
    wanted = [0, 1, 2, 3, 1]
    thresholds = tuple(1.001 * distances[v, k] * math.sqrt(512**2 / math.prod(SHAPE)) for v, k in enumerate(wanted))
    restore(coarse, truth, degradation, prior, settings(thresholds=thresholds, batch=batch))
    images = {t: sum(n for s, n in asked if s == t) for t in [*times, 0]}
    # The views that try a time, then those that are on their way at it.
    assert images == {300: 5 + 1, 225: 4 + 3, 150: 2 + 4, 75: 1 + 5, 0: 5}


@pytest.mark.parametrize("sample", [0, 1, 2])
def test_every_sample_has_noise_of_its_own(sample):
    degradation, start = make_degradation(SHAPE, SCALE, kernel="mean"), 70 * views(2)
    coarse, prior = block_means(70 * views(2, seed=5)), linear_denoiser(0.4)
    found = restore(coarse, start, degradation, prior, settings(sample=sample, seed=4))
    expected = 70 * by_the_formulas(coarse / 70, start / 70, prior, eta=0.5, sigma_y=0.0, sample=sample, seed=4)
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)
    assert torch.equal(found, restore(coarse, start, degradation, prior, settings(sample=sample, seed=4)))


def test_samples_and_views_are_independent():
    """From pure noise what differs between two samples is uncorrelated, as it is between two views of one sample."""
    degradation, prior = make_degradation(SHAPE, SCALE, kernel="mean"), gaussian_prior(0.15)
    coarse = torch.full((16, 4, 6), 0.5, dtype=torch.float64)
    start = torch.full((16, *SHAPE), 0.5, dtype=torch.float64)
    start[:, 0, 0] = 1.0
    samples = [
        restore(coarse, start, degradation, prior, settings(start_step=999, steps=20, batch=16, sample=k)).flatten(1)
        for k in range(3)
    ]
    correlation = np.corrcoef(np.concatenate([sample.numpy() for sample in samples]))
    between = correlation[~np.eye(len(correlation), dtype=bool)]
    # 360 of the 384 directions are free; a correlation of that many has deviation 1/√360.
    assert np.abs(between).max() < 5 / math.sqrt(360)
    assert between.std() == pytest.approx(1 / math.sqrt(360), rel=0.2)


@pytest.mark.parametrize("batch", [3, 7])
def test_a_view_does_not_depend_on_its_batch(batch):
    degradation, truth = make_degradation(SHAPE, SCALE), views(7)
    coarse = degradation.A(truth)
    one, more = (
        restore(coarse, truth, degradation, linear_denoiser(0.3), settings(batch=size, sigma_y=0.01))
        for size in (1, batch)
    )
    torch.testing.assert_close(one, more, atol=1e-12, rtol=0)


def test_another_seed_gives_another_view():
    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    coarse = degradation.A(truth)
    one, other = (restore(coarse, truth, degradation, linear_denoiser(0.3), settings(seed=seed)) for seed in (0, 1))
    assert (other - one).abs().max() > 1e-3


def limited(prior, most: int) -> SimpleNamespace:
    """A prior on a device that holds so many images at once."""

    def predict_noise(x: torch.Tensor, t: int, neighbours: None = None) -> torch.Tensor:
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return prior.predict_noise(x, t)

    return SimpleNamespace(schedule=SCHEDULE, predict_noise=predict_noise)


CHANGES = [{}, {"resampling": 2}, {"sample": 2}, {"thresholds": (1e-6, 1e6, 0.05, 1e6, 1e-6), "resampling": 3}]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("most", [1, 2, 99])
def test_running_out_of_memory_changes_neither_views_nor_progress(changes, most):
    degradation, truth, counter = make_degradation(SHAPE, SCALE), views(5), Counter()
    coarse, chosen = degradation.A(truth), settings(batch=5, **changes)
    plenty = restore(coarse, truth, degradation, linear_denoiser(0.3), chosen)
    prior = limited(linear_denoiser(0.3), most)
    scarce = restore(coarse, truth, degradation, prior, chosen, progress=counter)
    torch.testing.assert_close(scarce, plenty, atol=1e-12, rtol=0)
    assert counter.done == sampler_steps(chosen, 5) > 0


def test_one_view_too_large_for_memory_says_so_in_one_sentence():
    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    with pytest.raises(JobError, match=r"one view of 16 x 24 pixels; choose .*\.$"):
        restore(degradation.A(truth), truth, degradation, limited(linear_denoiser(0.3), 0), settings())


def test_a_cancelled_job_stops_after_the_network_call_under_way():
    class Cancelling(Counter):
        def advance(self, steps: int = 1) -> None:
            raise Cancelled("stopped")

    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    prior, asked = recorded(linear_denoiser(0.3))
    with pytest.raises(Cancelled):
        restore(degradation.A(truth), truth, degradation, prior, settings(), progress=Cancelling())
    assert len(asked) == 1


def test_the_unit_of_the_views_does_not_matter():
    degradation, truth = make_degradation(SHAPE, SCALE), views(2)
    plain, scaled = (
        restore(degradation.A(unit * truth), unit * truth, degradation, linear_denoiser(0.2), settings(sample=1))
        for unit in (1, 70)
    )
    torch.testing.assert_close(scaled, plain * 70)
