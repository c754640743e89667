"""``ctsr evaluate`` as it is typed."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.cli import evaluate as evaluate_command
from CTSuperResolutionLib.cli.main import main, make_parser
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.prior import save_prior
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.output.folder import PREFIX

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--scale", "2", "--iso", "0", "--preset", "preview", "--device", "cpu"]
for setting in ("views=6", "iterations=3", "ddim_steps=1", "gaussians=500", "max_gaussians=1000"):
    TINY += ["--set", setting]


@pytest.fixture
def evaluate(capfd, monkeypatch, tmp_path):
    """Run the command in this process: its exit code, standard output and standard error."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*arguments):
        capfd.readouterr()
        code = main(["evaluate", *map(str, arguments)])
        assert not list((tmp_path / "temporary").iterdir())  # no volume stays, whatever happens
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def prior(tmp_path):
    """The folder of an untrained, very small prior that has seen the chest."""
    save_prior(ResidualDenoiser(channels=8, blocks=1), tmp_path / "small", card={"ct": ["chest"]})
    return tmp_path / "small"


def _rows(out):
    with (out / "results.csv").open(newline="") as file:
        return {row["method"]: row for row in csv.DictReader(file)}


@pytest.mark.slow
def test_methods_are_run_scored_and_tabulated(evaluate, cts, prior, tmp_path):
    out = tmp_path / "out"
    arguments = [cts, out, *TINY, "--prior", prior, "--keep-volumes", "--methods"]
    code, _, err = evaluate(*arguments, "cubic,nab-gs")
    assert code == 0, err
    assert {p.name for p in out.iterdir()} == {
        "cases", "figure-chest-2.png", "results.csv", "results.json", "table.md"
    }  # fmt: skip
    rows = _rows(out)
    # The scores against the volumes that were kept and the CT itself, which the protocol leaves as it is.
    truth = np.clip(sitk.GetArrayFromImage(sitk.ReadImage(str(cts / "chest.nrrd"))).astype(float), -512, 3071)
    for method, row in rows.items():
        image = sitk.ReadImage(str(out / "cases" / "chest-2" / f"{method}.nrrd"))
        assert image.GetSpacing() == (6.0, 6.0, 6.0) and image.GetMetaData("CTSR_volume") == method
        assert json.loads(image.GetMetaData("CTSR_job"))["case"] == "chest-2"
        result = np.clip(sitk.GetArrayFromImage(image).astype(float), -512, 3071)
        expected = -10 * np.log10(np.mean(((result - truth) / 3583) ** 2))
        assert float(row["psnr_db"]) == pytest.approx(expected, abs=0.01)
        assert float(row["seconds"]) >= 0 and float(row["peak_mb"]) > 50
    assert rows["nab-gs"]["prior"] == "small" and rows["nab-gs"]["seen"] == "True"
    assert rows["cubic"]["prior"] == "" and rows["cubic"]["seen"] == "False"
    assert "†" in (out / "table.md").read_text(encoding="utf-8")
    before = {p: p.stat().st_mtime_ns for p in (out / "cases").rglob("*.json")}
    code, _, err = evaluate(*arguments, "cubic,nab-gs,consistent")  # goes on: only what is missing is done
    assert code == 0 and "2 of 3 results are there already." in err
    after = {p: p.stat().st_mtime_ns for p in (out / "cases").rglob("*.json")}
    assert len(after) == 3 and before.items() <= after.items()
    assert float(_rows(out)["consistent"]["psnr_db"]) > float(rows["cubic"]["psnr_db"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--methods", "cubic,nabgs"], "There is no method 'nabgs'; the nearest is 'nab-gs'"),
        (["--scale", "isotropic"], "Whole factors"),
        (["--scale", "2", "2.5"], "The scale '2.5'"),
        (["--scale", "1,2,4", "--methods", "views-cubic"], "two of them equal"),
        (["--scale", "4", "--scale", "2"], "The CT chest is too small"),  # the last is not the only one
        (["--scale", "4"], "The CT chest is too small"),
        (
            ["--iso", "1"],
            "6 x 6 x 6 mm (z, y, x), so that a reference at 1 mm would be an upsampled one and no truth; "
            "choose --iso 6 or --iso 0, which keeps each CT's own voxels, or leave the CT out.",
        ),
        (["--crop", "8,8"], "The crop '8,8'"),
        (["--noise", "-1"], "--noise is to be from 0"),
        (["--iso", "nan"], "--iso is to be from 0"),
        (["--engine", "spark"], "There is no engine 'spark'"),
        (["--set", "viewz=3"], "nearest is 'views'"),
        (["--set", "null_space=0.5", "--methods", "cubic,no-prior"], "no-prior sets the parameter null_space to 0"),
        (["--prior", "shiped"], "nearest is 'shipped'"),
        (["--prior", ".", "--priors", "map.json"], "not allowed with"),
        (["--priors", "nowhere.json"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_answered_in_one_sentence(evaluate, cts, tmp_path, arguments, says):
    code, out, err = evaluate(cts, tmp_path / "out", *TINY, "--methods", "cubic", *arguments)
    (sentence,) = [line for line in err.splitlines() if line.startswith("ctsr: ")]
    assert code == 2 and out == "" and says in sentence and err.endswith(f"{sentence}\n")
    assert not (tmp_path / "out").exists()


def test_folders_without_a_ct_and_files_that_are_none(evaluate, tmp_path):
    (tmp_path / "cts").mkdir()
    code, _, err = evaluate(tmp_path / "cts", tmp_path / "out", *TINY)
    assert code == 2 and "There is no CT in" in err
    (tmp_path / "cts" / "broken.nrrd").write_text("NRRD0004\nnonsense\n")
    code, _, err = evaluate(tmp_path / "cts", tmp_path / "out", *TINY, "--methods", "cubic")
    assert code == 2 and "broken.nrrd" in err
    assert not (tmp_path / "out").exists()


def test_a_setting_that_a_method_has_as_well_is_none_to_refuse():
    settings = ["--set", "null_space=0", "--methods", "no-prior", "--set", "views=9"]
    found = evaluate_command._checked(make_parser().parse_args(["evaluate", "cts", "out", *settings]))
    assert found["scales"] == ("4", "8") and found["settings"] == {"null_space": "0", "views": "9"}


def test_without_memory_the_sentence_advises_options_that_there_are(evaluate, cts, tmp_path, monkeypatch):
    def exhaust(protocol, ct):
        raise MemoryError

    monkeypatch.setattr(EvaluationProtocol, "reference", exhaust)
    code, _, err = evaluate(cts, tmp_path / "out", *TINY, "--methods", "cubic")
    assert code == 2 and "ctsr: The memory ran out; choose a larger --iso or a smaller --crop.\n" in err


@pytest.mark.slow
def test_a_method_that_fails_is_named_and_the_others_stay(evaluate, cts, prior, tmp_path, monkeypatch):
    """The prior goes after it was looked at; what came before is kept."""
    from CTSuperResolutionLib.evaluation import evaluate as module

    looked = module.look_at_prior

    def look_and_lose(name):
        found = looked(name)
        (prior / "diffusion_pytorch_model.safetensors").unlink()
        return found

    monkeypatch.setattr(module, "look_at_prior", look_and_lose)
    code, _, err = evaluate(cts, tmp_path / "out", *TINY, "--prior", prior, "--methods", "cubic,nab-gs")
    assert code == 2 and "nab-gs on chest-2: The prior" in err
    left = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert left == {"cases/chest-2/cubic.json", "cases/chest-2/cubic.npy"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_stopping_ends_the_child_and_leaves_no_volume(cts, tmp_path, how):
    """Asked to stop, and killed without a word."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    long = [*TINY, "--methods", "no-prior", "--set", "iterations=100000", "--events", "json"]
    command = [sys.executable, "-m", "CTSuperResolutionLib", "evaluate", str(cts), str(tmp_path / "out"), *long]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
    try:
        for line in process.stdout:
            if json.loads(line).get("stage") == "chest-2":
                break
        children = _workers(process.pid)
        assert list(temporary.glob(f"{PREFIX}*/chest-2.npz"))
        if how == "cancel":
            process.stdin.write(b"cancel\n")
            process.stdin.flush()
        else:
            process.kill()
        assert process.wait(timeout=20) == (3 if how == "cancel" else -9)
        gone, alive = psutil.wait_procs(children, timeout=20)
        assert gone and not alive
        _wait_until(lambda: not list(temporary.glob(f"{PREFIX}*")))
        if how == "cancel":
            assert not (tmp_path / "out").exists()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_ray_comes_to_the_same_scores(evaluate, cts, tmp_path):
    arguments = [*TINY, "--methods", "cubic,no-prior"]
    rows = {}
    for engine in ("local", "ray"):
        code, _, err = evaluate(cts, tmp_path / engine, *arguments, "--engine", engine)
        assert code == 0, err
        rows[engine] = _rows(tmp_path / engine)
    for method in ("cubic", "no-prior"):
        assert rows["ray"][method]["psnr_db"] == rows["local"][method]["psnr_db"]


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_sentence_says_what_to_install(evaluate, cts, tmp_path):
    code, _, err = evaluate(cts, tmp_path / "out", *TINY, "--methods", "cubic", "--engine", "ray")
    assert code == 2 and 'pip install "ctsuperresolution[ray]"' in err


def _workers(parent):
    """The children of a process that do a task."""
    found = []

    def look():
        found[:] = [p for p in psutil.Process(parent).children() if any("evaluation.child" in a for a in p.cmdline())]
        return bool(found)

    _wait_until(look)
    return found


def _wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
