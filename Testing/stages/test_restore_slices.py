"""Slices of a volume, restored along its axes: what comes of them where the restoring is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.restore_slices import SLAB, coarsest_axes, restore_slices

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

    def denoise(slices, axis, first):
        assert slices.shape[1:] == tuple(n for k, n in enumerate(SHAPE) if k != axis) and len(slices) <= SLAB
        return slices + torch.arange(first, first + len(slices))[:, None, None]

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
