"""Roofline of a device, measured here: the most bytes moved and operations done in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from CTSuperResolutionLib.bench.timing import stopwatch

COPIED = {"cpu": 2**27, "cuda": 2**30}  # bytes: beyond what any cache holds
MATRIX = {"cpu": 1024, "cuda": 8192}
RUNS = 10


@dataclass(frozen=True)
class Rates:
    """A device's measured limits.

    Attributes:
        bandwidth: bytes read and written in a second, by copying memory.
        flops: float32 operations in a second, a fused multiply-add being two, by a product of matrices.
    """

    bandwidth: float
    flops: float

    def higher(self, other: Rates) -> Rates:
        """The higher of each."""
        return Rates(max(self.bandwidth, other.bandwidth), max(self.flops, other.flops))


def measure_rates(device: torch.device) -> Rates:
    """Of a device, with torch's number of threads on a CPU; takes a second or so."""
    return Rates(_bandwidth(device), _flops(device))


def _bandwidth(device: torch.device) -> float:
    source = torch.ones(COPIED[device.type] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED[device.type] / _fastest(device, lambda: target.copy_(source))


def _flops(device: torch.device) -> float:
    n = MATRIX[device.type]
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")  # in float32, not in what a GPU's tensor cores take for it
    try:
        return 2 * n**3 / _fastest(device, lambda: torch.mm(a, b))
    finally:
        torch.set_float32_matmul_precision(before)


def _fastest(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs: a limit is what can be reached."""
    watch = stopwatch(device)
    seconds = []
    work()
    for _ in range(RUNS):
        watch.start()
        work()
        watch.mark()
        seconds.append(watch.laps()[0] / 1e3)
    return min(seconds)
