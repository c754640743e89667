"""``ctsr bench`` as it is typed. No measured time is looked at: only that there is one."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from CTSuperResolutionLib.bench import limits
from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.gaussians.backends.choice import choose_backend

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--gaussians", "60", "--size", "24", "--repeats", "2", "--device", "cpu"]
NUMBERS = ("forward_ms", "backward_ms", "peak_mb")
SHARES = ("forward_bandwidth", "forward_arithmetic", "backward_bandwidth", "backward_arithmetic")
HERE = {"torch", choose_backend(torch.device("cpu")).name}


@pytest.fixture
def bench(capfd):
    """Run the command in this process: its exit code, standard output and standard error."""

    def run(*arguments):
        capfd.readouterr()
        code = main(["bench", *map(str, arguments)])
        return code, *capfd.readouterr()

    return run


@pytest.mark.slow
def test_everything_is_measured_and_written(bench, tmp_path):
    file = tmp_path / "bench.json"
    code, out, err = bench(*TINY, "--geometry", "parallel", "--threads", "1,2", "--json", file)
    assert code == 0, err
    report = json.loads(file.read_text())
    keys = [(row["op"], row["geometry"], row["backend"], row["threads"]) for row in report["rows"]]
    assert len(keys) == len(set(keys)) == 3 * len(HERE) * 2
    assert {row["backend"] for row in report["rows"]} == HERE
    for row in report["rows"]:
        assert all(math.isfinite(row[name]) and row[name] >= 0 for name in NUMBERS), row
        assert row["forward_ms"] >= row["fastest_ms"]["forward"] > 0
        assert row["backward_ms"] >= row["fastest_ms"]["backward"] > 0
        assert (row["gaussians"], row["size"], row["device"]) == (60, 24, "cpu")
        if row["op"] == "step":  # does more than render; the least it takes is not counted
            assert all(row[name] is None for name in SHARES)
        else:
            assert row["samples"] > 60 and all(0 < row[name] < math.inf for name in SHARES)
    assert report["device"]["type"] == "cpu" and report["device"]["name"]
    assert report["versions"]["torch"] == torch.__version__ and report["versions"]["Python"]
    assert report["threads"] == [1, 2] and {rate["threads"] for rate in report["rates"]} == {1, 2}
    assert all(rate["bandwidth_gb_s"] > 0 and rate["gflop_s"] > 0 for rate in report["rates"])
    lines = [line.split()[0] for line in out.splitlines() if line.split()]
    assert [lines.count(op) / len(HERE) for op in ("rasterize", "voxelize", "step")] == [2, 2, 2]
    bench(*TINY, "--ops", "rasterize", "--json", file)  # an earlier benchmark may be replaced
    assert {row["op"] for row in json.loads(file.read_text())["rows"]} == {"rasterize"}


def test_as_events_from_a_child_process():
    command = [sys.executable, "-m", "CTSuperResolutionLib", "bench", *TINY]
    command += ["--ops", "rasterize", "--geometry", "cone", "--backends", "torch", "--events", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=100, stdin=subprocess.DEVNULL)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [event["event"] for event in events].count("result") == 1 and events[-1]["event"] == "result"
    (row,) = events[-1]["rows"]
    assert (row["op"], row["geometry"], row["backend"], row["threads"]) == ("rasterize", "cone", "torch", 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ops", "rasterise"], "nearest is 'rasterize'"),
        (["--backends", "torch,nativ"], "nearest is 'native'"),
        (["--geometry", "fan"], "There is no geometry 'fan'"),
        (["--gaussians", "many"], "not 'many'"),
        (["--device", "gpu"], "There is no device 'gpu'"),
        (["--ops", ""], "names no operation"),
    ],
)
def test_what_cannot_be_is_answered_in_one_sentence(bench, arguments, says):
    code, out, err = bench(*arguments)
    assert code == 2 and out == "" and says in err and len(err.splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_kernels_that_do_not_run_here(bench):
    code, _, err = bench(*TINY, "--ops", "rasterize", "--backends", "torch,cuda")
    assert code == 2 and "The backend cuda does not work here" in err and "--backends torch." in err
    code, _, err = bench("--device", "cuda")
    assert code == 2 and "--device cpu" in err


def test_a_file_of_the_user_s_is_not_replaced(bench, tmp_path):
    file = tmp_path / "scan.json"
    file.write_text('{"mine": 1}')
    code, _, err = bench(*TINY, "--json", file)
    assert code == 2 and "would be replaced" in err and file.read_text() == '{"mine": 1}'
    code, _, err = bench(*TINY, "--json", tmp_path / "nowhere" / "bench.json")
    assert code == 2 and "cannot be written" in err
    code, _, err = bench("--ops", "none", "--json", tmp_path / "new.json")
    assert code == 2 and not (tmp_path / "new.json").exists()


def test_what_is_too_large_for_this_machine_is_left_out_and_said(bench, monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 3_000_000)
    code, out, err = bench(*TINY, "--ops", "voxelize", "--backends", "torch", "--gaussians", "2000")
    assert code == 0 and "Nothing was measured." in out
    said = "voxelize 2,000 Gaussians 24³ with torch: it needs about"
    assert said in out and said in err


def test_what_would_take_minutes_is_left_out_and_said(bench, monkeypatch):
    monkeypatch.setattr(limits, "LONGEST_RUN", 1e-9)
    code, out, _ = bench(*TINY, "--ops", "rasterize", "--geometry", "cone", "--threads", "1,2")
    assert code == 0 and out.count("with torch: one run of it would take about") == 1
