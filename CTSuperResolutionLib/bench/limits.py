"""Limits of memory and time beyond which a benchmark case is left out on this machine."""

from __future__ import annotations

import math

import torch

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.footprints import Footprints
from CTSuperResolutionLib.job.memory import free_memory

# The reference implementation evaluates whole windows; measured with 10,000 to 50,000 Gaussians on two cores, and
# rounded up.
REFERENCE_BYTES_A_SAMPLE = 36
REFERENCE_NANOSECONDS_A_SAMPLE = 30
LONGEST_RUN = 20  # seconds, on a CPU: at least four are taken
# The kernels' lists and workspace, and the arrays that are there at a time: result, gradient, and a copy to spare.
KERNEL_BYTES_A_GAUSSIAN = 1000
ARRAYS = 3
SHARE = 0.8  # of the free memory that may be used


def reason_to_skip(case: BenchmarkCase, backend: str, device: torch.device, footprints: Footprints) -> str | None:
    """Why a backend is not measured on a case, as the end of a sentence; None where it is."""
    need = ARRAYS * 4 * math.prod(footprints.shape) + KERNEL_BYTES_A_GAUSSIAN * case.gaussians
    if backend == "torch":
        samples = footprints.window_samples()
        need += REFERENCE_BYTES_A_SAMPLE * samples
        seconds = REFERENCE_NANOSECONDS_A_SAMPLE * samples / 1e9
        if device.type == "cpu" and seconds > LONGEST_RUN:
            return f"one run of it would take about {seconds:.0f} s"
    free = _free(device)
    if free is not None and need > SHARE * free:
        return f"it needs about {need / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free"
    return None


def _free(device: torch.device) -> int | None:
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what torch keeps for later is free, also for the process that measures memory
        return torch.cuda.mem_get_info(device)[0]
    return free_memory()
