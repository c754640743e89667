"""The DDIM times and the path through them."""

from itertools import pairwise

import pytest

from CTSuperResolutionLib.diffusion.sampling_times import ddim_times, function_evaluations, resampling_path


@pytest.mark.parametrize(
    ("start", "steps", "times"),
    [(999, 4, [999, 666, 333, 0]), (10, 1, [10]), (0, 1, [0]), (2, 3, [2, 1, 0]), (10, 5, [10, 8, 5, 2, 0])],
)
def test_times_run_evenly_down_to_zero(start, steps, times):
    assert ddim_times(start, steps) == times


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50])
def test_without_repeats_the_path_is_straight(steps):
    assert resampling_path(steps, 1) == list(range(steps + 1))


def test_jumps_of_two_steps_repeat_pairs_of_steps_but_never_the_last_one():
    assert resampling_path(6, 3, 2) == [0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5, 6]


@pytest.mark.parametrize("length", [1, 2, 3, 10])
@pytest.mark.parametrize("steps", [1, 2, 5, 9, 20])
def test_any_number_of_steps_can_be_resampled(steps, length):
    path = resampling_path(steps, 4, length)
    moves = [there - here for here, there in pairwise(path)]
    assert path[0] == 0 and path[-1] == steps and min(path) == 0 and path.count(steps) == 1
    assert set(moves) <= {1, -length}
    repeated = (steps - 1) // length * length  # steps that are done four times
    assert moves.count(1) == steps + 3 * repeated


@pytest.mark.parametrize("repeats", [1, 2, 5])
@pytest.mark.parametrize("steps", [1, 2, 8])
def test_evaluations_are_the_moves_forward(steps, repeats):
    path = resampling_path(steps, repeats)
    forward = sum(there > here for here, there in pairwise(path))
    assert function_evaluations(steps, repeats) == function_evaluations(steps, repeats, adaptive=False) == forward
    assert function_evaluations(steps, repeats, adaptive=True) == forward + steps - 1
