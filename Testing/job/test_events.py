"""Progress, its estimate of the time to come, and how it is written."""

from __future__ import annotations

import io
import itertools
import json
import os
import time

import pytest

from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.events import JsonLines, Progress, Reporter, describe_error
from CTSuperResolutionLib.job.terminal import TerminalBar, clock_text
from CTSuperResolutionLib.job.timeline import Timeline


class Clock:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(line: Timeline, clock: Clock, stage: str, seconds: float, steps: int = 10) -> list[tuple[float, float]]:
    """Go through a stage; returns (remaining, fraction) after every step."""
    line.begin(stage, steps)
    seen = []
    for _ in range(steps):
        clock.now += seconds / steps
        line.advance(1)
        seen.append((line.remaining(), line.fraction()))
    return seen


def test_estimate_is_exact_when_all_goes_as_planned() -> None:
    clock = Clock()
    line = Timeline(clock)
    line.plan({"a": 10, "b": 30})
    assert line.remaining() == pytest.approx(40)
    seen = run(line, clock, "a", 10) + run(line, clock, "b", 30)
    expected = [40 - t for t in [*range(1, 11), *range(13, 41, 3)]]
    assert [remaining for remaining, _ in seen] == pytest.approx(expected, abs=1e-9)
    assert seen[-1] == (pytest.approx(0), 1.0)


def test_estimate_learns_from_a_machine_five_times_slower() -> None:
    clock = Clock()
    line = Timeline(clock)
    line.plan({"a": 10, "b": 30})
    seen = run(line, clock, "a", 50) + run(line, clock, "b", 150)
    truth = [200 - t for t in [*range(5, 51, 5), *range(65, 201, 15)]]
    for (remaining, _), true in list(zip(seen, truth, strict=True))[4:]:
        assert remaining == pytest.approx(true, rel=0.2)


def test_estimate_follows_a_stage_whose_weight_was_wrong() -> None:
    clock = Clock()
    line = Timeline(clock)
    line.plan({"a": 10, "b": 10})
    run(line, clock, "a", 10)
    seen = run(line, clock, "b", 100)
    assert seen[7][0] == pytest.approx(20, rel=0.25)  # 80 of 100 seconds are over
    assert seen[-1][0] == pytest.approx(0)


def test_estimate_counts_down_while_a_long_step_is_under_way() -> None:
    clock = Clock()
    line = Timeline(clock)
    line.plan({"a": 10, "b": 30})
    line.begin("a", 1)
    seen = []
    for _ in range(15):
        clock.now += 1
        seen.append(line.remaining())
    assert seen == pytest.approx([39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 30, 30, 30, 30, 30])


