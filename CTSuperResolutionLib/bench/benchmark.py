"""Measure every case with every backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from CTSuperResolutionLib.bench.cases import Case, all_cases
from CTSuperResolutionLib.bench.environment import describe_device, describe_versions
from CTSuperResolutionLib.bench.limits import reason_to_skip
from CTSuperResolutionLib.bench.operation_counts import Work
from CTSuperResolutionLib.bench.peak_memory import MemoryProbe
from CTSuperResolutionLib.bench.roofline import Rates, measure_rates
from CTSuperResolutionLib.bench.runners import contender, device_of, find_backends
from CTSuperResolutionLib.bench.scenes import make_footprints
from CTSuperResolutionLib.bench.timing import Times, take_turns
from CTSuperResolutionLib.gaussians.backends.choice import Backend
from CTSuperResolutionLib.job.events import Progress

BUDGET_MS = 2500.0  # of one contender on one case


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        ops, beams: names as in cases. gaussians: numbers of them. sizes: of arrays; none: each operation's own.
        backends: names; none: those made for the device.
        device: where torch and the CUDA kernels run.
        threads: numbers of threads that a CPU is measured with.
        repeats: turns of each backend.
    """

    ops: tuple[str, ...]
    beams: tuple[str, ...]
    gaussians: tuple[int, ...]
    sizes: tuple[int, ...]
    backends: tuple[str, ...]
    device: torch.device
    threads: tuple[int, ...]
    repeats: int


@dataclass(frozen=True)
class Place:
    """A device, and how many threads of it; None on a GPU."""

    device: torch.device
    threads: int | None

    def enter(self) -> None:
        """Have torch, and with it the CPU library, use these threads."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)


@dataclass(frozen=True)
class Entry:
    """A backend in a place."""

    backend: Backend
    place: Place


@dataclass(frozen=True)
class Measured:
    """What an entry took for a case."""

    case: Case
    entry: Entry
    times: Times
    peak_mb: float | None
    work: Work | None

    def row(self, rates: Rates) -> dict[str, Any]:
        """As a report has it."""
        forward, backward = self.times.medians
        fastest = self.times.fastest
        row = {
            "op": self.case.op,
            "backend": self.entry.backend.name,
            "geometry": self.case.beam,
            "gaussians": self.case.gaussians,
            "size": self.case.size,
            "device": str(self.entry.place.device),
            "threads": self.entry.place.threads,
            "forward_ms": forward,
            "backward_ms": backward,
            "fastest_ms": {"forward": fastest[0], "backward": fastest[1]},
            "peak_mb": self.peak_mb,
            "samples": self.work and self.work.samples,
        }
        for way, milliseconds in (("forward", forward), ("backward", backward)):
            shares = self.work.shares(way, milliseconds, rates) if self.work else (None, None)
            row |= zip((f"{way}_bandwidth", f"{way}_arithmetic"), shares, strict=True)
        return row


def benchmark(request: Request, progress: Progress) -> dict[str, Any]:
    """Measure, and tell what came out: device, versions, threads, rates, rows, and what was left out and why.

    Raises:
        JobError: a backend that was asked for does not work here.
    """
    threads_before = torch.get_num_threads()
    progress.stage("prepare")
    backends, missing = find_backends(request.backends, request.device)
    for why in missing:
        progress.note(why)
    entries = _entries(backends, request)
    places = list(dict.fromkeys(entry.place for entry in entries))
    cases = all_cases(request.ops, request.beams, request.gaussians, request.sizes)
    left_out: list[str] = []
    measured: list[Measured] = []
    try:
        rates = _rates(places)
        progress.stage("measure", len(cases))
        with MemoryProbe() as probe:
            for case in cases:
                measured += _measure(case, entries, request.repeats, probe, left_out, progress)
                progress.advance()
        # A limit is what can be reached: of two tries, the higher one.
        rates = {place: rates[place].higher(again) for place, again in _rates(places).items()}
    finally:
        torch.set_num_threads(threads_before)
    return {
        "device": describe_device(request.device),
        "versions": describe_versions(),
        "backends": {name: backend.why for name, backend in backends.items()},
        "threads": list(request.threads),
        "rates": [
            {
                "device": str(place.device),
                "threads": place.threads,
                "bandwidth_gb_s": rate.bandwidth / 1e9,
                "gflop_s": rate.flops / 1e9,
            }
            for place, rate in rates.items()
        ],
        "rows": [found.row(rates[found.entry.place]) for found in measured],
        "left_out": [*missing, *left_out],
    }


def _entries(backends: dict[str, Backend], request: Request) -> list[Entry]:
    entries = []
    for name, backend in backends.items():
        device = device_of(name, request.device)
        for threads in request.threads if device.type == "cpu" else (None,):
            entries.append(Entry(backend, Place(device, threads)))
    return entries


def _rates(places: Iterable[Place]) -> dict[Place, Rates]:
    found = {}
    for place in places:
        place.enter()
        found[place] = measure_rates(place.device)
    return found


def _measure(
    case: Case,
    entries: Sequence[Entry],
    repeats: int,
    probe: MemoryProbe,
    left_out: list[str],
    progress: Progress,
) -> list[Measured]:
    footprints = make_footprints(case)
    # A step does more than draw: what it takes at least is not counted.
    work = None if case.op == "step" else Work.of(case, footprints)
    running: list[tuple[Entry, float | None]] = []
    peaks: dict[tuple[str, torch.device], float | None] = {}
    for entry in entries:
        name, place = entry.backend.name, entry.place
        reason = reason_to_skip(case, name, place.device, footprints)
        if reason is None:
            if (name, place.device) not in peaks:
                progress.check()
                peaks[name, place.device] = probe.peak_mb(case, name, place.device)
            running.append((entry, peaks[name, place.device]))
        elif (line := f"{case} with {name}: {reason}.") not in left_out:
            left_out.append(line)
            progress.note(f"Left out: {line}")
    turns = [partial(_turn, entry.place, contender(case, entry.backend, entry.place.device)) for entry, _ in running]
    times = take_turns(turns, repeats=repeats, budget_ms=BUDGET_MS, before_turn=progress.check)
    return [Measured(case, entry, taken, peak, work) for (entry, peak), taken in zip(running, times, strict=True)]


def _turn(place: Place, work: Any) -> tuple[float, ...]:
    place.enter()
    return work.turn()
