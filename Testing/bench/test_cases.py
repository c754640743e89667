"""Requests for a benchmark: what one means, and the answer to one that means nothing."""

from __future__ import annotations

import pytest

from CTSuperResolutionLib.bench.cases import BACKENDS, OPERATIONS, BenchmarkCase, all_cases, parse_names, parse_numbers
from CTSuperResolutionLib.errors import JobError


def test_every_combination_is_measured_once():
    cases = all_cases(("rasterize", "voxelize"), ("parallel", "cone"), (10, 20), (8, 16))
    assert len(cases) == len(set(cases)) == 2 * 2 * 2 + 2 * 2
    assert BenchmarkCase("rasterize", "cone", 20, 8) in cases
    assert {case.beam for case in cases if case.op == "voxelize"} == {None}  # a volume has no rays


def test_without_sizes_each_operation_has_its_own():
    cases = all_cases(OPERATIONS, ("cone",), (10,), ())
    assert {case.op: case.size for case in cases} == OPERATIONS


def test_lists_keep_their_order_and_drop_repetitions():
    assert parse_names("backend", "native, torch,native,", BACKENDS) == ("native", "torch")
    assert parse_numbers("gaussians", "50000,10000,50000") == (50000, 10000)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("size", "256,big", "not 'big'"),
        ("size", "4", "from 8 to 2048"),
        ("gaussians", "0", "from 1 to 5000000"),
        ("gaussians", "1e5", "10000,50000"),
        ("threads", "-1", "not '-1'"),
        ("repeats", "²", "not '²'"),
        ("repeats", " , ", "names no repeats"),
    ],
)
def test_numbers_that_cannot_be_are_answered_in_one_sentence(kind, text, says):
    with pytest.raises(JobError, match=None) as raised:
        parse_numbers(kind, text)
    assert says in str(raised.value) and str(raised.value).endswith(".")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(JobError, match="nearest is 'voxelize'"):
        parse_names("operation", "rasterize,voxelise", OPERATIONS)


def test_a_case_says_what_it_is():
    assert str(BenchmarkCase("rasterize", "cone", 50_000, 256)) == "rasterize cone 50,000 Gaussians 256²"
    assert str(BenchmarkCase("voxelize", None, 10, 64)) == "voxelize 10 Gaussians 64³"
