"""ctsr bench: speed and memory of the Gaussians' backends on this machine.

rasterize renders a field on a detector, voxelize in a volume, step is a whole step of the fit. Times are medians; the
backends take turns, so that a busy machine is fair to all. forward is the rendering, backward the gradients back to the
Gaussians; of a step, forward ends when all is rendered and compared.

peak MB is what one forward and backward needs beside its input, result and gradients included, measured in a process
of its own: how far the resident memory rises, on a GPU how much more torch has allocated. bandwidth and arithmetic are
shares (forward / backward) of what this device was measured to copy and to multiply: of the bytes that have to be read
or written at least once, and of the operations on samples inside a Gaussian's support.

run, which takes many minutes, is two whole runs of 'ctsr run' on generated scans with the default preset: 128³ voxels
to 512³, and 86 slices of 512 × 512 to slices a sixth as thick. It tells which share of all cores every stage used, and
which share of the device's arithmetic the prior's network needs at least.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.bench.cases import BACKENDS, BEAMS, GAUSSIANS, OPERATIONS, RUN, parse_names, parse_numbers
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import Method


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    sizes = ", ".join(f"{op} {size}" for op, size in OPERATIONS.items())
    counts = ",".join(map(str, GAUSSIANS))
    option = parser.add_argument
    option("--ops", default=",".join(OPERATIONS), metavar="LIST", help=f"of {','.join(OPERATIONS)} (default), {RUN}")
    option(
        "--backends", metavar="LIST", help=f"of {','.join(BACKENDS)}; native is the CPU's (default the device's own)"
    )
    option("--gaussians", default=counts, metavar="LIST", help=f"how many of them (default {counts})")
    option("--size", metavar="LIST", help=f"sides of the detector or the volume (default {sizes})")
    option("--geometry", default=",".join(BEAMS), metavar="LIST", help=f"of {','.join(BEAMS)} (default both)")
    option("--device", default="auto", help="auto, cpu or cuda (default auto)")
    option("--threads", metavar="LIST", help="how many of the CPU; 1,2 compares them (default as many as torch takes)")
    option("--repeats", default="7", metavar="N", help="runs of every backend (default 7)")
    option("--json", type=Path, metavar="FILE", help="write all figures there")


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    ops = parse_names("operation", options.ops, (*OPERATIONS, RUN))
    beams = parse_names("geometry", options.geometry, BEAMS)
    gaussians = parse_numbers("gaussians", options.gaussians)
    sizes = parse_numbers("size", options.size) if options.size is not None else ()
    backends = parse_names("backend", options.backends, BACKENDS) if options.backends is not None else ()
    repeats = parse_numbers("repeats", options.repeats)[0]
    threads = parse_numbers("threads", options.threads) if options.threads is not None else ()
    device = Method(device=options.device).device
    if options.json is not None:
        _require_writable(options.json)
    import torch

    from CTSuperResolutionLib import machine
    from CTSuperResolutionLib.bench.benchmark import BenchmarkRequest, benchmark

    request = BenchmarkRequest(
        ops=ops,
        beams=beams,
        gaussians=gaussians,
        sizes=sizes,
        backends=backends,
        device=machine.choose_device(device),
        threads=threads or (torch.get_num_threads(),),
        repeats=repeats,
    )
    report = benchmark(request, progress)
    if options.json is not None:
        try:
            options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise _not_written(options.json, error) from None
    return report


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    from CTSuperResolutionLib.bench.table import format_report

    return format_report(found)


def _require_writable(path: Path) -> None:
    """Before minutes are spent: a new file, or an earlier benchmark's."""
    there = path.exists()
    try:
        if there and "rows" not in json.loads(path.read_text(encoding="utf-8")):
            raise ValueError
        with path.open("a", encoding="utf-8"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise _not_written(path, error) from None
    except (ValueError, TypeError):
        raise JobError(f"{path} is not from an earlier benchmark and would be replaced; choose another file.") from None


def _not_written(path: Path, error: OSError) -> JobError:
    reason = error.strerror or type(error).__name__
    return JobError(f"The file {path} cannot be written ({reason}); choose another one.")
