"""Slices of a volume, restored along its axes: what comes of them where the restoring is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.restore_slices import (
    SLAB,
    SliceDenoiser,
    coarsest_axes,
    neighbour_differences,
    restore_slices,
)

SHAPE = (SLAB + 4, 12, 14)


def random_volume() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random(SHAPE))


@pytest.mark.parametrize("axes", [(2,), (0, 2), (0, 1, 2)])
def test_every_slice_of_those_axes_is_denoised_once_and_the_mean_is_what_counts(axes):
    """A slice gets its own index added, so a voxel the mean of those it lies in, times the gain."""
    done = []

    class Record(Progress):
        def advance(self, steps=1):
            done.append(steps)

    def denoise(volume, axis, some):
        assert len(some) <= SLAB
        return volume.movedim(axis, 0)[some.start : some.stop] + torch.tensor(some)[:, None, None]

    volume = random_volume()
    for gain in (1.0, 1.5):
        expected = volume.numpy() + gain * np.mean(np.indices(SHAPE)[list(axes)], axis=0)
        torch.testing.assert_close(restore_slices(volume, denoise, gain, axes, Record()).numpy(), expected)
    assert sum(done) == 2 * sum(SHAPE[axis] for axis in axes)


@pytest.mark.parametrize(
    ("factors", "one", "two"),
    [((4, 4, 4), (2,), (1, 2)), ((4, 1, 1), (2,), (1, 2)), ((1, 4, 4), (0,), (0, 2)), ((2, 8, 8), (0,), (0, 2))],
)
def test_the_coarsest_slices_come_first(factors, one, two):
    """A slice does not show its own axis: the less that one lacks, the more the slice does."""
    found = [coarsest_axes(factors, count) for count in (1, 2, 3)]
    assert found == [one, two, (0, 1, 2)]


def test_neighbours_come_in_order_and_the_last_slice_is_repeated():
    """Slices whose value is the square of their index."""
    slices = (torch.arange(6.0) ** 2)[:, None, None].expand(6, 2, 3)
    values = np.arange(6.0) ** 2
    found = neighbour_differences(slices, range(0, 6), 2)
    assert found.shape == (6, 4, 2, 3)
    for index in range(6):
        beside = [max(index - 2, 0), max(index - 1, 0), min(index + 1, 5), min(index + 2, 5)]
        np.testing.assert_array_equal(found[index, :, 1, 2], values[beside] - values[index])
    assert torch.equal(neighbour_differences(slices, range(2, 5), 2), found[2:5])
    assert neighbour_differences(slices, range(0, 6), 0) is None


class Adding:
    """A prior that finds as noise what the neighbours have beyond a slice, and notes what it is told."""

    schedule = NoiseSchedule.linear()
    denoiser = SimpleNamespace(reach=1)

    def __init__(self) -> None:
        self.told = []

    def at(self, acquisition):
        self.told.append(acquisition)
        return self

    def predict_noise(self, x, step, neighbours):
        return neighbours.sum(1, keepdim=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_any_axis_are_shown_their_own_neighbours(axis):
    """Of a volume in slabs: each slice loses its second difference along the axis, over √ᾱ and times √(1 − ᾱ)."""
    volume, prior = random_volume(), Adding()
    degradation = make_degradation(SHAPE, (4, 2, 1))
    denoiser = SliceDenoiser(prior, degradation, 0.01, 0)

    def denoise(volume, axis, some):
        return denoiser.denoise(volume, axis, some, [(k,) for k in some])

    found = restore_slices(volume, denoise, 1.0, (axis,), Progress())
    padded = np.pad(volume.numpy(), [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="edge")
    second = np.diff(padded, 2, axis=axis)
    alpha = prior.schedule.alpha_cumprod(0)
    expected = volume.numpy() - ((1 - alpha) / alpha) ** 0.5 * second
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert prior.told == [ImageAcquisition.of_slices(degradation, axis, 0.01)]
