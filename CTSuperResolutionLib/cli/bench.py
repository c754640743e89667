"""ctsr bench: measure how fast the Gaussians are rasterized and voxelized here, by every backend.

rasterize draws a field on a detector, voxelize in a volume, step is a whole step of the fit. Times are medians; the
backends take turns, so that a busy machine is fair to all. forward is drawing, backward the gradients back to the
Gaussians; of a step, forward ends when all is drawn and compared.

peak MB is what one forward and backward needs beside its input, result and gradients included, measured in a process
of its own: how far the resident memory rises, on a GPU how much more torch has allocated. bandwidth and arithmetic are
shares (forward / backward) of what this device was measured to copy and to multiply: of the bytes that have to be read
or written at least once, and of the operations on samples inside a Gaussian's support.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.bench.cases import BACKENDS, BEAMS, GAUSSIANS, OPERATIONS, parse_names, parse_numbers
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import Method


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    sizes = ", ".join(f"{op} {size}" for op, size in OPERATIONS.items())
    counts = ",".join(map(str, GAUSSIANS))
    option = parser.add_argument
    option("--ops", default=",".join(OPERATIONS), metavar="LIST", help=f"of {','.join(OPERATIONS)} (default all)")
    option(
        "--backends", metavar="LIST", help=f"of {','.join(BACKENDS)}; native is the CPU's (default the device's own)"
    )
    option("--gaussians", default=counts, metavar="LIST", help=f"how many of them (default {counts})")
    option("--size", metavar="LIST", help=f"sides of the detector or the volume (default {sizes})")
    option("--geometry", default=",".join(BEAMS), metavar="LIST", help=f"of {','.join(BEAMS)} (default both)")
    option("--device", default="auto", help="auto, cpu or cuda (default auto)")
    option("--threads", metavar="LIST", help="how many of the CPU; 1,2 compares them (default as many as torch takes)")
    option("--repeats", default="7", metavar="N", help="turns of every backend (default 7)")
    option("--json", type=Path, metavar="FILE", help="write all figures there")


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    wanted: dict[str, Any] = {
        "ops": parse_names("operation", options.ops, OPERATIONS),
        "beams": parse_names("geometry", options.geometry, BEAMS),
        "gaussians": parse_numbers("gaussians", options.gaussians),
        "sizes": parse_numbers("size", options.size) if options.size is not None else (),
        "backends": parse_names("backend", options.backends, BACKENDS) if options.backends is not None else (),
        "repeats": parse_numbers("repeats", options.repeats)[0],
    }
    threads = parse_numbers("threads", options.threads) if options.threads is not None else ()
    device = Method(device=options.device).device
    if options.json is not None:
        _require_writable(options.json)
    import torch

    from CTSuperResolutionLib import machine
    from CTSuperResolutionLib.bench.benchmark import Request, benchmark

    threads = threads or (torch.get_num_threads(),)
    report = benchmark(Request(**wanted, threads=threads, device=machine.choose_device(device)), progress)
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
