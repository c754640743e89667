"""The sentence on slice thickness: every source that says something, and when two of them contradict each other."""

from __future__ import annotations

import pytest

from CTSuperResolutionLib.degradation.slice_thickness import SliceThickness, slice_axis


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({"header": 5.0, "measured": 4.62, "error": 0.38}, "slices 5.0 mm thick by the header, 4.6 ± 0.4 measured"),
        ({"measured": 4.62, "error": 0.001}, "slices 4.6 ± 0.1 mm thick as measured"),
        ({"header": 3.0}, "slices 3.0 mm thick by the header"),
        ({}, "slices 5.0 mm apart, thickness unknown"),
        ({"given": 4.0}, "slices 4.0 mm thick as set"),
        (
            {"given": 4.0, "header": 5.0, "measured": 4.6, "error": 0.4},
            "slices 4.0 mm thick as set, 5.0 by the header, 4.6 ± 0.4 measured",
        ),
    ],
)
def test_the_sentence_names_every_source(known, sentence):
    assert SliceThickness(5.0, **known).sentence == sentence


@pytest.mark.parametrize(
    ("header", "measured", "error", "contradicts"),
    [
        (5.0, 4.5, 0.1, False),
        (5.0, 3.8, 0.1, False),  # within a quarter
        (5.0, 3.7, 0.1, True),
        (5.0, 6.3, 0.1, True),
        (5.0, 3.0, 1.1, False),  # within the error
        (None, 3.0, 0.1, False),
        (5.0, None, 0.0, False),
    ],
)
def test_a_contradiction_is_beyond_a_quarter_and_the_error(header, measured, error, contradicts):
    found = SliceThickness(5.0, header=header, measured=measured, error=error).contradiction
    assert (found is not None) == contradicts
    if found is not None:
        assert f"{header} mm thick" in found and f"{measured} ± {error} mm" in found


@pytest.mark.parametrize(("given", "contradicts"), [(5.2, True), (4.7, True), (2.8, True), (4.5, False)])
def test_what_is_set_against_what_the_scan_shows_is_used_and_said(given, contradicts):
    found = SliceThickness(4.0, given=given, header=4.0, measured=3.9, error=0.1).contradiction
    assert (found is not None) == contradicts
    if found is not None:
        assert found.startswith(
            f"Slices are set to be {given} mm thick and the scan shows 3.9 ± 0.1 mm; what was set is"
        )


def test_what_is_set_and_what_the_scan_shows_may_agree_against_the_header():
    found = SliceThickness(4.0, given=4.0, header=6.0, measured=3.9, error=0.1).contradiction
    assert found.startswith("The header says") and "the one that was set is used" in found


def test_a_header_that_few_edges_contradict_is_said_to():
    found = SliceThickness.of_report(5.0, {"source": "header", "fwhm_mm": 5.6, "header_mm": 10.0, "edges_mm": 5.6})
    assert found.sentence == "slices 10.0 mm thick by the header, at most 5.6 by the edges"
    assert "10.0 mm thick" in found.contradiction and "at most 5.6 mm" in found.contradiction


def test_a_stated_thickness_is_that_of_the_slices_even_where_pixels_are_larger_than_their_distance():
    assert slice_axis((0.5, 0.9, 0.8), 1.0) == 0
    assert slice_axis((0.7, 0.7, 0.5), 1.0) == 2  # stored sagittally
    assert slice_axis((0.5, 0.9, 0.8), None) == 1
    assert slice_axis((1.0, 1.0, 1.0), None) == 0
