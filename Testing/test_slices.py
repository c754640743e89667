"""Slices of a volume, restored along three axes: what comes of them where the restoring is known."""

from __future__ import annotations

import numpy as np
import torch

from CTSuperResolutionLib.slices import SLAB, restore_slices

SHAPE = (SLAB + 4, 12, 14)


def random_volume() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random(SHAPE))


def test_every_slice_of_every_axis_is_looked_at_once_and_the_mean_is_what_counts():
    """A slice gets its own index added, so a voxel the mean of its three, times the gain."""
    done = []

    def look(slices, axis, first):
        assert slices.shape[1:] == tuple(n for k, n in enumerate(SHAPE) if k != axis) and len(slices) <= SLAB
        return slices + torch.arange(first, first + len(slices))[:, None, None]

    volume = random_volume()
    for gain in (1.0, 1.5):
        expected = volume.numpy() + gain * sum(np.indices(SHAPE)) / 3
        torch.testing.assert_close(restore_slices(volume, look, gain, done.append).numpy(), expected)
    assert sum(done) == 2 * sum(SHAPE)
