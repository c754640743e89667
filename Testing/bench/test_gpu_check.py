"""The GPU check, tried on a CPU; and what it makes of its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

CARD = {"name": "NVIDIA H200"}


def check(folder, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    command = [sys.executable, str(folder / "gpu_check.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["", "safetensors,gsplat,matplotlib,PIL,psutil,SimpleITK,skimage"])
def test_the_whole_check_in_small(benchmarks_folder, tmp_path, missing):
    """With all packages, and with those that a machine for CUDA usually lacks."""
    done = check(benchmarks_folder, "--quick", "--device", "cpu", "--out", tmp_path, "--without", missing)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = tmp_path.glob("*-quick.json")
    found = json.loads(file.read_text())
    assert found["errors"] == {} and found["quick"]
    assert {row["op"] for row in found["rows"]} == {"rasterize", "voxelize", "step"}
    assert found["whole"]["output"] == [48, 48, 48] and found["whole"]["seconds"] > 0
    if missing:
        assert any(line.startswith("Slabs, which need safetensors") for line in found["left_out"])
    else:
        assert found["slabs"]["in_slabs"]["slabs"] > 1 == found["slabs"]["at_once"]["slabs"]
        assert found["slabs"]["output"] == [160, 40, 40] and found["slabs"]["largest_hu"] <= 1
    assert found["fit"]["relative_error"]["end"] < found["fit"]["relative_error"]["start"]
    verdicts = {target["name"]: target["passed"] for target in found["targets"]}
    assert verdicts["largest value error"] and verdicts["largest gradient error"]
    assert verdicts["fit, seconds on an H200"] is None  # neither the card nor the size
    assert "[" in done.stdout and "the whole case: fit" in done.stdout  # it tells how far it is
    assert found["whole"]["complete"] == (not missing)
    for package in ("safetensors", "gsplat"):
        assert (package in found["missing_packages"]) == (package in missing)
        assert any(f"pip install {package}" in line for line in found["left_out"]) == (package in missing)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(benchmarks_folder, tmp_path):
    done = check(benchmarks_folder, "--out", tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert not list(tmp_path.iterdir())
    done = check(benchmarks_folder, "--device", "cpu", "--out", tmp_path)
    assert done.returncode == 2 and "--quick" in done.stderr


def judged(benchmarks_folder, found, *, timed=True):
    from gpu_targets import judge

    return {target["name"]: target["passed"] for target in judge({"device": CARD, **found}, timed=timed)}


def test_targets_are_judged(benchmarks_folder):
    good = {"value": 9e-6, "gradient": 9e-5, "repeatable": True}
    verdicts = judged(benchmarks_folder, {"agreement": good, "fit": {"seconds": 24.0}, "whole": {"seconds": 91.0}})
    assert verdicts["largest value error"] is verdicts["largest gradient error"] is True
    assert verdicts["the same twice, bit for bit"] is True
    assert verdicts["fit, seconds on an H200"] is True and verdicts["whole, seconds on an H200"] is False
    assert verdicts["backend tests"] is None
    bad = {"value": 2e-5, "gradient": 2e-4, "repeatable": False}
    verdicts = judged(benchmarks_folder, {"agreement": bad, "tests": {"passed": False, "summary": "1 failed"}})
    assert list(verdicts.values())[:4] == [False] * 4


@pytest.mark.parametrize(
    "found",
    [
        {"whole": {"seconds": 1.0, "complete": False}},  # without the prior
        {"whole": {"seconds": 1.0}, "device": {"name": "NVIDIA GeForce RTX 3060"}},
        {"whole": {}},
    ],
)
def test_what_cannot_be_judged_is_not(benchmarks_folder, found):
    assert judged(benchmarks_folder, found)["whole, seconds on an H200"] is None


def test_slabs_are_the_same_as_all_at_once_and_take_less(benchmarks_folder):
    found = {"largest_hu": 0.5, "in_slabs": {"gpu_peak_mb": 40.0}, "at_once": {"gpu_peak_mb": 100.0}}
    names = ["slabs against all at once, HU", "GPU memory of slabs over all at once"]
    verdicts = [judged(benchmarks_folder, {"slabs": found | more}) for more in ({}, {"largest_hu": 2.0})]
    assert [[each[name] for name in names] for each in verdicts] == [[True, True], [False, True]]
    greedy = judged(benchmarks_folder, {"slabs": found | {"in_slabs": {"gpu_peak_mb": 90.0}}})
    assert greedy[names[1]] is False and judged(benchmarks_folder, {})[names[0]] is None
    assert judged(benchmarks_folder, {"slabs": found}, timed=False)[names[1]] is None


def test_a_small_case_passes_no_time(benchmarks_folder):
    assert judged(benchmarks_folder, {"fit": {"seconds": 1.0}}, timed=False)["fit, seconds on an H200"] is None


def test_kernels_are_held_to_half_of_their_roofline(benchmarks_folder):
    row = {"op": "rasterize", "backend": "cuda", "geometry": "cone", "gaussians": 10, "size": 64}
    row |= {"forward_bandwidth": 0.1, "forward_arithmetic": 0.6, "backward_bandwidth": 0.2, "backward_arithmetic": 0.3}
    verdicts = judged(benchmarks_folder, {"rows": [row, {**row, "backend": "torch"}]})
    assert verdicts["rasterize cone 10 64 forward, share of the roofline"] is True
    assert verdicts["rasterize cone 10 64 backward, share of the roofline"] is False
    assert sum("roofline" in name for name in verdicts) == 2  # not of the reference


def test_a_missing_package_can_be_named_but_not_used(benchmarks_folder, monkeypatch):
    from absent_packages import AbsentPackages

    source = "from gsplat.strategy import ops\nimport gsplat.other as other\n"
    library = {"__name__": "CTSuperResolutionLib.pretended"}
    for name in [name for name in sys.modules if name.partition(".")[0] == "gsplat"]:
        monkeypatch.delitem(sys.modules, name)
    with AbsentPackages(["gsplat", "numpy"], ["gsplat"]) as absent:
        exec(source, library)
    assert absent.asked == ["gsplat"]
    assert "gsplat" not in sys.modules  # what is imported later gets the real answer
    for use in (lambda: library["ops"](), lambda: library["ops"].split, lambda: library["other"].Anything()):
        with pytest.raises(ModuleNotFoundError, match="gsplat is not installed"):
            use()
