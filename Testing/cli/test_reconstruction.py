"""Scans with few views on the command line: simulate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

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