def test_fraction_never_falls_and_ends_at_one() -> None:
    clock = Clock()
    line = Timeline(clock)
    line.plan({"a": 100, "b": 1})
    fractions = [f for _, f in run(line, clock, "a", 1) + run(line, clock, "b", 300)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert all(0 <= f <= 1 for f in fractions)


def test_fraction_rises_all_through_a_long_step_and_leaves_room_for_its_end() -> None:
    clock = Clock()
    line = Timeline(clock)
    line.plan({"a": 10, "b": 30})
    line.begin("a", 2)
    fractions = []
    for _ in range(2):
        for _ in range(40):
            clock.now += 0.5
            fractions.append(line.fraction())
        line.advance(1)
        fractions.append(line.fraction())
    assert all(before < after for before, after in itertools.pairwise(fractions))
    assert fractions[9] == pytest.approx(0.125 / 2)  # after the 5 seconds that half of "a" was to take
    assert fractions[40] == 0.125 and fractions[-1] == 0.25


def test_parts_of_steps_add_up_exactly() -> None:
    clock = Clock()
    progress, events, clock = reporter()
    progress.plan({"a": 1})
    progress.stage("a", 3)
    for parts in (7, 11, 13):
        piece = progress.in_parts(parts)
        for _ in range(parts):
            clock.now += 1
            piece.in_parts(3).advance(2)
            piece.in_parts(3).advance()
    assert [event["step"] for event in events[-3:]] == [2, 2, 3] and events[-1]["fraction"] == 1
    fractions = [event["fraction"] for event in events[1:]]
    assert len(set(fractions)) > 30 and fractions == sorted(fractions)


def test_parts_are_cancelled_with_the_whole() -> None:
    cancellation = Cancellation()
    progress, events, _ = reporter(cancellation=cancellation)
    progress.stage("a", 3)
    parts = progress.in_parts(4)
    parts.note("A remark.")
    parts.check()
    assert events[-1]["message"] == "A remark."
    cancellation.request("asked for by a test")
    for call in (parts.check, parts.advance, parts.in_parts(2).advance):
        with pytest.raises(Cancelled):
            call()


def test_nothing_planned_means_no_estimate() -> None:
    line = Timeline(Clock())
    line.begin("a", 3)
    assert line.remaining() is None and line.fraction() is None


def test_stage_that_comes_again_adds_up() -> None:
    clock = Clock()
    line = Timeline(clock)
    for stage, seconds in [("a", 2), ("b", 3), ("a", 5)]:
        run(line, clock, stage, seconds)
    assert line.seconds() == pytest.approx({"a": 7, "b": 3})


def test_silent_progress_takes_everything() -> None:
    progress = Progress()
    progress.plan({"a": 1})
    progress.stage("a", 3)
    progress.advance()
    progress.check()
    progress.note("hello")
    assert progress.stages() == {}


def reporter(**options: object) -> tuple[Reporter, list[dict], Clock]:
    events: list[dict] = []
    clock = Clock()
    return Reporter(events.append, clock=clock, **options), events, clock


def test_events_carry_every_field() -> None:
    progress, events, clock = reporter(memory=lambda: {"memory_mb": 10.0, "peak_mb": 12.0})
    progress.plan({"a": 4.0})
    progress.stage("a", 4)
    clock.now += 1
    progress.advance()
    assert events[0] == {"event": "plan", "stages": {"a": 4.0}}
    assert events[-1] == {
        "event": "progress",
        "stage": "a",
        "step": 1,
        "steps": 4,
        "elapsed_s": 1.0,
        "remaining_s": 3.0,
        "fraction": 0.25,
        "memory_mb": 10.0,
        "peak_mb": 12.0,
    }


def test_at_most_five_events_a_second_and_never_without_the_last_step() -> None:
    progress, events, clock = reporter()
    progress.stage("a", 1000)
    for _ in range(1000):
        clock.now += 0.01
        progress.advance()
    assert 45 <= len(events) <= 52
    assert events[-1]["step"] == 1000


def test_stages_report_time_and_peak_memory() -> None:
    levels = iter([(5, 9), (20, 20), (20, 50), (7, 50), (8, 50), (8, 50)])
    progress, _, clock = reporter(memory=lambda: dict(zip(("memory_mb", "peak_mb"), next(levels), strict=True)))
    progress.stage("a", 1)
    clock.now += 2
    progress.stage("b", 1)  # the process peaked at 50 while "a" ran
    clock.now += 1
    assert progress.stages() == {
        "a": {"seconds": 2.0, "peak_mb": 50},
        "b": {"seconds": 1.0, "peak_mb": 8},
    }


def test_cancel_request_is_raised_by_the_next_call() -> None:
    cancellation = Cancellation()
    progress, _, _ = reporter(cancellation=cancellation)
    progress.stage("a", 3)
    progress.advance()
    cancellation.request("asked for by a test")
    for call in (progress.check, progress.advance, lambda: progress.stage("b", 1)):
        with pytest.raises(Cancelled, match=r"^Cancelled: asked for by a test\.$"):
            call()


def test_too_late_to_cancel() -> None:
    cancellation = Cancellation()
    cancellation.close()
    cancellation.request("too late")
    assert not cancellation.requested
    other = Cancellation()
    other.request("in time")
    with pytest.raises(Cancelled, match="in time"):
        other.close()


def ticks(steps: int, done: int, seconds: float = 0.6) -> list[dict]:
    """Progress events while nothing is told, with some steps of a stage done."""
    events: list[dict] = []
    progress = Reporter(events.append, longest=0.05)
    progress.plan({"a": 1.0})
    with progress.ticking():
        progress.stage("a", steps)
        progress.advance(done)
        before = len(events)
        time.sleep(seconds)
        return events[before:]


def test_a_long_step_is_told_of_while_it_lasts() -> None:
    told = ticks(steps=2, done=1)
    assert 3 <= len(told) <= 12
    assert {event["step"] for event in told} == {1}
    fractions = [event["fraction"] for event in told]
    assert fractions == sorted(fractions) and 0.5 < fractions[0] < fractions[-1] < 1
    assert told[-1]["elapsed_s"] >= 0.4


def test_nothing_is_told_when_nothing_is_under_way() -> None:
    """The user may be asked whether to go on, below the bar."""
    assert ticks(steps=1, done=1) == []


def test_nothing_follows_the_end() -> None:
    events: list[dict] = []
    progress = Reporter(events.append, longest=0.05)
    with progress.ticking():
        progress.stage("a", 2)
        time.sleep(0.2)
        progress.result({})
        time.sleep(0.2)
    assert [event["event"] for event in events].count("result") == 1 and events[-1]["event"] == "result"


def test_exactly_one_final_event() -> None:
    progress, events, _ = reporter()
    progress.result({"files": {}})
    progress.error(JobError("Late."))
    progress.result({})
    assert [event["event"] for event in events] == ["result"]


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (JobError("The file is bad; take another."), "input", 2),
        (Cancelled("Cancelled: x."), "cancelled", 3),
        (MemoryError(), "memory", 2),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"), "memory", 2),
        (RuntimeError("can't start new thread"), "memory", 2),
        (ImportError("_x.so: failed to map segment from shared object"), "memory", 2),
        (raised_from(ImportError("IMPORTANT: PLEASE READ THIS!"), MemoryError()), "memory", 2),
        (ModuleNotFoundError("No module named 'torch'"), "install", 1),
        (ValueError("line one\nline two"), "internal", 1),
    ],
)
def test_every_error_is_one_sentence(error: Exception, kind: str, code: int) -> None:
    found = describe_error(error)
    assert (found["kind"], found["exit_code"]) == (kind, code)
    assert found["message"].endswith(".") and "\n" not in found["message"]


