"""The other commands: demo, degrade, info, train-prior, and the help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndi
import SimpleITK as sitk
from PIL import Image

Ctsr = Callable[..., object]


def test_help_lists_every_parameter_with_its_defaults(ctsr_here: Ctsr, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ctsr_here("run", "--help")
    text = capfd.readouterr().out
    assert ended.value.code == 0
    assert "24, 24, 24, 100" in text and "lambda_tv" in text and "lanczos|mean" in text
    assert "uncertainty.nrrd" in text


@pytest.mark.parametrize("value", [["-4GB"], []])
def test_an_option_without_a_value_says_how_a_negative_one_is_given(ctsr_here: Ctsr, value: list[str]) -> None:
    ended = ctsr_here("run", "scan.nrrd", "out", "--memory", *value)
    assert ended.code == 2
    assert ended.err.strip().endswith(
        "--memory takes a value, and one that begins with a minus as --memory=VALUE; see 'ctsr run --help'."
    )


def test_demo_makes_and_scores_a_phantom(
    ctsr_here: Ctsr, prior: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a smaller phantom and less work; the figures are checked against the files that were written."""
    from CTSuperResolutionLib import phantom

    full = phantom.thorax
    monkeypatch.setattr(phantom, "thorax", lambda seed: full(shape=(32, 48, 48), spacing=3.0, seed=seed))
    fewer = ["--set", "views=8", "--set", "iterations=3", "--set", "gaussians=500", "--set", "ddim_steps=1"]
    ended = ctsr_here("demo", tmp_path / "out", "--prior", prior, "--events", "json", *fewer)
    assert ended.code == 0, ended.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    volumes = {"sr.nrrd", "cubic.nrrd", "measured.nrrd", "truth.nrrd", "scan.nrrd"}
    assert names == volumes | {"compare.png", "report.html", "result.json"}
    assert ended.events[-1]["report"]["job"]["preset"] == "preview"
    for name in ("truth", "scan"):
        image = sitk.ReadImage(str(tmp_path / "out" / f"{name}.nrrd"))
        assert image.GetMetaData("CTSR_volume") == {"truth": "truth", "scan": "degraded"}[name]
        assert json.loads(image.GetMetaData("CTSR_job"))["seed"] == 0

    def unit(name: str) -> np.ndarray:
        array = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / name), sitk.sitkFloat64))
        return (np.clip(array, -512, 3071) + 512) / 3583

    scores = ended.events[-1]["report"]["scores"]
    for name, file in (("cubic", "cubic.nrrd"), ("super-resolved", "sr.nrrd")):
        expected = -10 * np.log10(np.mean((unit(file) - unit("truth.nrrd")) ** 2))
        assert scores[name]["psnr_db"] == pytest.approx(expected, abs=0.01)
        assert 0 < scores[name]["ssim"] < 1


def test_degrade_is_the_paper_s_protocol(ctsr_here: Ctsr, tmp_path: Path) -> None:
    """Against a Gaussian by scipy and an explicit Lanczos-5 sum at one coarse voxel; geometry by ITK's own rule."""
    rng = np.random.default_rng(3)
    hu = ndi.gaussian_filter(rng.normal(0, 3000, (40, 48, 64)), 1).astype(np.float32)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((10, -20, 30))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / "fine.nrrd"))
    ended = ctsr_here("degrade", tmp_path / "fine.nrrd", tmp_path / "coarse.nrrd", "--scale", "1,4,4")
    assert ended.code == 0, ended.err
    coarse = sitk.ReadImage(str(tmp_path / "coarse.nrrd"))
    assert coarse.GetSize() == (16, 12, 40)
    assert np.allclose(coarse.GetSpacing(), (2.0, 3.0, 2.0))
    assert np.allclose(coarse.GetOrigin(), image.TransformContinuousIndexToPhysicalPoint((1.5, 1.5, 0.0)))
    assert coarse.GetDirection() == image.GetDirection()
    blurred = ndi.gaussian_filter(np.clip(hu, -1024, 3071), (0, 1, 1), mode="nearest", truncate=4.0)
    at_y, at_x = 6 * 4 + 1.5, 8 * 4 + 1.5
    lanczos = [
        np.sinc((np.arange(n) - at) / 4) * np.sinc((np.arange(n) - at) / 20) * (abs(np.arange(n) - at) < 20)
        for n, at in ((48, at_y), (64, at_x))
    ]
    expected = np.einsum("zyx,y,x->z", blurred, *(weights / weights.sum() for weights in lanczos))
    found = sitk.GetArrayFromImage(coarse)[:, 6, 8]
    assert np.abs(found - expected).max() <= 0.51  # written as whole HU


