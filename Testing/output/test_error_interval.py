"""A job that is asked how large its error may be: the file, what is said of it, and whether the truth is within."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.job.events import Progress, Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output import error_interval as module
from CTSuperResolutionLib.output.error_interval import LITTLE_DB, NO_INTERVAL, little_gained
from CTSuperResolutionLib.output.run_job import find_scan, run_job
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.planning.slabs import plan_slabs
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

QUICK = {"null_space": 0, "views": 4, "residual": "grid", "grid_steps": 1, "error": "yes", "slice_width": 4.0}


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> tuple:
    """Thick slices of a phantom with noise, in a file, and the phantom."""
    truth = thorax(shape=(64, 104, 64), seed=5, noise_hu=12)
    matrix = psf_matrix(PointSpread("gaussian", 4.0), (16, 4.0), (64, 1.0))
    thick = np.tensordot(matrix, truth.array, axes=1).astype(np.float32)
    path = tmp_path_factory.mktemp("case") / "scan.nrrd"
    write_volume(Volume(thick, (4.0, 1.0, 1.0), truth.point((1.5, 0, 0)), truth.direction), path)
    return path, truth.array


def run(path, out, scale: str, memory: str | None = None) -> tuple[dict, list[str]]:
    told: list[str] = []
    method = Method(scale=scale, preset="preview", settings=QUICK | {"psf": "gaussian"})
    progress = Reporter(lambda event: told.append(event.get("message", "")))
    job = Job(method, str(path), str(out), memory=memory)
    return run_job(job, progress, find_scan(job), picture=False)["report"], told


def test_the_truth_is_within_in_about_nine_of_ten_voxels(case, tmp_path):
    path, truth = case
    report, _ = run(path, tmp_path, "4,1,1")
    sr, width = (
        sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / f"{name}.nrrd")).astype(float) for name in ("sr", "error_90")
    )
    inner = (slice(8, -8),) * 3
    assert np.mean(np.abs(sr - truth)[inner] <= width[inner]) == pytest.approx(0.9, abs=0.06)
    found = report["error_interval"]
    assert found["level_percent"] == 90 and found["test_voxels"] > 5000
    assert found["by_tissue"]["everywhere"]["mean_half_width_hu"] == pytest.approx(width.mean(), rel=0.1)
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["error_interval"] == found
    assert "error_90.nrrd" in report["files"]
    assert found["test_gain_db"] == pytest.approx(0.97, abs=0.1)  # without a prior; of noise there is less, see below


def test_slabs_have_the_interval_of_the_whole(tmp_path):
    truth = thorax(shape=(176, 96, 48), seed=5, noise_hu=12)
    matrix = psf_matrix(PointSpread("gaussian", 4.0), (44, 4.0), (176, 1.0))
    thick = np.tensordot(matrix, truth.array, axes=1).astype(np.float32)
    scan = Volume(thick, (4.0, 1.0, 1.0), truth.point((1.5, 0, 0)), truth.direction)
    write_volume(scan, tmp_path / "scan.nrrd")
    p = Method("4,1,1", "preview", QUICK | {"psf": "gaussian"}).parameters
    target = Method("4,1,1").target_grid(scan.shape, scan.spacing)
    cut = plan_slabs(p, target, plan_slabs(p, target, 1 << 40).memory - 2000)
    found = []
    for memory in (None, f"{cut.memory / 1e6 + 0.001:.3f}MB"):
        out = tmp_path / str(memory)
        report, _ = run(tmp_path / "scan.nrrd", out, "4,1,1", memory)
        image = sitk.ReadImage(out / "error_90.nrrd")
        found.append((report["slabs"], report["error_interval"], sitk.GetArrayFromImage(image).astype(float)))
    (one, whole, widths), (several, slabbed, widths_of_slabs) = found
    assert one == 1 and several > 1 and slabbed["factor"] == whole["factor"]
    assert np.abs(widths_of_slabs - widths).max() <= 2  # of results that differ by 1 HU, times a factor, as whole HU
    for tissue, of_whole in whole["by_tissue"].items():
        assert slabbed["by_tissue"][tissue] == (of_whole and pytest.approx(of_whole, abs=0.2)), tissue


def test_where_there_can_be_none_a_note_says_so(case, tmp_path):
    report, told = run(case[0], tmp_path, "2")
    assert report["error_interval"] is None and NO_INTERVAL in report["notes"] and NO_INTERVAL in told
    assert not (tmp_path / "error_90.nrrd").exists()


def test_a_scan_on_which_little_is_gained_is_said_to_be_one(tmp_path):
    """Of noise alone nothing can be foreseen."""
    noise = np.random.default_rng(0).normal(0, 300, (24, 96, 64)).astype(np.float32)
    write_volume(Volume(noise, (4.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)), tmp_path / "noise.nrrd")
    report, told = run(tmp_path / "noise.nrrd", tmp_path / "out", "4,1,1")
    gain = report["error_interval"]["test_gain_db"]
    assert gain < 0.2 and little_gained(gain) in report["notes"] and little_gained(gain) in told


@pytest.mark.parametrize(("gain", "noted"), [(LITTLE_DB - 0.01, True), (LITTLE_DB, False), (3.0, False)])
def test_a_note_is_for_a_gain_that_is_little(monkeypatch, gain, noted):
    monkeypatch.setattr(module, "self_test", lambda *_, **__: SimpleNamespace(gain_db=gain))
    notes: list[str] = []
    method = Method(scale="4,1,1", settings={"error": "yes"})
    assert module.tested(None, None, None, method, Progress(), notes) is not None
    assert notes == ([little_gained(gain)] if noted else [])


@pytest.mark.parametrize(("gain", "words"), [(0.84, "only 0.8 dB nearer to it"), (-0.3, "no nearer to it")])
def test_how_little_is_said(gain, words):
    assert words in little_gained(gain)