def test_advice_of_a_package_does_not_hide_what_is_missing() -> None:
    wrapped = raised_from(ImportError("IMPORTANT: PLEASE READ THIS!"), ImportError("No module named '_core'"))
    assert "(No module named '_core')" in describe_error(wrapped)["message"]


def test_json_lines_are_utf8_and_whole() -> None:
    reading, writing = os.pipe()
    write = JsonLines(writing)
    for text in ("Lungenvolumen größer", "two\nlines", "\udcff"):
        write({"event": "note", "message": text})
    os.close(writing)
    with open(reading, "rb") as file:
        lines = file.read().decode("utf-8").splitlines()
    assert [json.loads(line)["message"] for line in lines[:2]] == ["Lungenvolumen größer", "two\nlines"]
    assert len(lines) == 3


def test_reader_that_went_away_is_told_once() -> None:
    told = []
    reading, writing = os.pipe()
    write = JsonLines(writing, on_broken=lambda: told.append(True))
    os.close(reading)
    write({"event": "note", "message": "x"})
    write({"event": "note", "message": "y"})
    os.close(writing)
    assert told == [True]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def show(stream: io.StringIO) -> str:
    clock = Clock()
    progress = Reporter(TerminalBar(stream, clock=clock), clock=clock)
    progress.plan({"restore": 60, "write": 4})
    progress.stage("restore", 60)
    for _ in range(30):
        clock.now += 1
        progress.advance()
    progress.note("A remark.")
    progress.stage("write", 1)
    progress.error(JobError("It went wrong."))
    return stream.getvalue()


def test_bar_on_a_terminal_is_one_line_that_is_redrawn() -> None:
    text = show(Terminal())
    before_note = text.split("A remark.")[0]
    assert "\n" not in before_note and before_note.count("\r") > 20
    assert "30/60" in before_note and "0:34 left" in before_note and "47 %" in before_note
    assert text.endswith("ctsr: It went wrong.\n")


def test_plain_lines_elsewhere() -> None:
    text = show(io.StringIO())
    assert "\r" not in text
    assert len(text.splitlines()) == 7  # two stages, at 10, 20 and 30 seconds, the remark and the error
    assert text.splitlines()[-1] == "ctsr: It went wrong."


def test_the_last_line_of_a_log_is_the_end() -> None:
    for stream in (io.StringIO(), Terminal()):
        clock = Clock()
        progress = Reporter(TerminalBar(stream, clock=clock), clock=clock, memory=lambda: {"peak_mb": 1234.4})
        progress.plan({"write": 4})
        progress.stage("write", 3)
        clock.now += 65
        progress.result({})
        if not stream.isatty():
            last = stream.getvalue().splitlines()[-1]
            assert last.split() == ["done", f"[{24 * '#'}]", "100", "%", "1:05", "peak", "1234", "MB"]
        else:
            assert stream.getvalue().endswith(" \r")  # the bar is gone


def test_a_closed_terminal_stops_nothing() -> None:
    stream = Terminal()
    bar = TerminalBar(stream)
    stream.close()
    bar({"event": "note", "message": "x"})


def test_clock_text() -> None:
    assert [clock_text(s) for s in (0, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]
