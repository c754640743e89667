"""A job on a region: worked on with its margin and cut to the region."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.planning.margin import margin_of
from CTSuperResolutionLib.volume.writing import write_volume

REGION = (slice(10, 18), slice(12, 24), slice(0, 12))
THICK = Method("4,1,1", "preview", {"views": 12, "residual": "grid", "grid_steps": 1, "psf": "lanczos"}, device="cpu")


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chest of 28 x 36 x 36 voxels of 6 mm, its result, and that of a region."""
    folder = tmp_path_factory.mktemp("jobs")
    scan = degrade(thorax(shape=(56, 72, 72), spacing=3.0), (2, 2, 2), blur=0.5)
    write_volume(scan, folder / "scan.nrrd")
    run(folder / "scan.nrrd", folder / "whole")
    run(folder / "scan.nrrd", folder / "region", "10:18,12:24,:12")
    return folder


@pytest.fixture(scope="module")
def chest_of_thick_slices(run, hu, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The file of 14 slices of 12 mm, refined along z alone, and the result of all of it, HU."""
    folder = tmp_path_factory.mktemp("thick")
    scan = degrade(thorax(shape=(56, 64, 64), spacing=3.0), (4, 1, 1), blur=0.5, noise_hu=5, seed=1)
    write_volume(scan, folder / "scan.nrrd")
    run(folder / "scan.nrrd", folder / "whole", method=THICK)
    return folder / "scan.nrrd", hu(folder / "whole" / "sr.nrrd")


def report_in(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["sr", "cubic"])
def test_a_region_is_what_the_whole_scan_gives_there(folder: Path, hu, name: str) -> None:
    """Without its margin, the first two fine slices of most sides differ by 25 to 37 HU root mean square."""
    fine = tuple(slice(2 * part.start, 2 * part.stop) for part in REGION)
    whole, region = hu(folder / "whole" / f"{name}.nrrd")[fine], hu(folder / "region" / f"{name}.nrrd")
    assert region.shape == whole.shape
    error = region - whole
    for axis in range(3):
        for border in ((0, 1), (-1, -2)):
            near = error.take(border, axis)
            assert np.sqrt(np.mean(near**2)) < 9 and abs(near).max() < 50
    assert np.sqrt(np.mean(error**2)) < 6


@pytest.mark.parametrize("first", [22, 23])
def test_a_region_that_begins_anywhere_is_what_the_whole_scan_gives_there(
    chest_of_thick_slices: tuple[Path, np.ndarray], hu, run, tmp_path: Path, first: int
) -> None:
    """Where patches of the prior fell otherwise than in the whole scan, it differed by 13 HU root mean square."""
    scan, whole = chest_of_thick_slices
    run(scan, tmp_path, f":,{first}:44,{first}:44", method=THICK)
    error = hu(tmp_path / "sr.nrrd") - whole[:, first:44, first:44]
    assert np.sqrt(np.mean(error**2)) < 3 and abs(error).max() < 20


def test_a_region_says_where_it_is_and_what_margin_it_had(folder: Path) -> None:
    report = report_in(folder / "region")
    beyond = margin_of((2, 2, 2))[0]
    assert report["margin"] == [[beyond, beyond], [beyond, beyond], [0, beyond]]
    assert report["input"]["shape"] == [8, 12, 12] and report["output"]["shape"] == [16, 24, 24]
    scan, sr = (sitk.ReadImage(str(folder / name)) for name in ("scan.nrrd", "region/sr.nrrd"))
    assert sr.GetSize() == (24, 24, 16)
    assert np.allclose(report["input"]["origin_mm"], scan.TransformIndexToPhysicalPoint((0, 12, 10)))
    assert np.allclose(sr.GetOrigin(), scan.TransformContinuousIndexToPhysicalPoint((-0.25, 11.75, 9.75)))
    assert report_in(folder / "whole")["margin"] == [[0, 0], [0, 0], [0, 0]]


def test_the_consistency_is_that_of_the_region_with_its_margin(folder: Path, hu, residual, norms) -> None:
    """A of the region's file alone sees nothing beyond it, and is far from the scan along the region's sides."""
    scan, said = hu(folder / "scan.nrrd"), report_in(folder / "region")["consistency"]["sr"]["rms_hu"]
    around = norms(residual(hu(folder / "whole" / "sr.nrrd"), scan)[REGION])["rms_hu"]
    alone = norms(residual(hu(folder / "region" / "sr.nrrd"), scan[REGION]))["rms_hu"]
    assert said == pytest.approx(around, abs=0.8) and said < 0.4 * alone
