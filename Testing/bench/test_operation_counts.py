"""Operation counts against the kernels' own source, and the shares of a machine that follow."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.footprints import Footprints
from CTSuperResolutionLib.bench.operation_counts import BACKWARD_SAMPLE, FORWARD_SAMPLE, GAUSSIAN, OperationCounts
from CTSuperResolutionLib.bench.roofline import Rates, measure_rates
from CTSuperResolutionLib.bench.scenes import make_footprints

HERE = Path(__file__).resolve().parent


def test_operations_of_a_gaussian_are_those_of_the_header(tmp_path):
    """Counted by a C++ type that counts; within a tenth, for the figures are shares and not a proof."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "count"
    include = HERE.parents[1] / "CUDAKernels"
    subprocess.run(
        [compiler, "-std=c++17", f"-I{include}", str(HERE / "count_operations.cpp"), "-o", str(program)], check=True
    )
    counted = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    for line in counted.splitlines():
        name, forward, backward = line.split()
        stated = GAUSSIAN[None if name == "grid" else name]
        assert stated == pytest.approx((int(forward), int(backward)), rel=0.1), name
    assert len(counted.splitlines()) == len(GAUSSIAN)


def test_operations_of_one_gaussian():
    """Counted by hand: a ball in the middle of a grid of 32³ voxels of 1/16, four deviations of 1.25 voxels wide."""
    case = BenchmarkCase("voxelize", None, 1, 32)
    scale = torch.full((1, 3), 1.25 / 16).log()
    field = [torch.zeros(1, 3), scale, torch.tensor([[1.0, 0, 0, 0]]), torch.ones(1)]
    from CTSuperResolutionLib.bench.scenes import make_grid

    counts = OperationCounts.of(case, Footprints.on_grid(field, make_grid(case)))
    at = torch.arange(32) - 15.5
    distance = at[:, None, None] ** 2 + at[:, None] ** 2 + at**2
    inside = int((distance <= 25).sum())
    assert counts.samples == inside
    assert counts.flops == {
        "forward": FORWARD_SAMPLE * inside + GAUSSIAN[None][0],
        "backward": BACKWARD_SAMPLE * inside + GAUSSIAN[None][1],
    }
    assert counts.bytes == {"forward": 44 + 4 * 32**3, "backward": 88 + 4 * 32**3}


def test_shares_of_a_machine():
    case = BenchmarkCase("rasterize", "cone", 100, 32)
    counts = OperationCounts.of(case, make_footprints(case))
    rates = Rates(bandwidth=2e9, flops=1e10)
    bandwidth, arithmetic = counts.shares("backward", 0.5, rates)
    assert bandwidth == pytest.approx((2 * 4400 + 4 * 32 * 32) / (0.5e-3 * 2e9))
    assert arithmetic == pytest.approx(counts.flops["backward"] / (0.5e-3 * 1e10))


def test_a_device_s_rates_are_what_can_be():
    rates = measure_rates(torch.device("cpu"))
    assert 1e8 < rates.bandwidth < 1e13 and 1e8 < rates.flops < 1e15
    assert torch.get_float32_matmul_precision() == "highest"
    assert rates.higher(Rates(1.0, 1e18)) == Rates(rates.bandwidth, 1e18)
