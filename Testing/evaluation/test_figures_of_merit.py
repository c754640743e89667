"""Metrics, tissues and edges on volumes whose figures are known in closed form."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import erf
from skimage.metrics import structural_similarity

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.evaluation.edges import edge_rise
from CTSuperResolutionLib.evaluation.metrics import slice_step_error, ssim, ssim_3d
from CTSuperResolutionLib.evaluation.scores import score
from CTSuperResolutionLib.evaluation.table import SCORES
from CTSuperResolutionLib.evaluation.tissues import tissue_error

RISE_OF_SIGMA = 2 * 1.2815515655446004  # 10-90 % of a Gaussian's integral


def test_planes_are_those_of_the_array_axes(volume):
    """Against a library on slices cut by hand; noise in one slice spoils that plane's slices differently."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 300, (9, 10, 11))
    wrong = truth + np.where(np.arange(11) == 5, 800, 0)
    unit = [(np.clip(a, -512, 3071) + 512) / 3583 for a in (wrong, truth)]
    slices = {
        "axial": [(unit[0][k], unit[1][k]) for k in range(9)],
        "coronal": [(unit[0][:, k], unit[1][:, k]) for k in range(10)],
        "sagittal": [(unit[0][..., k], unit[1][..., k]) for k in range(11)],
    }
    found = {}
    for plane, pairs in slices.items():
        expected = np.mean([structural_similarity(a, b, data_range=1.0) for a, b in pairs])
        found[plane] = ssim(volume(wrong), volume(truth), plane)
        assert found[plane] == pytest.approx(expected, abs=1e-4)
    assert len({round(value, 4) for value in found.values()}) == 3
    assert ssim_3d(volume(truth), volume(truth)) == pytest.approx(1)
    assert ssim_3d(volume(wrong), volume(truth)) < 0.99


def test_in_nothing_but_air_there_is_no_psnr(volume):
    """Below -512 HU all is equal to the metric; one voxel of tissue is not. Every score is a number or None."""
    truth = volume(np.random.default_rng(0).normal(-900, 20, (16, 16, 16)))
    scan = degrade(truth, (2, 2, 2))
    found = score(volume(truth.array + 5), truth, scan, 1.0)
    assert set(found) == set(SCORES) and found["psnr_db"] is None and found["ssim"] == pytest.approx(1)
    json.dumps(found, allow_nan=False)
    spot = truth.array.copy()
    spot[8, 8, 8] = -512 + 358.3
    assert score(volume(spot), truth, scan, 1.0)["psnr_db"] == pytest.approx(20 + 10 * np.log10(16**3), abs=1e-3)


def test_slices_that_jump_are_counted_along_their_own_axis(volume):
    truth = np.random.default_rng(0).normal(0, 300, (8, 9, 10)).astype(np.float32)
    jumping = truth + 7 * (-1.0) ** np.arange(8)[:, None, None] + 20
    steps = {plane: slice_step_error(volume(jumping), volume(truth), plane) for plane in ("axial", "coronal")}
    assert steps["axial"] == pytest.approx(14, abs=1e-3)
    assert steps["coronal"] == pytest.approx(0, abs=1e-3)


def test_bias_and_noise_are_those_of_the_tissue(volume):
    rng = np.random.default_rng(0)
    truth = np.full((30, 30, 30), 3.0)
    truth[:10] = -800
    truth[10:12] = 180  # contrast medium, perhaps; no tissue for sure
    truth[29, 29, :] = 900  # too little bone to say anything
    error = np.where(truth == -800, rng.normal(25, 4, truth.shape), np.where(truth == 180, 60, -6))
    lung = tissue_error(volume(truth + error), volume(truth), "lung")
    assert lung == pytest.approx((25, 4), abs=0.2)
    assert tissue_error(volume(truth + error), volume(truth), "soft_tissue") == pytest.approx((-6, 0), abs=1e-3)
    assert tissue_error(volume(truth + error), volume(truth), "bone") is None


def _step(sigma: float, axis: int, height: float = 1000.0) -> np.ndarray:
    """A step blurred by a Gaussian, along one axis, 48 voxels each."""
    profile = height / 2 * erf((np.arange(48) - 23.3) / (np.sqrt(2) * sigma))
    return np.broadcast_to(np.moveaxis(profile[:, None, None], 0, axis), (48, 48, 48)).copy()


@pytest.mark.parametrize(("axis", "spacing"), [(0, 3.0), (1, 0.8), (2, 0.5)])
def test_the_rise_of_a_blurred_step(volume, axis, spacing):
    spacings = tuple(spacing if k == axis else 1.7 for k in range(3))
    found = edge_rise(volume(_step(3.0, axis), spacings), volume(_step(1.5, axis), spacings))
    # Straight lines between samples take corners off the curve, the more the fewer samples an edge has.
    assert found.reference_mm == pytest.approx(RISE_OF_SIGMA * 1.5 * spacing, rel=0.06)
    assert found.rise_mm == pytest.approx(RISE_OF_SIGMA * 3.0 * spacing, rel=0.02)
    assert found.lost == 0
    profile = _step(1.5, 0)[:, 0, 0]
    ends = np.interp(profile[0] + np.array([0.1, 0.9]) * np.ptp(profile), profile, np.arange(48.0))
    assert found.reference_mm == pytest.approx(np.ptp(ends) * spacing, rel=1e-3)


def test_falling_edges_count_as_rising_ones_do(volume):
    found = edge_rise(volume(-_step(2.0, 1)), volume(-_step(1.5, 1)))
    assert found.rise_mm == pytest.approx(RISE_OF_SIGMA * 2.0, rel=0.02)


def test_edges_that_are_gone_are_lost_and_not_sharp(volume):
    truth = volume(_step(1.5, 2))
    for gone in (np.zeros((48, 48, 48)), 0.4 * _step(1.0, 2), -_step(1.5, 2)):
        found = edge_rise(volume(gone), truth)
        assert (found.rise_mm, found.lost) == (None, 1)
    half = _step(1.5, 2)
    half[:24] = 0
    found = edge_rise(volume(half), truth)
    assert found.lost == pytest.approx(0.5) and found.rise_mm == pytest.approx(found.reference_mm)


def test_without_edges_there_is_no_rise(volume):
    flat = volume(np.random.default_rng(0).normal(0, 10, (20, 20, 20)))
    found = edge_rise(flat, flat)
    assert (found.rise_mm, found.reference_mm, found.lost) == (None, None, None)


def test_the_sharpest_edges_are_looked_at(volume):
    """Nine soft edges for every sharp one: the rise is that of the sharp one."""
    truth = _step(2.5, 0)
    truth[:, :5] = _step(1.0, 0)[:, :5]  # 5 of 48 rows
    found = edge_rise(volume(truth), volume(truth))
    assert found.rise_mm == found.reference_mm == pytest.approx(RISE_OF_SIGMA * 1.0, rel=0.08)
