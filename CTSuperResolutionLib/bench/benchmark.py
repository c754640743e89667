"""Benchmark of every case with every backend that a request names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from CTSuperResolutionLib.bench.cases import RUN, BenchmarkCase, all_cases
from CTSuperResolutionLib.bench.environment import describe_device, describe_versions
from CTSuperResolutionLib.bench.limits import reason_to_skip
from CTSuperResolutionLib.bench.operation_counts import OperationCounts
from CTSuperResolutionLib.bench.peak_memory import MemoryProbe
from CTSuperResolutionLib.bench.roofline import Rates, measure_rates
from CTSuperResolutionLib.bench.runners import Runner, device_of, find_backends, make_runner
from CTSuperResolutionLib.bench.scenes import make_footprints
from CTSuperResolutionLib.bench.timing import Times, time_interleaved
from CTSuperResolutionLib.bench.whole_runs import RUNS, WholeRun, measure_run
from CTSuperResolutionLib.gaussians.backends.choice import Backend
from CTSuperResolutionLib.job.events import Progress

BUDGET_MS = 2500.0  # of one runner on one case


@dataclass(frozen=True)
class BenchmarkRequest:
    """The cases, backends and repeats of a benchmark.

    Attributes:
        ops, beams: names as in cases. gaussians: numbers of them. sizes: of arrays; none: each operation's own.
        backends: names; none: those made for the device.
        device: where torch and the CUDA kernels run.
        threads: numbers of threads that a CPU is measured with.
        repeats: runs of each backend.
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
class Processor:
    """A device, and how many threads of it; None on a GPU."""

    device: torch.device
    threads: int | None

    def use(self) -> None:
        """Have torch, and with it the CPU library, use these threads."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)


@dataclass(frozen=True)
class Entry:
    """A backend on a processor."""

    backend: Backend
    processor: Processor


@dataclass(frozen=True)
class Measurement:
    """The times and memory that an entry took for a case."""

    case: BenchmarkCase
    entry: Entry
    times: Times
    peak_mb: float | None
    counts: OperationCounts | None

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
            "device": str(self.entry.processor.device),
            "threads": self.entry.processor.threads,
            "forward_ms": forward,
            "backward_ms": backward,
            "fastest_ms": {"forward": fastest[0], "backward": fastest[1]},
            "peak_mb": self.peak_mb,
            "samples": self.counts and self.counts.samples,
        }
        for way, milliseconds in (("forward", forward), ("backward", backward)):
            shares = self.counts.shares(way, milliseconds, rates) if self.counts else (None, None)
            row |= zip((f"{way}_bandwidth", f"{way}_arithmetic"), shares, strict=True)
        return row


def benchmark(request: BenchmarkRequest, progress: Progress) -> dict[str, Any]:
    """Measure, and tell what came out: device, versions, threads, rates, rows, runs, and what was left out and why.

    Raises:
        JobError: a backend that was asked for does not work here, or a run did not come to its end.
    """
    threads_before = torch.get_num_threads()
    progress.stage("prepare")
    backends, missing = find_backends(request.backends, request.device)
    for why in missing:
        progress.note(why)
    entries = _entries(backends, request)
    processors = list(dict.fromkeys(entry.processor for entry in entries))
    cases = all_cases(request.ops, request.beams, request.gaussians, request.sizes)
    left_out: list[str] = []
    measured: list[Measurement] = []
    runs: list[WholeRun] = []
    try:
        rates = _rates(processors)
        progress.stage("measure", len(cases))
        with MemoryProbe() as probe:
            for case in cases:
                measured += _measure(case, entries, request.repeats, probe, left_out, progress)
                progress.advance()
        if RUN in request.ops:
            progress.stage("run", len(RUNS))
            for run in RUNS:
                runs.append(measure_run(run, request.device, progress))
                progress.advance()
        # A limit is what can be reached: of two tries, the higher one.
        rates = {processor: rates[processor].higher(again) for processor, again in _rates(processors).items()}
    finally:
        torch.set_num_threads(threads_before)
    return {
        "device": describe_device(request.device),
        "versions": describe_versions(),
        "backends": {name: backend.why for name, backend in backends.items()},
        "threads": list(request.threads),
        "rates": [
            {
                "device": str(processor.device),
                "threads": processor.threads,
                "bandwidth_gb_s": rate.bandwidth / 1e9,
                "gflop_s": rate.flops / 1e9,
            }
            for processor, rate in rates.items()
        ],
        "rows": [found.row(rates[found.entry.processor]) for found in measured],
        "runs": [run.row(max(rate.flops for rate in rates.values())) for run in runs],
        "left_out": [*missing, *left_out],
    }


def _entries(backends: dict[str, Backend], request: BenchmarkRequest) -> list[Entry]:
    entries = []
    for name, backend in backends.items():
        device = device_of(name, request.device)
        for threads in request.threads if device.type == "cpu" else (None,):
            entries.append(Entry(backend, Processor(device, threads)))
    return entries


def _rates(processors: Iterable[Processor]) -> dict[Processor, Rates]:
    found = {}
    for processor in processors:
        processor.use()
        found[processor] = measure_rates(processor.device)
    return found


def _measure(
    case: BenchmarkCase,
    entries: Sequence[Entry],
    repeats: int,
    probe: MemoryProbe,
    left_out: list[str],
    progress: Progress,
) -> list[Measurement]:
    footprints = make_footprints(case)
    # A step does more than render: the least that it takes is not counted.
    counts = None if case.op == "step" else OperationCounts.of(case, footprints)
    running: list[tuple[Entry, float | None]] = []
    peaks: dict[tuple[str, torch.device], float | None] = {}
    for entry in entries:
        name, processor = entry.backend.name, entry.processor
        reason = reason_to_skip(case, name, processor.device, footprints)
        if reason is None:
            if (name, processor.device) not in peaks:
                progress.check()
                peaks[name, processor.device] = probe.peak_mb(case, name, processor.device)
            running.append((entry, peaks[name, processor.device]))
        elif (line := f"{case} with {name}: {reason}.") not in left_out:
            left_out.append(line)
            progress.note(f"Left out: {line}")
    runs = [
        partial(_run, entry.processor, make_runner(case, entry.backend, entry.processor.device)) for entry, _ in running
    ]
    times = time_interleaved(runs, repeats=repeats, budget_ms=BUDGET_MS, before_run=progress.check)
    return [Measurement(case, entry, taken, peak, counts) for (entry, peak), taken in zip(running, times, strict=True)]


def _run(processor: Processor, runner: Runner) -> tuple[float, ...]:
    processor.use()
    return runner.run()
