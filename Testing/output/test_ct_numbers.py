"""CT numbers in the report of a run: measured on the files that it writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output.ct_numbers import ct_numbers
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.quantification.densitometry import lung_mask
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES, tissue_labels
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import ValueScale, Volume
from CTSuperResolutionLib.volume.writing import write_volume

IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 1)
EVERYTHING = (slice(None),) * 3


@pytest.fixture(scope="module")
def reported(run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A run on a chest of 4 mm, and its report."""
    folder = tmp_path_factory.mktemp("chest")
    write_volume(degrade(thorax(shape=(48, 72, 96), spacing=2.0), (2, 2, 2)), folder / "scan.nrrd")
    run(folder / "scan.nrrd", folder / "out")
    return folder, json.loads((folder / "out" / "result.json").read_text(encoding="utf-8"))


def test_shifts_are_those_of_the_files(reported, hu, residual) -> None:
    folder, report = reported
    scan = read_volume(folder / "scan.nrrd")
    labels = tissue_labels(scan)
    for name in ("sr", "cubic"):
        error = residual(hu(folder / "out" / f"{name}.nrrd"), hu(folder / "scan.nrrd"))
        for label, tissue in enumerate(TISSUE_RANGES, 1):
            found, there = report["tissue_shift"][name][tissue], np.count_nonzero(labels == label)
            assert (found is None) == (there < 20)
            assert found is None or found == pytest.approx(error[labels == label].mean(), abs=0.01)
    assert set(report["tissue_shift"]["sr"]) == {"air", "lung", "fat", "soft_tissue", "bone"}
    assert all(abs(shift) < 2 for shift in report["tissue_shift"]["sr"].values() if shift is not None)


def test_densitometry_is_that_of_the_files(reported, hu) -> None:
    folder, report = reported
    lung = lung_mask(read_volume(folder / "scan.nrrd"))
    found = report["densitometry"]
    assert found["lung_ml"] == pytest.approx(np.count_nonzero(lung) * 0.064, abs=0.1)
    fine = lung.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    for name, mask in (("scan", lung), ("sr", fine), ("cubic", fine)):
        values = hu(folder / ("scan.nrrd" if name == "scan" else f"out/{name}.nrrd"))[mask]
        assert found[name]["laa_950_percent"] == pytest.approx(100 * np.mean(values < -950), abs=0.01)
        assert found[name]["laa_910_percent"] == pytest.approx(100 * np.mean(values < -910), abs=0.01)
        assert found[name]["perc15_hu"] == pytest.approx(np.percentile(values, 15), abs=0.01)


def test_noise_power_is_a_ratio_to_cubic(reported) -> None:
    found = reported[1]["noise_power"]
    noise = found["noise_hu"]
    assert found["regions"] >= 1
    assert found["ratio"] == pytest.approx((noise["sr"] / noise["cubic"]) ** 2, rel=0.02)
    assert 0 < found["mean_frequency_per_mm"]["cubic"] < 0.25 * 3**0.5  # beyond is beyond Nyquist's


def test_a_region_has_the_tissues_of_the_whole_scan(run, reported, tmp_path: Path) -> None:
    """Its lung is measured though it is a slab of it that alone would be too little."""
    folder, _ = reported
    run(folder / "scan.nrrd", tmp_path / "out", "4:12,10:26,24:40")
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    inside = lung_mask(read_volume(folder / "scan.nrrd"))[4:12, 10:26, 24:40]
    assert report["densitometry"]["lung_ml"] == pytest.approx(np.count_nonzero(inside) * 0.064, abs=0.1)


def measured(scan: Volume) -> dict:
    error = np.zeros(scan.shape, dtype=np.float32)
    fine = scan.with_array(scan.array.repeat(2, 0), (2, 1, 1))
    target = Method("2,1,1").target_grid(scan.shape, scan.spacing)
    return ct_numbers(scan, EVERYTHING, {"sr": error, "cubic": error}, {"sr": fine, "cubic": fine}, target, Progress())


def test_values_that_are_no_hu_have_no_ct_numbers() -> None:
    grey = Volume(np.full((16, 16, 16), 40, dtype=np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    nothing = {"tissue_shift": None, "densitometry": None, "noise_power": None}
    assert measured(replace(grey, value_scale=ValueScale(0.5, 100.0))) == nothing


def test_nothing_but_padding_and_one_tissue_are_no_fault() -> None:
    flesh = Volume(np.full((16, 16, 16), 40, dtype=np.float32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)
    padding = replace(flesh, valid=np.zeros(flesh.shape, dtype=bool))
    for scan, shift in ((flesh, 0.0), (padding, None)):
        shifts = dict.fromkeys(TISSUE_RANGES) | {"soft_tissue": shift}
        expected = {"tissue_shift": {"sr": shifts, "cubic": shifts}, "densitometry": None, "noise_power": None}
        assert measured(scan) == expected
