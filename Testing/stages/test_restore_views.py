"""Restored views: the prior's share of them, several samples, and the steps announced."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.diffusion.ddnm import restore
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection.geometry import parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.matter_windows import Window
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume
from CTSuperResolutionLib.stages.restore_slices import coarsest_axes, looks_along, slice_change
from CTSuperResolutionLib.stages.restore_views import Restorer, sampler_settings
from CTSuperResolutionLib.stages.weigh_details import weighed_change

SHAPE, SPACING, SCALE = (8, 12, 20), (2.0, 2.0, 2.0), (2, 2)
VIEWS = 6
GEOMETRY = parallel_beam(views=VIEWS, volume_shape=(4, 6, 10), spacing=(4.0, 4.0, 4.0)).refined(*SCALE)
PROJECTOR = Projector(VolumeGrid(SHAPE, SPACING), GEOMETRY)
DEGRADATION = make_degradation(GEOMETRY.detector_shape, SCALE)
FACTORS = (2, 2, 2)


class Mixing:
    """Any network will do: this one mixes a pixel with others, and notes what it is told of which images."""

    schedule = NoiseSchedule.linear()

    denoiser = SimpleNamespace(reach=0)

    def __init__(self, acquisition: ImageAcquisition | None = None, told: set | None = None) -> None:
        self.acquisition, self.told = acquisition, set() if told is None else told

    def at(self, acquisition: ImageAcquisition) -> Mixing:
        return Mixing(acquisition, self.told)

    def predict_noise(self, x: torch.Tensor, t: int, neighbours: None = None) -> torch.Tensor:
        self.told.add((tuple(x.shape[-2:]), self.acquisition))
        return 3 * x.roll(3, -1) - 2 * x.flip(-2)


PRIOR = Mixing()


class Anything:
    """A scan that every volume is consistent with."""

    degradation, unit_noise, brightest = make_degradation(SHAPE, (2, 2, 2)), 0.01, None
    windows = tuple(Window.whole(n) for n in SHAPE)

    def spare_ringing(self, change: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        return change

    def enforce_unit(self, unit: torch.Tensor, progress: Progress) -> torch.Tensor:
        progress.advance(parameters().consistency_rounds)
        return unit


class Counter(Progress):
    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


@pytest.fixture(scope="module")
def volume() -> torch.Tensor:
    """(z, y, x), in [0, 1]."""
    return torch.from_numpy(ndi.gaussian_filter(np.random.default_rng(0).random(SHAPE), 0.8).astype(np.float32))


def parameters(**settings) -> Parameters:
    return Parameters.of("preview", {"views": VIEWS, "slice_axes": 3, **settings})


def projected(volume, projector=PROJECTOR) -> ProjectedVolume:
    return ProjectedVolume.of(volume, projector, Progress())


def restored(volume, p, *, seed=0, progress=None):
    restorer = Restorer(PRIOR, Anything(), PROJECTOR, DEGRADATION, p, seed)
    return restorer.restore(projected(volume), progress or Progress())


def drawn(volume, p, sample: int) -> torch.Tensor:
    """What the sampler makes of the volume's views."""
    views = PROJECTOR.forward(volume)
    settings = sampler_settings(p, PROJECTOR, volume.device, seed=0, sample=sample)
    return restore(DEGRADATION.A(views), views, DEGRADATION, PRIOR, settings)


def denoise(volume, look, some):
    """Slices as the network of these tests restores them."""
    alpha = PRIOR.schedule.alpha_cumprod(0)
    x = alpha**0.5 * (2 * volume.movedim(look.axis, 0)[some.start : some.stop, None] - 1)
    clean = (x - (1 - alpha) ** 0.5 * PRIOR.predict_noise(x, 0)) / alpha**0.5
    return (clean[:, 0] + 1) / 2


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_single_look_is_the_samplers_own(volume, share):
    p = parameters(slice_gain=0, null_space=share)
    found, views = restored(volume, p), PROJECTOR.forward(volume)
    assert found.uncertainty is None
    torch.testing.assert_close(found.views, views + share * (drawn(volume, p, 0) - views))
    assert not torch.allclose(found.views, views)
    assert torch.equal(found.start.volume, volume) and torch.equal(found.start.views, views)


