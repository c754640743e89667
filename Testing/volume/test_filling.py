"""Filling of what was not measured."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.volume.filling import far_from_filled, filled

SPACING = (5.0, 1.0, 1.0)


def test_padding_takes_the_nearest_value_in_millimetres():
    array = np.full((3, 8, 8), 7.0, dtype=np.float32)
    array[0], array[:, :, 4:] = 100.0, -3024.0
    got = filled(array, array > -3000, SPACING)
    assert (got[0] == 100).all() and (got[1:] == 7).all()  # four pixels are nearer than one slice


def test_metal_is_metal_at_the_end_of_the_scale():
    array = np.full((8, 8, 8), 50.0, dtype=np.float32)
    array[3:5, 3:5, 3:5] = 30_000.0
    got = filled(array, array < 3000, SPACING)
    assert (got[3:5, 3:5, 3:5] == 3071).all() and np.count_nonzero(got == 50) == 8**3 - 8


def test_what_was_measured_everywhere_or_nowhere_stays():
    array = np.random.default_rng(0).normal(0, 100, (8, 8, 8)).astype(np.float32)
    for valid in (np.ones(array.shape, dtype=bool), np.zeros(array.shape, dtype=bool)):
        assert np.array_equal(filled(array, valid, SPACING), array)


def test_far_is_beyond_the_reach_of_a_degradation():
    valid = np.ones((9, 9, 9), dtype=bool)
    valid[4, 4, 4] = False
    assert np.count_nonzero(~far_from_filled(valid)) == 7**3
