"""Peak memory, from child processes, against what is known to be needed."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from CTSuperResolutionLib.bench import peak_memory
from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.peak_memory import MemoryProbe
from CTSuperResolutionLib.gaussians.backends.choice import choose_backend

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def probe():
    with MemoryProbe() as probe:
        yield probe


def test_the_result_is_counted_and_each_call_for_itself(probe):
    """A volume of 160³ floats is 16.4 MB; the smaller one after it does not count what the larger one left."""
    if choose_backend(CPU).name != "native":
        pytest.skip("the CPU library is not built")
    large = probe.peak_mb(BenchmarkCase("voxelize", None, 100, 160), "native", CPU)
    small = probe.peak_mb(BenchmarkCase("voxelize", None, 100, 80), "native", CPU)
    assert 15.9 < large < 24  # Linux counts pages of each core for itself and adds them up late
    assert 1.5 < small < 6
    again = probe.peak_mb(BenchmarkCase("voxelize", None, 100, 160), "native", CPU)
    assert again == pytest.approx(large, rel=0.1)


def test_the_reference_s_windows_are_counted(probe):
    few = probe.peak_mb(BenchmarkCase("rasterize", "parallel", 5_000, 64), "torch", CPU)
    many = probe.peak_mb(BenchmarkCase("rasterize", "parallel", 20_000, 64), "torch", CPU)
    assert 2.5 * few < many < 6 * few


def test_a_child_that_dies_leaves_no_figure_and_the_next_one_is_measured(monkeypatch):
    start = peak_memory._start
    dying = [sys.executable, "-c", "import sys; sys.stdin.readline()"]

    def start_dying():
        pipe = subprocess.PIPE
        return subprocess.Popen(dying, stdin=pipe, stdout=pipe, text=True)

    with MemoryProbe() as probe:
        monkeypatch.setattr(peak_memory, "_start", start_dying)
        assert probe.peak_mb(BenchmarkCase("rasterize", "parallel", 10, 16), "torch", CPU) is None
        monkeypatch.setattr(peak_memory, "_start", start)
        assert probe.peak_mb(BenchmarkCase("rasterize", "parallel", 10, 16), "torch", CPU) is not None