def test_what_would_add_to_ringing_is_left_out_of_what_the_slices_gain(volume):
    """A scan that takes everything for ringing keeps its volume."""

    class Ringing(Anything):
        def spare_ringing(self, change: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
            assert torch.equal(unit, volume)
            return 0 * change

    restorer = Restorer(PRIOR, Ringing(), PROJECTOR, DEGRADATION, parameters(slice_gain=1.5), 0)
    torch.testing.assert_close(restorer.restore(projected(volume), Progress()).start.volume, volume)


def test_the_slices_come_first_and_the_views_are_those_of_what_they_gave(volume):
    """The measured part of the views stays that of the sharpened volume."""
    p = parameters(slice_gain=1.5, null_space=1, sigma_y=0)
    found, views = restored(volume, p), PROJECTOR.forward(volume)
    change = weighed_change(volume, denoise, looks_along((0, 1, 2), 1), Anything.degradation, Progress())
    torch.testing.assert_close(found.start.volume, volume + 1.5 * change, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.start.views, PROJECTOR.forward(found.start.volume))
    seen = DEGRADATION.A(views)
    torch.testing.assert_close(DEGRADATION.A(found.views), seen, atol=1e-3 * float(seen.max()), rtol=0)


@pytest.mark.parametrize(("axes", "share"), [(1, 1.0), (2, 1.5)])
def test_slices_along_fewer_axes_give_their_mean(volume, axes, share):
    found = restored(volume, parameters(slice_gain=0.8, slice_axes=axes)).start.volume
    change = slice_change(volume, denoise, looks_along(coarsest_axes((2, 2, 2), axes), 1), Progress())
    torch.testing.assert_close(found, volume + 0.8 * share * change, atol=1e-5, rtol=1e-5)


class Thick(Anything):
    """Slices four times as far apart as wide."""

    degradation = make_degradation(SHAPE, (4, 1, 1))


def test_the_prior_is_told_how_slices_and_views_were_measured(volume):
    fine = parallel_beam(views=VIEWS, volume_shape=(2, 12, 20), spacing=(8.0, 2.0, 2.0)).refined(4, 1)
    degradation = make_degradation(fine.detector_shape, (4, 1))
    projector, prior = Projector(VolumeGrid(SHAPE, SPACING), fine), Mixing()
    restorer = Restorer(prior, Thick(), projector, degradation, parameters(slice_gain=1), 0)
    restorer.restore(projected(volume, projector), Progress())
    z, y, x = SHAPE
    slices = {
        (shape, ImageAcquisition.of_slices(Thick.degradation, axis, 0.01))
        for axis, shape in enumerate([(y, x), (z, x), (z, y)])
    }
    assert prior.told == slices | {(tuple(fine.detector_shape), ImageAcquisition.of_views(degradation, 0.01))}
    assert {told[:3] for _, told in prior.told} == {(1, 1, 4), (4, 1, 1)}


@pytest.mark.parametrize("samples", [2, 3])
def test_mean_and_spread_of_samples_are_those_of_single_draws(volume, samples):
    p = parameters(slice_gain=0, null_space=1, samples=samples, start_step=100, ddim_steps=3)
    views = PROJECTOR.forward(volume)
    draws = [drawn(volume, p, sample) for sample in range(samples)]
    volumes = [volume + PROJECTOR.reconstruct(draw - views) for draw in draws]
    found = restored(volume, p)
    expected = np.std(np.stack(volumes), axis=0, ddof=1)
    assert expected.mean() > 1e-3
    np.testing.assert_allclose(found.views, np.mean(np.stack(draws), axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.uncertainty, expected, rtol=1e-3, atol=1e-6)


def test_samples_with_slices_differ_by_their_seed_alone(volume):
    p = parameters(slice_gain=1.5, samples=2, start_step=10)
    first, again, other = (restored(volume, p, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.views, again.views) and torch.equal(first.uncertainty, again.uncertainty)
    assert not torch.equal(first.views, other.views)
    assert first.uncertainty.shape == SHAPE and float(first.uncertainty.min()) > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"slice_gain": 0},
        {"slice_gain": 1.5},
        {"slice_gain": 1.5, "slice_axes": 1},
        {"slice_gain": 1.5, "slice_orientations": 3},
        {"slice_gain": 1.5, "samples": 3, "start_step": 10},
        {"slice_gain": 1.5, "start_step": 100, "ddim_steps": 4, "time_travel": 3},
        {"slice_gain": 1.5, "start_step": 900, "ddim_steps": 5, "adaptive_frontal": 5, "adaptive_lateral": 60},
        {"samples": 2, "start_step": 500, "ddim_steps": 3, "adaptive_frontal": 1, "time_travel": 2},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()),
)
def test_progress_advances_as_announced(volume, settings):
    p, counter = parameters(**settings), Counter()
    restored(volume, p, progress=counter)
    assert counter.done == Restorer(PRIOR, Anything(), PROJECTOR, DEGRADATION, p, 0).steps
