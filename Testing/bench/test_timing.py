"""Interleaved runs and medians, on a clock that the test winds."""

from __future__ import annotations

import contextlib

import pytest
import torch

from CTSuperResolutionLib.bench.timing import FEWEST, HostStopwatch, stopwatch, time_interleaved


class FakeRunner:
    """Takes what it is told to, and writes its runs down."""

    def __init__(self, name, diary, *times):
        self.name, self.diary, self.times = name, diary, list(times)

    def __call__(self):
        self.diary.append(self.name)
        return self.times.pop(0)


def test_runners_take_turns_and_the_first_run_does_not_count():
    diary = []
    first = FakeRunner("a", diary, (100, 100), (1, 10), (3, 30), (2, 20))
    second = FakeRunner("b", diary, (200, 200), (7, 0), (5, 0), (6, 0))
    found = time_interleaved([first, second], repeats=3, budget_ms=1e9)
    assert diary == ["a", "b"] * 4
    assert [times.medians for times in found] == [(2, 20), (6, 0)]  # of each part for itself
    assert [times.fastest for times in found] == [(1, 10), (5, 0)]


def test_a_slow_runner_sits_out_when_it_has_spent_its_time():
    diary = []
    slow = FakeRunner("slow", diary, *[(60.0, 40.0)] * 20)
    quick = FakeRunner("quick", diary, *[(1.0, 1.0)] * 20)
    time_interleaved([slow, quick], repeats=10, budget_ms=250)
    assert diary.count("slow") == 1 + 3 and diary.count("quick") == 1 + 10


def test_no_runner_has_less_than_the_fewest_runs_nor_more_than_was_asked_for():
    diary = []
    time_interleaved([FakeRunner("a", diary, *[(1e6,)] * 20)], repeats=10, budget_ms=0)
    assert len(diary) == 1 + FEWEST
    diary.clear()
    time_interleaved([FakeRunner("a", diary, *[(1e6,)] * 20)], repeats=1, budget_ms=0)
    assert len(diary) == 1 + 1


def test_what_is_asked_before_every_run_can_end_the_benchmark():
    diary = []

    def stop():
        if len(diary) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time_interleaved([FakeRunner("a", diary, *[(1.0,)] * 20)], repeats=10, budget_ms=1e9, before_run=stop)
    assert len(diary) == 3


def test_a_stopwatch_gives_the_time_between_its_moments():
    moments = iter([5.0, 5.25, 7.0, 10.0, 10.5])
    watch = HostStopwatch(lambda: next(moments))
    watch.start()
    watch.mark()
    watch.mark()
    assert watch.laps() == pytest.approx((250.0, 1750.0))
    watch.start()
    watch.mark()
    assert watch.laps() == pytest.approx((500.0,))  # a new start forgets


@pytest.mark.parametrize("ahead", [True, False])
def test_a_gpu_s_stopwatch_marks_its_queue(monkeypatch, ahead):
    """With stand-ins for CUDA's events: where each call of the driver goes, and that the last mark is waited for."""
    queue = []

    class Event:
        def __init__(self, *, enable_timing):
            assert enable_timing

        def record(self, stream):
            self.place = len(queue)
            queue.append(f"mark in {stream}")

        def synchronize(self):
            queue.append("wait")

        def elapsed_time(self, other):
            assert queue[-1] == "wait"
            return float(other.place - self.place)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: queue.append("pause"), raising=False)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    watch = stopwatch(torch.device("cuda:1"), ahead=ahead)
    watch.start()
    queue.append("work")
    watch.mark()
    queue += ["work", "work"]
    watch.mark()
    assert watch.laps() == (2.0, 3.0)
    mark = "mark in stream of cuda:1"
    assert queue == ["pause"] * ahead + [mark, "work", mark, "work", "work", mark, "wait"]
