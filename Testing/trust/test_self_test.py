"""What a scan's test is given and what it counts, with a method whose error is known in the place of the real one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.trust import self_test as module
from CTSuperResolutionLib.trust.self_test import BETWEEN_SLICES, NOISE_KEPT, SPREAD, self_test
from CTSuperResolutionLib.volume.volume import Volume

BOX = {"psf": "box", "slice_width": 4.0, "null_space": 0}


def scan_of(shape=(16, 96, 60), spacing=(4.0, 1.0, 1.0), valid=None) -> Volume:
    """Soft tissue that differs from voxel to voxel, by an amount that differs from column to column."""
    spread = np.linspace(1, 40, shape[2])
    hu = 40 + spread * np.random.default_rng(1).normal(0, 1, shape)
    return Volume(hu.astype(np.float32), spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1), valid)


@pytest.fixture
def asked(monkeypatch) -> list[SimpleNamespace]:
    """What the method was asked, which answers with 40 HU everywhere."""
    seen: list[SimpleNamespace] = []

    def answer(scan, method, *, target, findings, prior, progress):
        seen.append(SimpleNamespace(scan=scan, method=method, target=target, findings=findings))
        flat = Volume(np.full(target.shape, 40, np.float32), target.spacing, scan.origin, scan.direction)
        return SimpleNamespace(sr=flat, cubic=replace(flat, array=flat.array + 30))

    monkeypatch.setattr(module, "super_resolve", answer)
    return seen


def outcome(scan: Volume, scale: str = "4,1,1", **settings):
    method = Method(scale=scale, settings=BOX | settings)
    target = method.target_grid(scan.shape, scan.spacing)
    findings = ScanFindings.of(scan, target, method.parameters)
    return self_test(scan, target, findings, method), findings


def test_rows_are_degraded_as_slices_were_and_what_was_measured_is_the_truth(asked):
    scan = scan_of()
    found, findings = outcome(scan, error="yes", samples=3, start_step=10, null_space=1)
    (one,) = asked
    truth = scan.array.transpose(1, 0, 2)  # rows in the place of slices; all of it, for it is small
    columns = one.scan.shape[2]
    assert columns == 48  # in the middle, fewest
    truth = truth[:, :, 6:54]
    assert one.scan.shape == (24, 16, 48) and one.scan.spacing == (4.0, 4.0, 1.0)
    assert one.target.shape == truth.shape and one.target.spacing == (1.0, 4.0, 1.0)
    assert np.allclose(one.scan.array, truth.reshape(24, 4, 16, 48).mean(1), atol=1e-3)
    assert one.method.parameters.error == "no" and one.method.parameters.samples == 1
    error = np.abs(truth - 40)[8:-8, 2:-2, 2:-2]
    spread = SPREAD.of(np.full((9, 9, 9), 40.0), np.full((9, 9, 9), 70.0), [0], findings.noise.sd)[4, 4, 4]
    assert found.factor == pytest.approx(BETWEEN_SLICES * np.quantile(error, 0.9) / spread, rel=1e-3)
    assert found.rms_hu == pytest.approx(np.sqrt((error**2).mean()), rel=1e-3) and found.voxels == error.size
    cubic = np.sqrt(((truth - 70)[8:-8, 2:-2, 2:-2] ** 2).mean())
    assert found.cubic_rms_hu == pytest.approx(cubic, rel=1e-3)
    assert found.gain_db == pytest.approx(20 * np.log10(cubic / found.rms_hu), abs=1e-3)
    assert found.report()["test_gain_db"] == round(found.gain_db, 2) > 0.1
    assert found.noise_hu == pytest.approx(NOISE_KEPT * findings.noise.sd * 2)  # the mean of four halves the noise


def test_pixels_finer_than_the_results_slices_are_averaged_to_them(asked):
    scan = scan_of((14, 160, 56), (4.0, 0.5, 0.5))
    outcome(scan, "4,1,1")
    (one,) = asked
    assert one.scan.shape == (20, 14, 56) and one.scan.spacing == (4.0, 4.0, 0.5)
    rows = scan.array.transpose(1, 0, 2).reshape(20, 8, 14, 56).mean(1)
    assert np.allclose(one.scan.array, rows, atol=1e-3)


def test_what_no_scanner_measured_does_not_count(asked):
    valid = np.ones((16, 96, 60), bool)
    valid[:, :, :30] = False
    scan = scan_of(valid=valid)
    scan.array[:, :, :30] = -1024
    found, _ = outcome(scan)
    assert found.voxels == (96 - 16) * 12 * (54 - 2 - 30) and found.rms_hu < 60


@pytest.mark.parametrize(
    ("scale", "shape"), [("2", (24, 96, 60)), ("4,1,1", (11, 96, 60)), ("4,1,1", (16, 96, 40)), ("4,1,1", (16, 36, 60))]
)
def test_without_finer_slices_or_room_in_them_there_is_no_test(asked, scale, shape):
    found, _ = outcome(scan_of(shape), scale)
    assert found is None and not asked


def test_what_is_no_hu_has_none(asked):
    scan = scan_of()
    method = Method(scale="4,1,1", settings=BOX)
    target = method.target_grid(scan.shape, scan.spacing)
    findings = ScanFindings.of(scan, target, method.parameters)
    unusual = SimpleNamespace(value_scale=object())
    assert self_test(unusual, target, findings, method) is None and not asked
