"""Lesions in a chest, found in what different upsamplings make of it, and the command that does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndi
import SimpleITK as sitk

from CTSuperResolutionLib.audit.experiment import LesionExperiment
from CTSuperResolutionLib.audit.lesions import Lesion
from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

QUICK = {"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000}


@pytest.fixture(scope="module")
def chest() -> Volume:
    return thorax(shape=(48, 72, 96), spacing=2.0)


def blurred(ct: Volume, seed: int) -> dict[str, np.ndarray]:
    """What two imaginary methods make of a CT in noise, and one that shows nothing at all of it."""
    noise = np.random.default_rng(seed).normal(0, 60, ct.shape)
    return {
        "cubic": ndi.gaussian_filter(ct.array, 1.1) + noise,
        "sr": ndi.gaussian_filter(ct.array, 0.5) + noise,
        "blind": noise,
    }


def test_the_sharper_method_sees_more_measures_better_and_the_blind_one_sees_nothing(chest) -> None:
    lesions = (Lesion("nodule", 4.0, 150.0), Lesion("nodule", 6.0, 800.0))
    faint, large = LesionExperiment(chest, lesions, (4.0, 4.0, 4.0), 30, seed=0).run(blurred, Progress())
    for row in (faint, large):
        found = row["methods"]
        assert row["places"] >= 12
        assert row["beyond_cubic"]["sr"][1] > 0  # certainly more
        assert found["blind"]["d_prime"][0] < 1 and found["blind"]["d_prime"][1] < 0.3
        assert found["sr"]["area"] >= found["cubic"]["area"]
    assert large["methods"]["cubic"]["area"] > 0.9
    assert large["methods"]["sr"]["d_prime"][0] > 2 * faint["methods"]["sr"]["d_prime"][0]
    error, low, high = large["methods"]["sr"]["size_error_mm"]
    assert -1 < low <= error <= high < 1
    assert large["methods"]["sr"]["sized"] > 0.4 > large["methods"]["cubic"]["sized"]  # blur runs into what is around
    assert large["methods"]["blind"]["size_error_mm"] is None


def test_one_seed_gives_one_table(chest) -> None:
    lesions = (Lesion("calcification", 3.0, 400.0),)
    first, again = (
        LesionExperiment(chest, lesions, (2.0, 2.0, 2.0), 15, seed=3).run(blurred, Progress()) for _ in range(2)
    )
    assert first == again


def test_structure_of_a_run_is_compared_with_the_truth(chest, tmp_path: Path, capfd) -> None:
    result = super_resolve(degrade(chest, (2, 2, 2)), Method("2", "preview", {**QUICK, "psf": "lanczos"}, device="cpu"))
    (tmp_path / "run").mkdir()
    for name in ("sr", "cubic", "measured"):
        write_volume(getattr(result, name), tmp_path / "run" / f"{name}.nrrd")
    write_volume(chest, tmp_path / "truth.nrrd")
    places = [str(tmp_path / name) for name in ("run", "truth.nrrd", "out")]
    assert main(["audit", "structure", *places]) == 0
    shown = capfd.readouterr().out
    report = json.loads((tmp_path / "out" / "structure.json").read_text(encoding="utf-8"))["volumes"]
    flagged = {name: one["invented_percent"] + one["lost_percent"] for name, one in report.items()}
    assert flagged["cubic"] <= 6 and report["sr"]["agreement_per_mm"] > report["cubic"]["agreement_per_mm"]
    assert "| sr |" in shown and "structure.nrrd" in shown
    image = sitk.ReadImage(str(tmp_path / "out" / "structure.nrrd"))
    assert image.GetSize() == chest.shape[::-1] and set(np.unique(sitk.GetArrayFromImage(image))) <= {0, 1, 2}
    write_volume(chest.crop((slice(1, 48), slice(0, 72), slice(0, 96))), tmp_path / "truth.nrrd")
    assert main(["audit", "structure", *places]) == 2
    assert "does not lie on the grid" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["look", "a", "b"], "no action of ctsr audit"),
        (["structure", "a"], "takes 3 paths and not 1"),
        (["lesions", "a", "b", "--kind", "mass"], "no kind of lesion"),
        (["lesions", "a", "b", "--scale", "isotropic"], "Whole factors"),
        (["lesions", "a", "b", "--places", "0"], "--places is to be from 1"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_read(arguments, sentence, capfd) -> None:
    assert main(["audit", *arguments]) == 2
    assert sentence in capfd.readouterr().err


@pytest.mark.slow
def test_lesions_are_put_into_a_ct_and_looked_for(chest, tmp_path: Path, capfd) -> None:
    write_volume(chest, tmp_path / "ct.nrrd")
    settings = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
    command = ["audit", "lesions", str(tmp_path / "ct.nrrd"), str(tmp_path / "out"), "--scale", "2,1,1"]
    assert (
        main([*command, "--diameter", "4", "--places", "14", "--preset", "preview", "--device", "cpu", *settings]) == 0
    )
    (row,) = json.loads((tmp_path / "out" / "lesions.json").read_text(encoding="utf-8"))["lesions"]
    assert set(row["methods"]) == {"cubic", "measured", "sr", "reference"}
    assert set(row["beyond_cubic"]) == {"measured", "sr", "reference"}
    assert all(method["area"] > 0.8 for method in row["methods"].values())
    assert "nodule, 4 mm, +800 HU" in capfd.readouterr().out
