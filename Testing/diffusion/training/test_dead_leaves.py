"""Volumes of dead leaves: in the range of HU, repeatable, and made of edges."""

from functools import cache

import numpy as np
import pytest
import scipy.stats

from CTSuperResolutionLib.diffusion.training.dead_leaves import dead_leaves


@cache
def made(seed: int, shape: tuple[int, int, int] = (24, 36, 40)) -> np.ndarray:
    return dead_leaves(shape, np.random.default_rng(seed))


@pytest.mark.parametrize("shape", [(24, 36, 40), (12, 8, 30)])
def test_shape_type_and_range(shape):
    for seed in range(3):
        volume = made(seed, shape)
        assert volume.shape == shape and volume.dtype == np.float32
        assert volume.min() >= -1024 and volume.max() <= 3071


def test_a_seed_is_one_volume():
    again = dead_leaves((24, 36, 40), np.random.default_rng(3))
    assert np.array_equal(made(3), again)
    assert np.corrcoef(made(3).ravel(), made(2).ravel())[0, 1] < 0.5


def test_all_tissues_from_air_to_bone_appear():
    values = np.concatenate([made(seed).ravel() for seed in range(4)])
    for low, high in ((-1024, -700), (-150, -50), (-20, 120), (400, 1500)):
        assert np.mean((values >= low) & (values <= high)) > 0.02


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_they_are_made_of_edges(axis):
    """Most neighbours are alike and some differ by hundreds of HU; Gaussian differences would be neither."""
    steps = np.concatenate([np.diff(made(seed), axis=axis).ravel() for seed in range(4)])
    assert np.mean(np.abs(steps) > 3 * steps.std()) > 5 * 2 * scipy.stats.norm.sf(3)
    assert np.median(np.abs(steps)) < 0.5 * steps.std() * scipy.stats.norm.ppf(0.75)
    assert np.mean(np.abs(steps) > 300) > 0.02
