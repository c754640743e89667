"""Event stream of a process, whatever the pieces it comes in and whatever is in them."""

from __future__ import annotations

import itertools
import json

import pytest
from CTSuperResolutionPanel.process.event_stream import LONGEST_LINE, LineDecoder, StageProgress, parse_event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXT = 'plain\n{"event": "note", "message": "größer – 4×"}\r\n\nlast ü'


at_any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy computer is no fault of what is tested."""


@at_any_speed
@given(st.lists(st.integers(0, len(TEXT.encode()))))
def test_lines_are_the_same_however_they_are_cut(cuts):
    data, lines, found = TEXT.encode(), LineDecoder(), []
    edges = [0, *sorted(cuts), len(data)]
    for start, stop in itertools.pairwise(edges):
        found += lines.feed(data[start:stop])
    found += lines.feed(b"", final=True)
    assert found == ["plain", '{"event": "note", "message": "größer – 4×"}', "", "last ü"]


def test_bytes_that_are_no_text_become_text():
    lines = LineDecoder()
    assert list(lines.feed(b"\xff\xfe\n")) == ["\ufffd\ufffd"]


def test_an_endless_line_does_not_fill_the_memory():
    lines = LineDecoder()
    found = [line for _ in range(40) for line in lines.feed(b"x" * 100_000)]
    assert found and max(map(len, found)) <= LONGEST_LINE + 100_000


@pytest.mark.parametrize("line", ["", "text", "7", "null", "[]", '{"event": 7}', '{"a": "event"}', '{"event": "x"'])
def test_what_is_no_event_is_text(line):
    assert parse_event(line) is None


@at_any_speed
@given(st.dictionaries(st.sampled_from(["stage", "step", "steps", "fraction", "elapsed_s", "remaining_s"]),
                       st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())))  # fmt: skip
def test_nonsense_in_a_progress_event_is_unknown(values):
    event = json.loads(json.dumps({"event": "progress", **values}))
    progress = StageProgress.of(event)
    assert progress.fraction is None or 0 <= progress.fraction <= 1
    assert progress.remaining is None or progress.remaining >= 0
    assert progress.steps >= 0
