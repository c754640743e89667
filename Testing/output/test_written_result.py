"""The report on what the files hold: how well that agrees with the scan, and how much of it is no tissue."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.acquisition import acquisition_of
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output.written_part import WrittenPart
from CTSuperResolutionLib.output.written_result import written_result
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.pipeline import Result
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_the_report_counts_what_is_no_tissue_and_judges_what_was_written(run, hu, residual, norms, tmp_path: Path):
    scan = degrade(thorax(shape=(20, 24, 32), spacing=6.0), (2, 2, 2), blur=0.5)
    scan.array[:, 0, :3] = -3024
    scan.array[5, 6, 7:9] = (3071, 3500)
    write_volume(scan, tmp_path / "scan.nrrd")
    run(tmp_path / "scan.nrrd", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert report["voxels"] == {"padding": 30, "metal": 2, "clipped": 0}
    read = hu(tmp_path / "scan.nrrd")
    judged = np.ones(read.shape, dtype=bool)
    judged[:, :4, :6] = False  # where A sees what was not measured
    for name in ("sr", "cubic"):
        error = residual(hu(tmp_path / "out" / f"{name}.nrrd"), read)[judged]
        assert report["consistency"][name] == pytest.approx(norms(error), abs=0.002)
    added = hu(tmp_path / "out" / "sr.nrrd") - hu(tmp_path / "out" / "measured.nrrd")
    assert report["added"]["everywhere"]["rms_hu"] == pytest.approx(np.sqrt(np.mean(added**2)), rel=0.02)
    assert np.all(added[:, 0, :5] == 0)  # where nothing was measured, nothing is added


def test_a_result_beyond_int16_is_judged_as_the_file_has_it(method, residual, norms):
    rng = np.random.default_rng(0)
    scan = Volume(rng.normal(0, 300, (8, 8, 8)).astype(np.float32), (2.0, 2.0, 2.0), (0, 0, 0), IDENTITY)
    fine = scan.with_array(rng.normal(0, 300, (16, 16, 16)).astype(np.float32), (2, 2, 2))
    fine.array[4, 4, 4:7] = 40_000
    cubic = fine.with_array(fine.array + 0.25)
    all_of_it = (slice(0, 8),) * 3
    acquisition = acquisition_of(scan, method.parameters, (2, 2, 2))
    target = Method(scale="2").target_grid(scan.shape, scan.spacing)
    result = Result(fine, lambda: cubic, lambda: cubic.with_array(fine.array - 60), None, acquisition, {"seed": 0})
    part = WrittenPart.of(scan, result, target, all_of_it)
    report = part.report | {"clipped": part.clipped}
    written = written_result(scan, all_of_it, target, acquisition, part.arrays.get, report, Progress())
    for name, volume in (("sr", fine), ("cubic", cubic)):
        stored = np.rint(volume.array).clip(-32768, 32767).astype(np.float64)
        assert np.array_equal(getattr(written, name).array, stored)
        expected = norms(residual(stored, scan.array.astype(np.float64)))
        assert written.report["consistency"][name] == pytest.approx(expected, rel=1e-4)
    assert np.array_equal(written.measured.array, np.rint(fine.array - 60).clip(-32768, 32767))
    assert written.report["added"]["everywhere"]["above_50_percent"] == pytest.approx(100, abs=0.1)  # but the clipped
    assert written.report["voxels"]["clipped"] == 3 and written.report["seed"] == 0


def test_a_region_beside_the_field_of_view_is_written_though_nothing_in_it_can_be_judged(run, tmp_path: Path):
    scan = degrade(thorax(shape=(32, 64, 64), spacing=6.0), (2, 2, 2), blur=0.5)
    scan.array[:, :11] = -3024
    write_volume(scan, tmp_path / "scan.nrrd")
    run(tmp_path / "scan.nrrd", tmp_path / "out", ":,:8,:")
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    nothing = {"rms_hu": None, "max_hu": None}
    assert report["consistency"] == {"sr": nothing, "cubic": nothing}
    assert report["voxels"]["padding"] == 16 * 8 * 32