def test_degraded_volumes_say_how_they_were_made(
    ctsr_here: Ctsr, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scan.parent)
    options = ["--scale", "1,1,2", "--blur", "0.5", "--noise", "7", "--seed", "3"]
    assert ctsr_here("degrade", scan.name, tmp_path / "coarse.nrrd", *options).code == 0
    image = sitk.ReadImage(str(tmp_path / "coarse.nrrd"))
    assert "not for diagnosis" in image.GetMetaData("CTSR_note") and image.GetMetaData("CTSR_volume") == "degraded"
    assert image.GetMetaData("CTSR_version")
    told = json.loads(image.GetMetaData("CTSR_job"))
    expected = {"command": "degrade", "input": "scan.nrrd", "scale": "1,1,2", "kernel": "lanczos", "blur": 0.5}
    assert told == expected | {"noise_hu": 7, "seed": 3, "series": None, "allow_unusual": False}


def test_degrade_adds_noise_of_the_given_strength_and_seed(ctsr_here: Ctsr, scan: Path, tmp_path: Path) -> None:
    read = {}
    for name, extra in (("clean", []), ("noisy", ["--noise", "40"]), ("again", ["--noise", "40"])):
        path = tmp_path / f"{name}.nrrd"
        assert ctsr_here("degrade", scan, path, "--scale", "1,1,2", "--kernel", "mean", *extra).code == 0
        read[name] = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(float)
    assert (read["noisy"] - read["clean"]).std() == pytest.approx(40, rel=0.1)
    assert np.array_equal(read["noisy"], read["again"])
    fine = np.clip(sitk.GetArrayFromImage(sitk.ReadImage(str(scan))).astype(float), -1024, 3071)
    assert np.abs(read["clean"] - fine.reshape(10, 12, 8, 2).mean(3)).max() <= 0.51


def test_info_tells_what_a_job_needs(ctsr_here: Ctsr, scan: Path) -> None:
    ended = ctsr_here("info", scan, "--scale", "1,4,4", "--events", "json")
    assert ended.code == 0, ended.err
    found = ended.events[-1]
    assert found["job"]["output_shape"] == [10, 48, 64]
    assert found["job"]["output_spacing"] == [6.0, 1.5, 1.5]
    assert found["job"]["memory"] > 0 and found["job"]["available"] > 0
    assert {"versions", "torch", "cpu", "gpus", "kernels", "priors"} <= found["machine"].keys()
    text = ctsr_here("info", scan, "--scale", "isotropic", "--events", "text")
    assert text.code == 2 and "isotropic already" in text.err
    assert "priors" in ctsr_here("info").out


@pytest.mark.parametrize("scale", ["5,5,5", "7,1,1", "8"])
def test_demo_scores_on_the_grid_of_its_result(
    ctsr_here: Ctsr, prior: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: str
) -> None:
    """The phantom's sides are no multiples of the factors; and a second demo may replace the first."""
    from CTSuperResolutionLib import phantom

    full = phantom.thorax
    side = 66
    monkeypatch.setattr(phantom, "thorax", lambda seed: full(shape=(side, side, side), spacing=6.0, seed=seed))
    fewer = ["--set", "views=4", "--set", "iterations=1", "--set", "gaussians=500", "--set", "ddim_steps=1"]
    for _ in range(1 if scale == "8" else 2):
        ended = ctsr_here("demo", tmp_path / "out", "--prior", prior, "--scale", scale, *fewer)
        assert ended.code == 0, ended.err
    truth, sr = (sitk.ReadImage(str(tmp_path / "out" / f"{name}.nrrd")) for name in ("truth", "sr"))
    assert truth.GetSize() == sr.GetSize() and np.allclose(truth.GetOrigin(), sr.GetOrigin())
    scores = json.loads((tmp_path / "out" / "result.json").read_text())["scores"]
    assert scores["cubic"]["psnr_db"] > 15


