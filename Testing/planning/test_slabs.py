"""Slabs: the fewest that keep within a budget, cut where bands end, each with its margin."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import region_slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.planning.bands import FEWEST_SLICES, result_bands
from CTSuperResolutionLib.planning.requirements import Requirements, requirements_on
from CTSuperResolutionLib.planning.slabs import MARGIN, MORE_WORK, WIDEST, SlabPlan, dependence_on_slabs, plan_slabs

SCAN, SPACING = (300, 512, 512), (1.0, 0.7, 0.7)
FREE = 1 << 50


def plan(budget: float, scale: str = "2", shape=SCAN) -> tuple[SlabPlan | None, TargetGrid, Method]:
    method = Method(scale, device="cpu")
    target = method.target_grid(shape, SPACING)
    return plan_slabs(method.parameters, target, int(budget)), target, method


@pytest.mark.parametrize(
    ("scale", "shape"),
    [("2", SCAN), ("3", (300, 300, 300)), ("5,1,1", (100, 512, 512)), ("1,1,4", (512, 512, 300)), ("2.7,1,1", SCAN)],
)
def test_cores_are_all_of_the_scan_and_every_slab_begins_where_patches_do(scale: str, shape) -> None:
    if scale == "2.7,1,1":
        method = Method(scale=None, spacing=(1 / 2.7, 0.7, 0.7), device="cpu")
        target = method.target_grid(shape, SPACING)
        found = plan_slabs(method.parameters, target, 33 * 10**8)
    else:
        found, target, _ = plan(1.6e9 if scale == "5,1,1" else 3.3e9, scale, shape)
    assert found is not None and len(found.slabs) > 1
    axis = target.axes[found.axis]
    assert found.slabs[0].core.start == 0 and found.slabs[-1].core.stop == axis.size
    for before, after in zip(found.slabs, found.slabs[1:], strict=False):
        assert before.core.stop == after.core.start
    bands = []
    for slab in found.slabs:
        assert slab.core.start - slab.worked.start >= min(MARGIN, slab.core.start)
        assert slab.worked.stop - slab.core.stop >= min(MARGIN, axis.size - slab.core.stop)
        first = axis.within(slab.worked).start
        assert first % 2 == 0
        there = [slice(first + band.start, first + band.stop) for band in slab.bands(target)]
        core = axis.within(slab.core)
        bands += [band for band in there if core.start <= band.start and band.stop <= core.stop]
    assert bands == result_bands(target)
    assert bands[0].start == 0 and bands[-1].stop == axis.count


def test_less_memory_asks_for_more_slabs_and_is_kept_within() -> None:
    counts = []
    for budget in (64e9, 12e9, 6e9, 4e9, 3.3e9):
        found, *_ = plan(budget)
        assert found is not None and found.memory <= budget
        counts.append(len(found.slabs))
    assert counts[0] == 1 and counts == sorted(counts) and counts[-1] > 4
    assert plan(1e9)[0] is None


def test_a_wider_margin_is_not_worth_half_as_much_time_again() -> None:
    margins = set()
    for budget in np.geomspace(100e9, 7.3e9, 40):
        found, target, method = plan(budget, "4")
        narrow = plan_slabs(method.parameters, target, int(budget), reach=MARGIN)
        assert found is not None and narrow is not None and found.memory <= budget
        assert narrow.depth <= found.depth <= MORE_WORK * narrow.depth
        margins.add(max(slab.worked.stop - slab.core.stop for slab in found.slabs))
    assert margins == {MARGIN, WIDEST}


def test_a_result_of_few_slices_is_not_cut() -> None:
    found, target, _ = plan(FREE, "4", (FEWEST_SLICES // 4 - 1, 64, 64))
    assert found is not None and len(found.slabs) == 1 and len(result_bands(target)) == 1


def test_a_plan_is_read_back_from_what_is_kept_of_it() -> None:
    found, *_ = plan(3.3e9)
    assert found is not None and SlabPlan.from_dict(found.to_dict()) == found


def required(memory: int | None, available: int) -> Requirements:
    method = Method("2", device="cpu")
    return requirements_on("cpu", available, method, region_slices(None, SCAN), SPACING, SCAN, memory=memory)


def test_the_estimate_is_that_of_the_budget() -> None:
    """Slabs cost time, for their margins, and disk; what is free bounds what is asked for; by default some is left."""
    whole, slabs = required(60 * 10**9, FREE), required(4 * 10**9, FREE)
    assert (whole.slabs, slabs.fits) == (1, True) and slabs.slabs > 1 and slabs.memory <= 4 * 10**9 < whole.memory
    method = Method("2", device="cpu")
    assert slabs.seconds(method) > 1.05 * whole.seconds(method) and slabs.disk > 1.5 * whole.disk
    assert required(60 * 10**9, 4 * 10**9) == required(4 * 10**9, 4 * 10**9)
    assert required(None, 5 * 10**9).budget == 4 * 10**9
    assert not required(10**9, FREE).fits


@pytest.mark.parametrize(
    ("settings", "depends"),
    [
        ({"residual": "grid"}, False),
        ({}, True),
        ({"residual": "grid", "geometry": "cone"}, True),
        ({"residual": "grid", "start_step": 10}, True),
        ({"residual": "grid", "adapt": 10}, False),
        ({"residual": "grid", "start_step": 10, "null_space": 0}, False),
        ({"residual": "grid", "adapt": 200, "null_space": 0}, False),
    ],
)
def test_what_makes_a_result_depend_on_its_slabs_is_known(settings: dict, depends: bool) -> None:
    assert (dependence_on_slabs(Method("2", settings=settings).parameters) is not None) == depends


@pytest.mark.parametrize(
    ("reach", "scale", "budget", "margin"),
    [
        (7.5, "2", 8, 8),
        (8.2, "4", 8, 9),
        (15.75, "4", 9.8, 16),
        (40, "4", 13, WIDEST),
        (40, "4", 7.3, MARGIN),  # for lack of memory
        (40, "4", 9.8, MARGIN),  # for half as much work again otherwise
        (40, "2", 8, MARGIN),
        (0.5, "3", 8, 6),
        (1.0, "1.1", 3, MARGIN),
    ],
)
def test_the_margin_is_what_data_consistency_and_the_network_reach(
    reach: float, scale: str, budget: float, margin: int
) -> None:
    method = Method(scale, device="cpu") if scale != "1.1" else Method(None, spacing=(1 / 1.1, 0.7 / 1.1, 0.7 / 1.1))
    target = method.target_grid(SCAN, SPACING)
    found = plan_slabs(method.parameters, target, int(budget * 1e9), reach=reach)
    assert found is not None and len(found.slabs) > 1
    assert max(slab.worked.stop - slab.core.stop for slab in found.slabs) == margin
