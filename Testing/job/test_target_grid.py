"""Target grids: where the voxels of a result lie over its scan's, in plain millimetres, and that regions share them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from CTSuperResolutionLib.job.refinement import Refinement
from CTSuperResolutionLib.job.target_grid import TargetAxis, TargetGrid

CLOSE = 1e-6  # mm


def centres(axis: TargetAxis, scan_starts_at: float = 0.0) -> list[float]:
    """Of the fine voxels, mm from the face at which the whole scan begins."""
    first = scan_starts_at + (axis.first + 0.5) * axis.spacing
    return [first + k * axis.pitch for k in range(axis.count)]


@st.composite
def axes(draw: st.DrawFn) -> TargetAxis:
    size, spacing = draw(st.integers(4, 300)), draw(st.floats(0.3, 6.0))
    pitch = draw(st.one_of(st.floats(spacing / 10, spacing), st.sampled_from([spacing / k for k in range(1, 11)])))
    found = Refinement.to_spacing((spacing, spacing, pitch), (spacing, 2 * spacing, spacing))
    return TargetAxis.over(size, spacing, found.factors[2], found.spacing[2])


@given(axes())
def test_as_many_voxels_as_fit_have_the_middle_of_the_scan(axis: TargetAxis) -> None:
    rest = axis.size * axis.spacing - axis.count * axis.pitch
    assert -CLOSE * axis.pitch * 2 <= rest < axis.pitch
    assert sum(centres(axis)) / axis.count == pytest.approx(axis.size * axis.spacing / 2, abs=CLOSE)
    assert axis.shift == pytest.approx(0, abs=1e-12)


@given(axes(), st.data())
def test_a_region_has_those_voxels_of_the_whole_that_lie_in_it(axis: TargetAxis, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, axis.size - 2))
    stop = data.draw(st.integers(start + 2, axis.size))
    part, chosen = axis.part(slice(start, stop)), axis.within(slice(start, stop))
    assert part.count == chosen.stop - chosen.start and part.size == stop - start
    assert centres(part, start * axis.spacing) == pytest.approx(centres(axis)[chosen], abs=CLOSE)
    tolerance = 2e-6 * axis.pitch
    inside = [
        k
        for k, centre in enumerate(centres(axis))
        if centre - axis.pitch / 2 >= start * axis.spacing - tolerance
        and centre + axis.pitch / 2 <= stop * axis.spacing + tolerance
    ]
    assert list(range(chosen.start, chosen.stop)) == inside
    middle = sum(centres(part)) / part.count - part.size * part.spacing / 2
    assert part.shift == pytest.approx(middle, abs=CLOSE)


@given(axes(), st.data())
def test_a_part_of_a_part_is_a_part(axis: TargetAxis, data: st.DataObject) -> None:
    bounds = sorted(data.draw(st.lists(st.integers(0, axis.size), min_size=4, max_size=4, unique=True)))
    outer, inner = slice(bounds[0], bounds[3]), slice(bounds[1], bounds[2])
    nested = axis.part(outer).part(slice(inner.start - outer.start, inner.stop - outer.start))
    assert nested == axis.part(inner)


@pytest.mark.parametrize("factor", range(1, 11))
def test_whole_factors_leave_nothing_over_and_nothing_is_rounded(factor: int) -> None:
    axis = TargetAxis.over(37, 0.7, factor, 0.7 / factor)
    for part, first in ((axis, 0), (axis.part(slice(5, 30)), 5)):
        assert (part.count, part.inset, part.shift) == (part.size * factor, 0, 0.0)
        assert axis.within(slice(first, first + part.size)) == slice(first * factor, (first + part.size) * factor)


def test_decimal_lengths_that_fit_exactly_do_fit() -> None:
    found = Refinement.to_spacing((0.8, 0.1, 0.3), (2.5, 0.7, 0.9))
    assert TargetGrid.over((40, 30, 20), (2.5, 0.7, 0.9), found).shape == (125, 210, 60)
