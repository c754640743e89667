"""``ctsr run`` as a real child process: what it writes, says and refuses, and how it is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.target_grid import MAX_OUTPUT_VOXELS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = {"sr.nrrd", "cubic.nrrd", "measured.nrrd", "compare.png", "report.html", "result.json"}
UNCERTAINTY = "uncertainty.nrrd"
LIMIT = 2.0
Ctsr = Callable[..., object]
Start = Callable[..., subprocess.Popen]


@pytest.fixture(scope="module")
def done(ctsr: Ctsr, scan: Path, quick: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """One job, done: what the process left, and its folder."""
    out = tmp_path_factory.mktemp("run") / "out"
    return ctsr("run", scan, out, *quick, "--events", "json"), out


def test_writes_all_results(done: tuple, scan: Path) -> None:
    ended, out = done
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == RESULTS
    before = sitk.ReadImage(str(scan))
    sr, cubic, measured = (sitk.ReadImage(str(out / f"{name}.nrrd")) for name in ("sr", "cubic", "measured"))
    for image in (sr, cubic, measured):
        assert image.GetPixelID() == sitk.sitkInt16
        assert image.GetSize() == tuple(2 * n for n in before.GetSize())
        assert np.allclose(image.GetSpacing(), np.array(before.GetSpacing()) / 2)
        # Half an input voxel before its first centre begins the volume; the first fine centre lies a quarter in.
        assert np.allclose(image.GetOrigin(), np.array(before.GetOrigin()) - 0.25 * np.array(before.GetSpacing()))
    assert not np.array_equal(sitk.GetArrayFromImage(sr), sitk.GetArrayFromImage(cubic))


def test_report_tells_where_the_result_comes_from(done: tuple, prior: Path) -> None:
    ended, out = done
    report = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert report == ended.events[-1]["report"]
    assert "not for diagnosis" in report["note"]
    assert report["parameters"]["views"] == 6 and report["seed"] == 0
    assert len(report["prior"]["sha256"]) == 64
    assert set(report["files"]) == RESULTS
    assert report["noise"]["damping"] >= report["parameters"]["damping"]
    assert {"torch", "CTSuperResolution"} <= report["versions"].keys()
    assert {"load", "restore", "fit", "write"} <= report["stages"].keys()
    assert all(stage["seconds"] >= 0 and stage["peak_mb"] > 0 for stage in report["stages"].values())
    assert report["input"]["shape"] == [10, 12, 16] and report["output"]["shape"] == [20, 24, 32]
    assert str(out) not in json.dumps(report) and str(prior.parent) not in json.dumps(report)
    image = sitk.ReadImage(str(out / "sr.nrrd"))
    assert "not for diagnosis" in image.GetMetaData("CTSR_note")
    assert json.loads(image.GetMetaData("CTSR_job"))["settings"]["views"] == 6


@pytest.fixture(scope="module")
def thick_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ball in air, in slices with a triangular profile of 4.5 mm every 5 mm whose header says 9 mm."""
    from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
    from CTSuperResolutionLib.volume.volume import Volume
    from CTSuperResolutionLib.volume.writing import write_volume

    z, y, x = np.ogrid[-48:48:192j, -40:40:60j, -40:40:60j]
    fine = np.where(x**2 + y**2 + z**2 < 36**2, 40.0, -1000.0)
    matrix = psf_matrix(PointSpread("triangle", 4.5), (19, 5.0), (192, 0.5))
    thick = np.tensordot(matrix, fine, axes=(1, 0)).astype(np.float32)
    path = tmp_path_factory.mktemp("thick") / "scan.nrrd"
    scan = Volume(thick, (5.0, 80 / 59, 80 / 59), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    write_volume(scan, path, metadata={"DICOM.SliceThickness": "9"})
    return path


def test_slices_are_measured_in_all_of_the_scan_and_a_wrong_header_is_said(
    ctsr: Ctsr, ctsr_here: Ctsr, thick_scan: Path, quick: Sequence[str], tmp_path: Path
) -> None:
    sentence, contradiction = "slices 9.0 mm thick by the header, 4.5 ± ", "header says that slices are 9.0"
    told = ctsr_here("info", thick_scan, "--scale", "5,1,1", "--events", "json")
    assert told.events[-1]["job"]["slices"].startswith(sentence)
    assert [event for event in told.events if event["event"] == "note" and contradiction in event["message"]]
    flat = "6:14,26:34,26:34"  # inside the ball: nothing to measure
    ended = ctsr("run", thick_scan, tmp_path / "out", *quick, "--scale", "5,1,1", "--roi", flat, "--events", "json")
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert report["slices"] == told.events[-1]["job"]["slices"] and any(
        contradiction in note for note in report["notes"]
    )
    assert report["acquisition"]["z"]["source"] == "measured"
    assert report["acquisition"]["z"]["fwhm_mm"] == pytest.approx(4.5, rel=0.05)


def test_info_without_readable_voxels_goes_by_the_header(ctsr_here: Ctsr, thick_scan: Path, monkeypatch) -> None:
    monkeypatch.setattr("CTSuperResolutionLib.volume.scan_source.free_memory", lambda: 1000)
    told = ctsr_here("info", thick_scan, "--scale", "5,1,1", "--events", "json")
    assert told.code == 0 and told.events[-1]["job"]["slices"] == "slices 9.0 mm thick by the header"
    assert "memory" in told.events[-1]["job"]["problem"]
    table = ctsr_here("info", thick_scan, "--scale", "5,1,1").out
    assert any(line.startswith("problem ") and "memory" in line for line in table.splitlines())


def test_events_tell_the_whole_way(done: tuple) -> None:
    ended, _ = done
    kinds = [event["event"] for event in ended.events]
    assert kinds[-1] == "result" and kinds.count("result") == 1 and "error" not in kinds
    told = [event for event in ended.events if event["event"] == "progress"]
    elapsed = [event["elapsed_s"] for event in told]
    assert elapsed == sorted(elapsed)
    for event in told:
        assert 0 <= event["step"] <= event["steps"] and event["memory_mb"] > 0
        assert {"remaining_s", "fraction", "peak_mb"} <= event.keys()
    fractions = [event["fraction"] for event in told if event["fraction"] is not None]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    result = ended.events[-1]
    assert set(result["files"]) == RESULTS and all(Path(path).is_file() for path in result["files"].values())
    assert result["shape"] == [20, 24, 32]


def test_same_seed_same_files(done: tuple, ctsr: Ctsr, scan: Path, prior: Path, tmp_path: Path) -> None:
    """And the job file stands for the options."""
    _, first = done
    settings = {"views": 6, "iterations": 3, "ddim_steps": 1, "gaussians": 500, "max_gaussians": 1000}
    job = Job(Method("2", "preview", settings, str(prior), device="cpu"), str(scan), str(tmp_path / "out"))
    (tmp_path / "job.json").write_text(job.to_json(), encoding="utf-8")
    ended = ctsr("run", "--job", tmp_path / "job.json")
    assert ended.code == 0, ended.err
    assert "20 x 24 x 32 voxels of 3 x 3 x 3 mm" in ended.out and str(tmp_path / "out" / "sr.nrrd") in ended.out
    assert "restore" in ended.err and "\r" not in ended.err
    for name in RESULTS - {"result.json"}:
        assert (first / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_options_take_the_place_of_the_job_file_s_entries(
    ctsr_here: Ctsr, scan: Path, prior: Path, tmp_path: Path
) -> None:
    """Whatever the file has there, such as a prior of another computer; and the report says which."""
    settings = {"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000}
    job = {"input": str(scan), "output": str(tmp_path / "out"), "scale": "4", "seed": 7, "prior": "elsewhere"}
    job |= {"preset": "preview", "device": "cpu", "settings": settings, "roi": [[0, 9], [None, 12], [None, None]]}
    (tmp_path / "größe.json").write_text(json.dumps(job), encoding="utf-8-sig")
    options = ["--seed", "0", "--scale", "1,1,2", "--prior", prior, "--set", "views=5", "--set", "grid_steps=2"]
    ended = ctsr_here("run", "--job", tmp_path / "größe.json", *options, "--events", "json")
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    replaced = ["scale", "prior", "seed", "settings.views", "settings.grid_steps"]
    assert report["job_file"] == {"name": "größe.json", "replaced": replaced}
    notes = [event["message"] for event in ended.events if event["event"] == "note"]
    (told,) = (note for note in notes if "take the place" in note)
    assert all(name in told for name in replaced)
    done = report["job"]
    assert (done["scale"], done["seed"], done["prior"], done["preset"]) == ("1,1,2", 0, prior.name, "preview")
    assert done["settings"] == settings | {"views": 5, "grid_steps": 2}
    assert report["input"]["shape"] == [9, 12, 16] and report["output"]["shape"] == [9, 12, 32]

    places = (scan, tmp_path / "other")
    ended = ctsr_here("run", *places, "--job", tmp_path / "größe.json", *options, "--roi", "0:8,:,:")
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "other" / "result.json").read_text(encoding="utf-8"))
    assert report["job_file"]["replaced"] == ["input", "output", *replaced[:3], "roi", *replaced[3:]]
    assert report["input"]["shape"] == [8, 12, 16]


def test_several_samples_come_with_their_spread_and_a_later_run_takes_away_what_it_does_not_make(
    ctsr: Ctsr, ctsr_here: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path
) -> None:
    several = ["--set", "samples=2", "--set", "start_step=10"]
    ended = ctsr("run", scan, tmp_path, *quick, *several, "--events", "json")
    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.iterdir()} == RESULTS | {UNCERTAINTY} == set(ended.events[-1]["files"])
    assert set(json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["files"]) == RESULTS | {UNCERTAINTY}
    spread, sr = (sitk.ReadImage(str(tmp_path / name)) for name in (UNCERTAINTY, "sr.nrrd"))
    assert spread.GetPixelID() == sitk.sitkFloat32 and "not for diagnosis" in spread.GetMetaData("CTSR_note")
    for of in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(spread, of)() == getattr(sr, of)()
    assert sitk.GetArrayFromImage(spread).min() >= 0 and sitk.GetArrayFromImage(spread).max() > 0
    assert ctsr_here("run", scan, tmp_path, *quick, "--set", "measured=no").code == 0
    assert {path.name for path in tmp_path.iterdir()} == RESULTS - {"measured.nrrd"}


