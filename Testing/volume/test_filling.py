"""Filling of what was not measured."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.volume.filling import far_from_filled, filled
from CTSuperResolutionLib.volume.volume import Volume

GRID = {"spacing": (5.0, 1.0, 1.0), "origin": (0.0, 0.0, 0.0), "direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)}


def test_padding_takes_the_nearest_value_in_millimetres():
    array = np.full((3, 8, 8), 7.0, dtype=np.float32)
    array[0], array[:, :, 4:] = 100.0, -3024.0
    got = filled(array, array > -3000, GRID["spacing"])
    assert (got[0] == 100).all() and (got[1:] == 7).all()  # four pixels are nearer than one slice


def test_metal_is_metal_at_the_end_of_the_scale():
    array = np.full((8, 8, 8), 50.0, dtype=np.float32)
    array[3:5, 3:5, 3:5] = 30_000.0
    got = filled(array, array < 3000, GRID["spacing"])
    assert (got[3:5, 3:5, 3:5] == 3071).all() and np.count_nonzero(got == 50) == 8**3 - 8


def test_a_volume_without_padding_is_its_own_filling():
    array = np.random.default_rng(0).normal(0, 100, (8, 8, 8)).astype(np.float32)
    assert Volume(array, **GRID).filled_array is array
    assert Volume(array, **GRID, valid=np.ones_like(array, dtype=bool)).filled_array is array
    nowhere = Volume(array, **GRID, valid=np.zeros_like(array, dtype=bool))
    assert np.array_equal(nowhere.filled_array, array)


def test_far_is_beyond_the_reach_of_a_degradation():
    valid = np.ones((9, 9, 9), dtype=bool)
    valid[4, 4, 4] = False
    assert np.count_nonzero(~far_from_filled(valid)) == 7**3
