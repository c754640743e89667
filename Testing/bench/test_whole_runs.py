"""Whole runs: that what is told of one is what its process did. No measured time is compared with a limit."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from CTSuperResolutionLib.bench import benchmark, table, whole_runs
from CTSuperResolutionLib.bench.whole_runs import RUNS, RunCase
from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.diffusion.networks.native_blocks import can_be_native
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.events import Progress

TINY = RunCase("tiny", (8, 24, 24), 2.0, 3, "3,1,1")


def test_a_scan_has_the_shape_and_spacing_of_its_case_and_lies_in_the_phantom() -> None:
    scan = TINY.scan(Progress())
    assert (scan.shape, scan.spacing) == ((8, 24, 24), (6.0, 2.0, 2.0))
    assert np.allclose(scan.origin, (-23.0, -23.0, -21.0))  # the middle of the first three slices of 24
    cube, thick = RUNS
    assert (cube.shape, cube.scale) == ((128, 128, 128), "4")
    assert (thick.shape, thick.spacing * thick.thick) == ((86, 512, 512), pytest.approx(5.0, abs=1e-3))


def test_operations_are_those_of_the_convolutions_and_a_quarter_of_those_that_are_filtered() -> None:
    network = ResidualDenoiser(blocks=3, acquisition=True).eval().requires_grad_(False)
    prior = Prior(network, NoiseSchedule.linear(), "")
    features = torch.zeros(1, 48, 4, 4)
    share = 1 / 4 if can_be_native(network.body, features) else 1
    ends, blocks = 2 * 9 * 4 * 48, 3 * 2 * 9 * 48 * 48
    found = whole_runs.operations_a_pixel(prior)
    assert found == pytest.approx(2 * (ends + share * blocks) / 4, rel=0.02)  # in patches of 2 x 2; FiLM is the rest


@pytest.mark.slow
def test_a_run_is_told_by_its_stages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "RUNS", (TINY,))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = tmp_path / "bench.json"
    assert main(["bench", "--ops", "run", "--device", "cpu", "--json", str(file)]) == 0
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["rows"] == []
    (run,) = report["runs"]
    assert (run["op"], run["case"], run["slabs"]) == ("run", "tiny", 1)
    taken = run["stages"]
    assert list(taken)[-1] == "write" and {"load", "restore", "fit"} <= taken.keys()
    assert 0 < sum(stage["seconds"] for stage in taken.values()) <= run["seconds"]
    assert run["peak_mb"] == pytest.approx(max(stage["peak_mb"] for stage in taken.values()), rel=0.1)
    assert 0 < run["processor"] <= 1.05 and 0 < run["arithmetic"] < 1
    cores = os.cpu_count() or 1
    used = sum(stage["processor"] * stage["seconds"] * cores for stage in taken.values())
    assert 0 < used <= 1.05 * run["processor"] * run["seconds"] * cores
    assert "run tiny" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == [file]


def test_a_run_that_fails_says_why_and_a_cancelled_one_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(JobError, match=r"tiny did not come to its end: .*11"):
        whole_runs.measure_run(RunCase("tiny", (8, 24, 24), 2.0, 3, "11"), torch.device("cpu"), Progress())

    before = set(psutil.Process().children())

    class Stopped(Progress):
        def check(self) -> None:
            if set(psutil.Process().children()) - before:
                raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        whole_runs.measure_run(TINY, torch.device("cpu"), Stopped())
    assert not set(psutil.Process().children()) - before
    assert list(tmp_path.iterdir()) == []


def test_a_table_has_a_line_for_every_stage() -> None:
    stage = {"seconds": 2.0, "peak_mb": 300.0, "processor": 0.5}
    run = {
        "case": "tiny",
        "seconds": 4.0,
        "peak_mb": 400.0,
        "estimated_mb": 500.0,
        "slabs": 3,
        "processor": 0.75,
        "arithmetic": 0.25,
        "stages": {"restore": stage},
    }
    first, second = table.format_run(run).splitlines()
    assert first == (
        "run tiny: 4 s in 3 slabs, peak 400 MB (500 estimated for all at once), 75 % of the cores, "
        "25 % of the arithmetic"
    )
    assert second == "  restore     2.0 s, 50 % of the cores"
    empty = {"device": {"name": "CPU"}, "versions": {"x": "1"}, "rates": [], "rows": [], "left_out": []}
    assert table.format_report({**empty, "runs": [run]}).splitlines() == ["CPU, x 1", "", first, second]
