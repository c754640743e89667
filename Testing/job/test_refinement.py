"""Refinements: the spacings that can be asked for, and what is said of the others."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.refinement import Refinement, parse_spacing, whole_factors

lengths = st.floats(0.3, 3.0)


@given(st.tuples(lengths, lengths, lengths), st.data())
def test_a_wanted_spacing_is_the_results(wanted: tuple, data: st.DataObject) -> None:
    spacing = tuple(data.draw(st.floats(1.01 * w, 10 * w)) for w in wanted)
    found = Refinement.to_spacing(wanted, spacing)
    assert found.spacing == pytest.approx(wanted, rel=1e-6)
    assert [f * w for f, w in zip(found.factors, found.spacing, strict=True)] == pytest.approx(spacing)


def test_one_length_leaves_finer_axes_as_they_are() -> None:
    found = Refinement.to_spacing(0.78, (5.0, 0.45, 0.9))
    assert found.spacing == (0.78, 0.45, 0.78)
    assert found.factors == pytest.approx((6.41026, 1, 1.153846), rel=1e-5) and found.factors[1] == 1


def test_a_spacing_as_a_header_rounds_it_is_the_scans_own() -> None:
    found = Refinement.to_spacing((1.0, 0.703, 0.7031), (5.0, 0.703125, 0.703125))
    assert (found.factors, found.spacing) == ((5, 1, 1), (1.0, 0.703125, 0.703125))
    assert all(isinstance(factor, int) for factor in found.factors)


@pytest.mark.parametrize("spacing", [(5.0, 0.7, 0.7), (5.0, 0.8, 0.7), (0.7, 3.3, 0.7), (5.0, 0.479, 0.479)])
def test_isotropic_is_exactly_isotropic(spacing: tuple) -> None:
    assert Refinement.by_scale("isotropic", spacing).spacing == pytest.approx((min(spacing),) * 3, rel=1e-12)


@pytest.mark.parametrize(
    ("wanted", "spacing", "says"),
    [
        ((6.0, 0.7, 0.7), (5.0, 0.7, 0.7), "6 mm along z is coarser than the scan's 5 mm"),
        ((2.5, 0.7, 0.8), (5.0, 0.7, 0.7), "0.8 mm along x is coarser"),
        (
            0.4,
            (5.0, 0.7, 0.7),
            r"12\.5 times finer sampling along z, and 10\.5 is the most; choose spacing 0\.477 or more",
        ),
        (5.0, (5.0, 0.7, 0.7), "5 x 0.7 x 0.7 mm already"),
        ((5.0, 0.7, 0.7), (5.0, 0.7, 0.7), "already; give a finer spacing"),
        (8.0, (5.0, 0.7, 0.7), "already; give a finer spacing"),
    ],
)
def test_spacings_that_a_scan_cannot_be_refined_to(wanted: object, spacing: tuple, says: str) -> None:
    with pytest.raises(JobError, match=says) as caught:
        Refinement.to_spacing(wanted, spacing)  # type: ignore[arg-type]
    assert str(caught.value).endswith(".")


def test_the_finest_spacing_that_is_named_can_be_had() -> None:
    assert Refinement.to_spacing(0.477, (5.0, 0.7, 0.7)).spacing[0] == 0.477


def test_spacings_as_they_are_written() -> None:
    assert parse_spacing("0.8") == parse_spacing(0.8) == parse_spacing([0.8]) == 0.8
    assert parse_spacing(" 0.8, 1,0.7") == parse_spacing([0.8, 1, 0.7]) == (0.8, 1.0, 0.7)


@pytest.mark.parametrize(
    "spacing",
    [0, -1, 1e-4, 1e6, math.nan, math.inf, "x", "", "1,2", "1,,1", "1,1,1,1", True, [1, True, 1], {}, [[1]], [1, 0, 1]],
)
def test_what_is_no_spacing(spacing: object) -> None:
    with pytest.raises(JobError, match="spacing") as caught:
        parse_spacing(spacing)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("scale", ["isotropic", None])
def test_what_has_no_factors_without_a_scan(scale: str | None) -> None:
    assert whole_factors("3") == (3, 3, 3)
    with pytest.raises(JobError, match="Whole factors"):
        whole_factors(scale)
