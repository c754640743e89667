"""Scans with few views on the command line: simulate, reconstruct and train-slice-fixer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.cli.main import main

Ctsr = Callable[..., object]


def test_simulate_writes_a_stack_its_geometry_and_what_was_scanned(ctsr_here: Ctsr, scan: Path, tmp_path: Path) -> None:
    """The sum over a view of a parallel beam is the object's mass, whatever the angle; ITK reads the stack."""
    out = tmp_path / "out"
    options = ["--views", 5, "--geometry", "parallel", "--photons", 0, "--events", "json"]
    ended = ctsr_here("simulate", scan, out, *options)
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == {"projections.nrrd", "geometry.json", "truth.nrrd"}
    stack = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "projections.nrrd")))
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "truth.nrrd"), sitk.sitkFloat64))
    geometry = json.loads((out / "geometry.json").read_text())
    dv, du = geometry["detector_spacing_mm"]
    # Attenuation of water is 0.02 per mm; voxels are 6 mm, and every slice a row of the detector.
    mass = 0.02 * np.maximum(1 + truth / 1000, 0).sum() * 6.0**3
    assert stack.shape == tuple(ended.events[-1]["shape"]) and np.allclose(stack.sum((1, 2)) * dv * du, mass, rtol=2e-3)
    assert geometry["made"]["photons"] == 0 and geometry["made"]["input"] == scan.name


def test_simulate_refuses_what_is_no_scan_before_it_reads(ctsr_here: Ctsr, scan: Path, tmp_path: Path) -> None:
    for options, said in (
        (["--geometry", "fan"], "choose cone or parallel"),
        (["--views", "0"], "from 2 to 10000 views"),
        (["--crop", "4,4"], "three numbers of voxels"),
        (["--iso", "-1"], "--iso is to be from 0"),
        (["--source-to-axis", "20"], "too near the X-ray source"),
    ):
        ended = ctsr_here("simulate", scan, tmp_path / "out", *options)
        assert ended.code == 2 and said in ended.err and not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def projections(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("projections") / "scan"
    assert main(["simulate", str(scan), str(out), "--views", "30", "--geometry", "parallel"]) == 0
    return out


def test_reconstruct_gives_hu_in_the_ct_s_place_with_its_provenance(
    ctsr_here: Ctsr, projections: Path, tmp_path: Path
) -> None:
    truth = projections / "truth.nrrd"
    ended = ctsr_here(
        "reconstruct", projections, tmp_path, "--method", "sart", "--set", "sart_sweeps=4", "--reference", truth,
        "--device", "cpu", "--events", "json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    names = {"reconstruction.nrrd", "fdk.nrrd", "reconstruction.png", "result.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    image, there = (sitk.ReadImage(str(path)) for path in (tmp_path / "reconstruction.nrrd", truth))
    assert (image.GetOrigin(), image.GetSpacing(), image.GetDirection()) == (
        there.GetOrigin(), there.GetSpacing(), there.GetDirection(),
    )  # fmt: skip
    found, expected = (np.clip(sitk.GetArrayFromImage(i).astype(float), -1000, 1000) for i in (image, there))
    psnr = -10 * np.log10(np.mean(((found - expected) / 2000) ** 2))
    (plan,) = (event for event in ended.events if event["event"] == "plan")
    stages = [event["stage"] for event in ended.events if event["event"] == "progress"]
    assert list(plan["stages"]) == ["filter", "fit", "compare", "write"] and set(plan["stages"]) < set(stages)
    report = json.loads((tmp_path / "result.json").read_text())
    assert report["scores"]["sart"]["psnr_db"] == pytest.approx(psnr, abs=0.02) and psnr > 20
    assert report["job"]["method"] == "sart" and report["parameters"]["sart_sweeps"] == 4 and report["stages"]["fit"]
    assert "not for diagnosis" in image.GetMetaData("CTSR_note")


def test_reconstruct_in_attenuation_per_mm(ctsr_here: Ctsr, projections: Path, tmp_path: Path) -> None:
    for unit in ("hu", "attenuation"):
        ended = ctsr_here("reconstruct", projections, tmp_path / unit, "--method", "fdk", "--unit", unit)
        assert ended.code == 0, ended.err
    hu, per_mm = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / unit / "reconstruction.nrrd"), sitk.sitkFloat64))
        for unit in ("hu", "attenuation")
    )
    assert np.abs(per_mm - 0.02 * (1 + hu / 1000)).max() < 0.02 * 0.6e-3


def test_reconstruct_refuses_in_one_sentence_and_leaves_nothing(
    ctsr_here: Ctsr, projections: Path, scan: Path, tmp_path: Path
) -> None:
    for options, said in (
        (["--method", "sort"], "nearest is 'sart'"),
        (["--set", "sart_sweep=3"], "nearest is 'sart_sweeps'"),
        (["--set", "sart_sweeps=0"], "between 1 and"),
        (["--unit", "mm"], "choose hu or attenuation"),
        (["--prior", "x"], "leave the slice fixer out"),
        (["--method", "diffnr", "--prior", tmp_path / "none"], "has no config.json"),
        (["--size", "4,4"], "three numbers"),
        (["--spacing", "0"], "from 0.01 to 100"),
        (["--size", "8,8,8", "--reference", scan], "on the same grid"),
        (["--spacing", "9", "--reference", scan], "of 9 x 9 x 9 mm; give one on the same grid"),
        (["--size", "4000,4000,4000"], "choose a smaller --size or a larger --spacing"),
    ):
        ended = ctsr_here("reconstruct", projections, tmp_path / "out", *options)
        assert ended.code == 2 and said in ended.err and not (tmp_path / "out").exists()


def test_the_same_seed_gives_the_same_gaussians(ctsr_here: Ctsr, projections: Path, tmp_path: Path) -> None:
    options = ["--method", "gaussians", "--set", "gaussian_steps=5", "--set", "gaussians=200", "--device", "cpu"]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert ctsr_here("reconstruct", projections, tmp_path / name, *options, "--seed", seed).code == 0
    a, b, c = ((tmp_path / name / "reconstruction.nrrd").read_bytes()[-2000:] for name in "abc")
    assert a == b != c


@pytest.mark.slow
def test_a_trained_fixer_repairs_within_the_fit(ctsr_here: Ctsr, tmp_path: Path) -> None:
    """The whole way, as small as it goes: train on a phantom, scan it, reconstruct by DiffNR on either backbone."""
    from CTSuperResolutionLib.phantom import thorax
    from CTSuperResolutionLib.volume.writing import write_volume

    ct, fixer = tmp_path / "ct.nrrd", tmp_path / "fixer"
    write_volume(thorax(shape=(40, 64, 64), spacing=5.0), ct)
    train = ["--scans", 1, "--steps", 3, "--channels", 8, "--device", "cpu"]
    assert ctsr_here("train-slice-fixer", ct, "--out", fixer, *train).code == 0
    assert ctsr_here("simulate", ct, tmp_path / "scan", "--views", 10, "--geometry", "parallel").code == 0
    for backbone in ("gaussians", "naf"):
        options = ["--set", f"backbone={backbone}", "--set", "gaussian_steps=8", "--set", "naf_steps=8"]
        options += ["--set", "rays=64", "--set", "gaussians=300", "--prior", fixer, "--device", "cpu"]
        out = tmp_path / backbone
        ended = ctsr_here("reconstruct", tmp_path / "scan", out, "--method", "diffnr", *options)
        assert ended.code == 0, ended.err
        report = json.loads((out / "result.json").read_text())
        assert report["slice_fixer"]["trained_on"] == ["ct"] and len(report["slice_fixer"]["sha256"]) == 64
