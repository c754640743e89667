"""Interleaved timing: all runners take turns, so that a busy moment of the machine meets each of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

FEWEST = 3  # runs of one that has spent its time
PAUSE_CYCLES = 2_000_000  # of a GPU: about a millisecond


class Times(NamedTuple):
    """Milliseconds of the parts of a run.

    Attributes:
        medians: of all runs. fastest: of all runs; on a busy machine, nearer to what a quiet one would show.
    """

    medians: tuple[float, ...]
    fastest: tuple[float, ...]


def time_interleaved(
    runs: Sequence[Callable[[], Sequence[float]]],
    *,
    repeats: int,
    budget_ms: float,
    before_run: Callable[[], None] = lambda: None,
) -> list[Times]:
    """Times of everything that runs, part by part.

    Args:
        runs: each does its work once and returns the milliseconds of its parts.
        repeats: of each. One that has taken ``budget_ms`` in all sits out once it had FEWEST runs.
        before_run: called before each run, and before the first one of each, which warms up and does not count.
    """
    times: list[list[Sequence[float]]] = [[] for _ in runs]
    for run in runs:
        before_run()
        run()
    for _ in range(repeats):
        for run, taken in zip(runs, times, strict=True):
            if len(taken) >= min(FEWEST, repeats) and sum(map(sum, taken)) >= budget_ms:
                continue
            before_run()
            taken.append(run())
    parts = [list(zip(*taken, strict=True)) for taken in times]
    return [Times(tuple(map(statistics.median, each)), tuple(map(min, each))) for each in parts]


class HostStopwatch:
    """Milliseconds between moments of this process."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._marks: list[float] = []

    def start(self) -> None:
        """The first moment."""
        self._marks = [self._clock()]

    def mark(self) -> None:
        """Another moment."""
        self._marks.append(self._clock())

    def laps(self) -> tuple[float, ...]:
        """Milliseconds from each moment to the next."""
        return tuple(1e3 * (b - a) for a, b in zip(self._marks, self._marks[1:], strict=False))


class DeviceStopwatch:
    """Milliseconds between moments in a GPU's own queue of work.

    Args:
        device: the GPU.
        ahead: hold up the queue at the start, so that the host is ahead of the GPU, as it is in a loop that never
            waits: what is measured then is the GPU's time and not Python's.
    """

    def __init__(self, device: torch.device, *, ahead: bool = True) -> None:
        self._device = device
        self._ahead = ahead
        self._marks: list[torch.cuda.Event] = []

    def start(self) -> None:
        """The first moment."""
        self._marks = []
        if self._ahead:
            with torch.cuda.device(self._device):
                torch.cuda._sleep(PAUSE_CYCLES)
        self.mark()

    def mark(self) -> None:
        """Another moment."""
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._marks.append(event)

    def laps(self) -> tuple[float, ...]:
        """Milliseconds from each moment to the next; waits for the last one."""
        self._marks[-1].synchronize()
        return tuple(a.elapsed_time(b) for a, b in zip(self._marks, self._marks[1:], strict=False))


def stopwatch(device: torch.device, *, ahead: bool = True) -> HostStopwatch | DeviceStopwatch:
    """The stopwatch for work on a device."""
    return DeviceStopwatch(device, ahead=ahead) if device.type == "cuda" else HostStopwatch()