def test_an_uncertainty_of_another_origin_stays(
    ctsr_here: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path
) -> None:
    (tmp_path / UNCERTAINTY).write_bytes(b"mine")
    for _ in range(2):
        assert ctsr_here("run", scan, tmp_path, *quick).code == 0
        assert (tmp_path / UNCERTAINTY).read_bytes() == b"mine"


BAD = {
    "input is a result": (["run", "{tmp}/sr.nrrd", "{tmp}"], "would replace the input"),
    "degrade in place": (["degrade", "{tmp}/sr.nrrd", "{tmp}/../{name}/sr.nrrd"], "would replace the input"),
    "degrade onto a folder": (["degrade", "{scan}", "{tmp}/cubic.nrrd", "--scale", "1,1,2"], "cannot be written"),
    "result is a folder": (["run", "{scan}", "{tmp}/deep"], "deep/compare.png cannot be written"),
    "demo onto a scan": (["demo", "{tmp}/mine"], "would be replaced"),
    "abbreviation": (["run", "{scan}", "{tmp}/out", "--pre", "paper"], "--pre"),
    "train forever": (["train-prior", "{tmp}", "--out", "{tmp}/out", "--minutes", "inf"], "above 0 and at most"),
    "train seed": (["train-prior", "{tmp}", "--out", "{tmp}/out", "--seed", "-1"], "from 0 to 4294967295, not -1"),
    "train onto a file": (["train-prior", "{tmp}", "--out", "{tmp}/broken.nrrd/a/b"], "cannot be written"),
    "train without images": (["train-prior", "{tmp}/prior", "--out", "{tmp}/a/b/c"], "too few have 64 x 64"),
    "no input": (["run"], "Name the scan"),
    "missing file": (["run", "{tmp}/none.nrrd", "{tmp}/out"], "none.nrrd"),
    "broken file": (["run", "{tmp}/broken.nrrd", "{tmp}/out"], "broken.nrrd"),
    "unknown preset": (["run", "{scan}", "{tmp}/out", "--preset", "balance"], "the nearest is 'balanced'"),
    "unknown parameter": (["run", "{scan}", "{tmp}/out", "--set", "vews=3"], "the nearest is 'views'"),
    "unknown prior": (["run", "{scan}", "{tmp}/out", "--prior", "shippd"], "the nearest is 'shipped'"),
    "scale": (["run", "{scan}", "{tmp}/out", "--scale", "2.5"], "'2.5' is not a whole factor from 2 to 10"),
    "far scale": (["run", "{scan}", "{tmp}/out", "--scale", "11"], "11 is not from 2 to 10"),
    "far preset": (
        ["run", "{scan}", "{tmp}/out", "--preset", "fast"],
        "choose preview, balanced, best or paper, of which",
    ),
    "seed": (["run", "{scan}", "{tmp}/out", "--seed", "x"], "'x'"),
    "option": (["run", "{scan}", "{tmp}/out", "--sede", "1"], "--sede"),
    "command": (["rnu"], "'rnu'"),
    "among the slices": (
        ["run", "{tmp}/mine", "{tmp}/deep/../mine"],
        "would go among the slices of {tmp}/mine; choose",
    ),
    "roi outside": (["run", "{scan}", "{tmp}/out", "--roi", "0:99,:,:"], "not inside"),
    "empty roi": (["run", "{scan}", "{tmp}/out", "--roi", "5:5,:,:"], "5:5 along z is empty"),
    "roi too small": (["run", "{scan}", "{tmp}/out", "--roi", "0:3,:,:"], "at least 8"),
    "coarser spacing": (["run", "{scan}", "{tmp}/out", "--spacing", "7,6,3"], "coarser than the scan's 6 mm"),
    "too fine a spacing": (["info", "{scan}", "--spacing", "0.5"], "12.0 times finer"),
    "no spacing": (["run", "{scan}", "{tmp}/out", "--spacing", "nan"], "does not lie between"),
    "scale and spacing": (["run", "{scan}", "{tmp}/out", "--scale", "2", "--spacing", "3"], "--scale or --spacing"),
    "demo of a spacing": (["demo", "{tmp}/out", "--spacing", "0.8"], "Whole factors are needed"),
    "output is a file": (["run", "{scan}", "{tmp}/broken.nrrd"], "cannot be written"),
    "corrupt prior": (["run", "{scan}", "{tmp}/out", "--prior", "{tmp}/prior", "--set", "views=4"], "damaged"),
    "no job": (["run", "--job", "{tmp}/none.json"], "cannot be read (No such file or directory)"),
    "deep job": (["run", "--job", "{tmp}/deep.json"], "nested more deeply"),
    "job and half a place": (["run", "--job", "{tmp}/deep.json", "{tmp}/out"], "name both a scan and a folder"),
    "endless job": (["run", "--job", "/dev/zero"], "/dev/zero is larger than any job"),
    "degrade": (["degrade", "{scan}", "{tmp}/low.nrrd", "--scale", "4"], "would have 2 x 3 x 4 voxels"),
    "simulate a few voxels": (["simulate", "{scan}", "{tmp}/out", "--crop", "2,2,2"], "larger --crop"),
    "source in the axis": (["simulate", "{scan}", "{tmp}/out", "--source-to-axis", "0"], "lies 0 mm from the axis"),
    "batch of a scan": (["batch", "{scan}", "{tmp}/out"], "is a scan; name a table"),
    "audit without lesions": (["audit", "lesions", "{scan}", "{tmp}/out", "--diameter", "nan"], "at most 50 mm"),
    "audit in noise": (["audit", "lesions", "{scan}", "{tmp}/out", "--noise", "nan"], "from 0 to 1000 HU, not nan"),
    "audit of contrast": (["audit", "lesions", "{scan}", "{tmp}/out", "--contrast", "1e9"], "at most 4000 HU"),
    "audit of few places": (["audit", "lesions", "{scan}", "{tmp}/out", "--places", "5"], "from 12 to 500"),
    "audit onto a file": (["audit", "lesions", "{scan}", "{tmp}/broken.nrrd"], "cannot be written"),
    "study in a file": (["study", "demo", "{tmp}/broken.nrrd"], "choose a new folder"),
    "train": (["train-prior", "{tmp}/nowhere", "--out", "{tmp}/out"], "There is no folder"),
    "train plan": (["train-prior", "{tmp}", "--out", "{tmp}/out", "--steps", "-1"], "--steps"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    case: str, ctsr_here: Ctsr, scan: Path, prior: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.nrrd").write_bytes(scan.read_bytes()[:600])
    shutil.copytree(prior, tmp_path / "prior")
    weights = tmp_path / "prior" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    for folder in ("cubic.nrrd", "deep/compare.png", "mine"):
        (tmp_path / folder).mkdir(parents=True)
    for copy in ("sr.nrrd", "mine/scan.nrrd"):
        shutil.copy(scan, tmp_path / copy)
    (tmp_path / "deep.json").write_text('{"input": "a", "output": "b", "scale": ' + "[" * 10**5, encoding="utf-8")
    (tmp_path / "mine" / "result.json").write_text('{"note": "of a run, not a demo"}', encoding="utf-8")
    before = {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}
    arguments, says = BAD[case]
    *arguments, says = (text.format(tmp=tmp_path, name=tmp_path.name, scan=scan) for text in (*arguments, says))
    ended = ctsr_here(*arguments)
    sentence = ended.err.splitlines()[-1]
    assert sentence.startswith("ctsr: ") and sentence.endswith(".") and says in sentence
    assert "Traceback" not in ended.err and ended.out == ""
    assert ended.code == 2
    assert {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")} == before


def test_a_region_outside_is_said_before_what_takes_long_to_load(scan: Path, tmp_path: Path) -> None:
    """Here in a process that cannot load it."""
    code = "import sys; sys.modules['torch'] = None; from CTSuperResolutionLib.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", str(scan), str(tmp_path / "out"), "--roi", "0:99,:,:"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == 2 and "0:99 along z is not inside" in ended.stderr


def test_a_spacing_puts_the_voxels_of_a_region_where_those_of_the_whole_are(
    ctsr_here: Ctsr, scan: Path, prior: Path, quick: Sequence[str], tmp_path: Path
) -> None:
    """Where the scan's middle is, to a millionth of a millimetre; also in place of a job file's scale."""
    job = {"input": str(scan), "output": str(tmp_path / "whole"), "scale": "4", "prior": str(prior)}
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    rest = quick[: quick.index("--scale")] + quick[quick.index("--scale") + 2 :]
    calls = {"whole": ["--job", tmp_path / "job.json"], "part": [scan, tmp_path / "part", "--roi", "1:9,2:12,3:14"]}
    images = {}
    for name, arguments in calls.items():
        ended = ctsr_here("run", *arguments, *rest, "--spacing", "2.5")
        assert ended.code == 0, ended.err
        images[name] = sitk.ReadImage(str(tmp_path / name / "sr.nrrd"))
        assert images[name].GetSpacing() == (2.5, 2.5, 2.5)
        report = json.loads((tmp_path / name / "result.json").read_text(encoding="utf-8"))
        assert report["scale"] == [2.4, 2.4, 2.4] and report["output"]["spacing_mm"] == [2.5, 2.5, 2.5]
        assert (report["job"]["spacing"], report["job"]["scale"]) == (2.5, None)
    whole, part, before = images["whole"], images["part"], sitk.ReadImage(str(scan))
    assert whole.GetSize() == (38, 28, 24)
    found = json.loads((tmp_path / "part" / "result.json").read_text(encoding="utf-8"))["output"]["origin_mm"]
    assert found == [round(mm, 6) for mm in part.GetOrigin()]
    middles = [
        image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
        for image in (whole, before)
    ]
    assert np.allclose(*middles, rtol=0, atol=1e-6)
    first = whole.TransformPhysicalPointToContinuousIndex(part.GetOrigin())
    assert np.allclose(first, np.round(first), rtol=0, atol=1e-6 / 2.5)
    assert part.GetSize() == (26, 23, 18)
    # Margins of this small scan reach nearly all of it, so both see the same.
    start = [round(index) for index in first]
    cut = sitk.GetArrayFromImage(whole)[
        tuple(slice(i, i + n) for i, n in zip(start, part.GetSize(), strict=True))[::-1]
    ]
    assert np.sqrt(np.mean((cut - sitk.GetArrayFromImage(part)) ** 2.0)) < 0.1 * cut.std()


@pytest.mark.parametrize("case", ["option", "scale", "missing file"])
def test_errors_are_events_too(case: str, ctsr: Ctsr, scan: Path, tmp_path: Path) -> None:
    arguments, says = BAD[case]
    ended = ctsr(*(argument.format(tmp=tmp_path, scan=scan) for argument in arguments), "--events", "json")
    assert ended.code == 2
    last = ended.events[-1]
    assert (last["event"], last["kind"], last["exit_code"]) == ("error", "input", 2) and says in last["message"]
    assert [event["event"] for event in ended.events].count("error") == 1
    assert list(tmp_path.iterdir()) == []


def test_too_large_for_memory_says_what_fits(ctsr_here: Ctsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of few bytes whose result would take many gigabytes, on a computer of few, whatever this one has."""
    from CTSuperResolutionLib import machine

    monkeypatch.setattr(machine, "available_memory", lambda device=None: 4 * 10**9)
    image = sitk.Image(1000, 1000, 24, sitk.sitkInt16) - 1000
    image[0, 0, 0] = 500
    sitk.WriteImage(image, str(tmp_path / "wide.nrrd"), useCompression=True)
    ended = ctsr_here("run", tmp_path / "wide.nrrd", tmp_path / "out", "--scale", "4")
    assert ended.code == 2
    sentence = ended.err.splitlines()[-1]
    assert "96 x 4000 x 4000 voxels needs about" in sentence and "that are free may be taken; choose" in sentence
    assert "a region such as --roi " in sentence
    assert not (tmp_path / "out").exists()


def test_too_many_voxels_says_what_fits(ctsr_here: Ctsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice, taken, is enough, though memory would do for more."""
    from CTSuperResolutionLib import machine

    monkeypatch.setattr(machine, "available_memory", lambda device=None: 10**12)
    image = sitk.Image(1300, 1300, 20, sitk.sitkInt16) - 1000  # not to be cut into slabs: they would be no thinner
    image[0, 0, 0] = 500
    sitk.WriteImage(image, str(tmp_path / "wide.nrrd"), useCompression=True)
    ended = ctsr_here("run", tmp_path / "wide.nrrd", tmp_path / "out", "--scale", "4", "--device", "cpu")
    sentence = ended.err.splitlines()[-1]
    assert ended.code == 2 and "80 x 5200 x 5200 voxels is too large" in sentence
    roi = sentence.split("--roi ")[1].rstrip(".")
    bounds = [tuple(map(int, part.split(":"))) for part in roi.split(",")]
    voxels = np.prod([4 * (stop - start) for start, stop in bounds])
    assert 0.9 * MAX_OUTPUT_VOXELS < voxels <= MAX_OUTPUT_VOXELS
    for (start, stop), n in zip(bounds, (20, 1300, 1300), strict=True):
        assert abs(start + stop - n) <= 1 and stop - start < n
    told = ctsr_here("info", tmp_path / "wide.nrrd", "--scale", "4", "--device", "cpu", "--roi", roi)
    assert ", fits" in told.out


def wait_for_stage(process: subprocess.Popen, stage: str) -> None:
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == stage:
            return
    raise AssertionError(f"{stage} never came: {process.stderr.read()}")


def long_job(
    start: Start, scan: Path, out: Path, quick: Sequence[str], through: Sequence[str] = ()
) -> subprocess.Popen:
    return start("run", scan, out, *quick, "--set", "iterations=90000", "--events", "json", through=through)


@pytest.mark.parametrize(("stage", "how"), [("load", "line"), ("fit", "interrupt")])
def test_cancel(start: Start, scan: Path, quick: Sequence[str], tmp_path: Path, stage: str, how: str) -> None:
    process = long_job(start, scan, tmp_path / "out", quick)
    wait_for_stage(process, stage)
    time.sleep(0.3)
    since = time.monotonic()
    if how == "line":
        process.stdin.write(b"cancel\n")
        process.stdin.flush()
    else:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 3
    assert time.monotonic() - since < LIMIT
    assert json.loads(process.stdout.read().splitlines()[-1])["kind"] == "cancelled"
    assert list(tmp_path.iterdir()) == []


def test_kill_leaves_nothing_and_keeps_older_results(
    start: Start, scan: Path, quick: Sequence[str], tmp_path: Path
) -> None:
    (tmp_path / "sr.nrrd").write_bytes(b"older")
    process = long_job(start, scan, tmp_path, quick)
    wait_for_stage(process, "fit")
    assert len(list(tmp_path.iterdir())) == 2
    process.kill()
    process.wait()
    end = time.monotonic() + 5
    while len(list(tmp_path.iterdir())) > 1 and time.monotonic() < end:
        time.sleep(0.05)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(100)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX process tree")
def test_death_of_the_parent(start: Start, scan: Path, quick: Sequence[str], tmp_path: Path) -> None:
    parent = long_job(start, scan, tmp_path / "out", quick, through=[sys.executable, "-c", PARENT])
    child = psutil.Process(int(parent.stdout.readline()))
    wait_for_stage(parent, "fit")
    since = time.monotonic()
    parent.kill()
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() - since < LIMIT
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []
    last = parent.stdout.read().splitlines()[-1]
    assert json.loads(last)["kind"] == "cancelled"


def test_results_inside_the_folder_of_the_slices_are_pointed_out(ctsr_here: Ctsr, tmp_path: Path) -> None:
    (tmp_path / "slices").mkdir()
    ended = ctsr_here("run", tmp_path / "slices", tmp_path / "slices" / "out")
    assert f"go into {tmp_path}/slices/out, which lies inside the scan's own folder" in ended.err
    assert ended.code == 2 and list((tmp_path / "slices").iterdir()) == []


def test_a_second_run_for_the_same_folder_is_told_at_once(
    start: Start, ctsr_here: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path
) -> None:
    process = long_job(start, scan, tmp_path / "out", quick)
    wait_for_stage(process, "load")
    ended = ctsr_here("run", scan, tmp_path / "out", *quick)
    assert ended.code == 2 and "Another ctsr is at work on results for" in ended.err
    assert process.poll() is None
    process.kill()
    process.wait()
    assert ctsr_here("run", scan, tmp_path / "out", *quick).code == 0


@pytest.mark.skipif(os.name == "nt", reason="names of a POSIX file system")
def test_names_that_are_not_utf_8(ctsr: Ctsr, scan: Path, prior: Path, quick: Sequence[str], tmp_path: Path) -> None:
    """As they come from old file servers; ITK ended the process for them, after all the work."""
    out, other = (Path(os.fsdecode(os.fsencode(tmp_path) + name)) for name in (b"/out\xff", b"/prior\xff"))
    try:
        shutil.copytree(prior, other)
    except OSError:
        pytest.skip("this file system wants UTF-8")
    ended = ctsr("run", scan, out, *quick, "--prior", other, "--events", "json")
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == RESULTS
    assert {Path(path).parent for path in ended.events[-1]["files"].values()} == {out}
    report = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert report["prior"]["name"] == report["job"]["prior"] == "prior\\udcff"


NO_TEMPORARY_FILES = """
import runpy, sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/dev/null"]
sys.argv[0] = "ctsr"
runpy.run_module("CTSuperResolutionLib", run_name="__main__")
"""


@pytest.mark.skipif(os.name == "nt", reason="a POSIX container")
def test_only_the_output_folder_can_be_written(scan: Path, quick: Sequence[str], tmp_path: Path) -> None:
    """As in a container with a read-only disk: neither a home nor a folder for temporary files."""
    home = {name: "/dev/null" for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    nowhere = ["env", "-u", "MPLCONFIGDIR", *(f"{name}={value}" for name, value in home.items())]
    command = [*nowhere, sys.executable, "-c", NO_TEMPORARY_FILES, "run", str(scan), str(tmp_path / "out"), *quick]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == RESULTS
    assert "atplotlib" not in ended.stderr and list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
@pytest.mark.parametrize("events", ["text", "json"])
def test_goes_on_in_the_background_when_the_shell_ends(
    start: Start, scan: Path, quick: Sequence[str], tmp_path: Path, events: str
) -> None:
    """Whose standard input ends, as when its window is closed."""
    log, out = tmp_path / "log", tmp_path / "out"
    shell = start(
        "run", scan, out, *quick, "--events", events, through=["sh", "-c", f'"$@" >{log} 2>&1 & read line', "sh"]
    )
    end = time.monotonic() + 120
    while b"load" not in (log.read_bytes() if log.exists() else b"") and time.monotonic() < end:
        time.sleep(0.02)
    shell.communicate(timeout=5)
    assert not (out / "result.json").exists()
    while not (out / "result.json").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == RESULTS, log.read_text()