def test_degrade_writes_nothing_among_slices(ctsr_here: Ctsr, tmp_path: Path) -> None:
    (tmp_path / "slices").mkdir()
    ended = ctsr_here("degrade", tmp_path / "slices", tmp_path / "slices" / "coarse.nrrd", "--scale", "1,1,2")
    assert ended.code == 2
    assert f"would go among the slices of {tmp_path}/slices; choose another folder" in ended.err
    assert list((tmp_path / "slices").iterdir()) == []


def test_degrade_takes_scans_whose_refinement_would_be_too_large(
    ctsr_here: Ctsr, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from CTSuperResolutionLib.job import target_grid

    monkeypatch.setattr(target_grid, "MAX_OUTPUT_VOXELS", 10 * 12 * 16)
    ended = ctsr_here("degrade", scan, tmp_path / "coarse.nrrd", "--scale", "1,1,2")
    assert ended.code == 0, ended.err


@pytest.fixture
def radiographs(tmp_path: Path) -> Path:
    folder = tmp_path / "x-rays"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(8):
        Image.fromarray(rng.integers(0, 255, (80, 72), dtype=np.uint8)).save(folder / f"{k}.png")
    return folder


TINY = ["--batch", "1", "--crop", "32", "--validation-fraction", "0.25", "--dead-leaves", "0", "--device", "cpu"]


def test_train_prior_and_go_on(
    ctsr_here: Ctsr, radiographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from CTSuperResolutionLib.diffusion.training import loop as training
    from CTSuperResolutionLib.diffusion.training import validation

    monkeypatch.setattr(training, "VALIDATION_EXAMPLES", 2)
    monkeypatch.setattr(validation, "VALIDATION_STEPS", (20, 400))
    out = tmp_path / "prior"
    for steps in (2, 3):
        ended = ctsr_here("train-prior", radiographs, "--out", out, "--steps", steps, *TINY, "--events", "json")
        assert ended.code == 0, ended.err
    assert json.loads((out / "training.json").read_text())["steps_done"] == 3
    told = [event for event in ended.events if event.get("stage") == "train"]
    assert (told[0]["steps"], told[-1]["step"]) == (1, 1)  # what is left after the first two
    assert set(ended.events[-1]["validation_loss"]) >= {"20", "400"}


def test_train_prior_without_images(ctsr_here: Ctsr, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = ctsr_here("train-prior", tmp_path / "empty", "--out", tmp_path / "prior", *TINY)
    assert ended.code == 2 and "too few have 64 x 64" in ended.err
    assert not (tmp_path / "prior").exists()


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError("libodd.so: cannot open shared object file"), 1, "libodd.so"),
        (PermissionError(13, "Permission denied", "/elsewhere/odd"), 2, "/elsewhere/odd could not be read or written"),
        (OSError(28, "No space left on device"), 2, "prior cannot be written (No space left on device)"),
    ],
)
def test_training_blames_its_folder_for_its_own_failures_alone(
    ctsr_here: Ctsr,
    radiographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    code: int,
    says: str,
) -> None:
    from CTSuperResolutionLib.diffusion.training import loop as training

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(training, "train_prior", fail)
    ended = ctsr_here("train-prior", radiographs, "--out", tmp_path / "made" / "prior", *TINY)
    assert (ended.code, says in ended.err) == (code, True), ended.err
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
def test_training_stops_when_asked_and_keeps_its_checkpoint(start: Callable, radiographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "prior"
    process = start("train-prior", radiographs, "--out", out, "--report-every", "2", *TINY, "--events", "json")
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == "train" and event["step"] >= 3:  # after the first report
            break
    since = time.monotonic()
    process.stdin.write(b"cancel\n")
    process.stdin.flush()
    assert process.wait(timeout=20) == 3 and time.monotonic() - since < 2
    assert (out / "checkpoint.pt").is_file() and not (out / "checkpoint.partial").exists()


def test_presets_reach_the_work(ctsr_here: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path) -> None:
    ended = ctsr_here("run", scan, tmp_path / "out", *quick, "--preset", "balanced", "--roi", "1:9,2:12,:8")
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "out" / "result.json").read_text())
    assert report["parameters"]["densify_every"] == 100 and report["job"]["roi"] == [[1, 9], [2, 12], [None, 8]]
    assert report["input"]["shape"] == [8, 10, 8]
