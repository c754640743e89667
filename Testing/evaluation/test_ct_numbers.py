"""CT numbers of evaluated results whose errors were put there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.evaluation.ct_numbers import CT_NUMBERS, ct_number_scores
from CTSuperResolutionLib.evaluation.scores import score
from CTSuperResolutionLib.phantom import thorax

FACTORS = (2, 2, 2)


@pytest.fixture(scope="module")
def case():
    """A chest with lung, and what a scanner of half the resolution sees of it."""
    reference = thorax(shape=(48, 72, 96), spacing=2.0)
    return reference, degrade(reference, FACTORS)


def scores(result, reference, scan):
    degradation = make_degradation(reference.shape, FACTORS, blur=1.0)
    residual = degradation.A(torch.from_numpy(result.array)) - torch.from_numpy(scan.array)
    cubic = scan.with_array(upsample(torch.from_numpy(scan.array), FACTORS).numpy(), FACTORS)
    return ct_number_scores(result, reference, cubic, scan, residual.numpy())


def test_the_truth_has_no_error(case):
    reference, scan = case
    found = scores(reference, reference, scan)
    assert set(found) == set(CT_NUMBERS)
    assert found["worst_shift_scan_hu"] == pytest.approx(0, abs=1e-3) and found["worst_shift_truth_hu"] == 0
    assert found["laa_950_percent_error"] == found["perc15_hu_error"] == 0
    assert found["noise_power_ratio"] == found["noise_power_ratio_reference"] > 1


def test_a_known_shift_is_found_against_the_scan_and_against_the_truth(case):
    reference, scan = case
    shifted = reference.with_array(reference.array + np.where(reference.array < -500, -4, 3))
    found = scores(shifted, reference, scan)
    for against in ("scan", "truth"):
        assert found[f"shift_soft_tissue_{against}_hu"] == pytest.approx(3, abs=0.1)
        assert found[f"shift_air_{against}_hu"] == pytest.approx(-4, abs=0.1)
        assert found[f"worst_shift_{against}_hu"] == pytest.approx(4, abs=0.1)
    assert found["perc15_hu_error"] == pytest.approx(-4) and found["laa_910_percent_error"] > 0
    assert found["perc15_hu"] == found["perc15_hu_reference"] - 4


def test_scores_have_them(case):
    reference, scan = case
    found = score(reference, reference, scan, 1.0)
    assert {name: found[name] for name in CT_NUMBERS} == pytest.approx(scores(reference, reference, scan))


def test_what_is_not_there_is_not_measured(volume):
    flesh = volume(np.full((16, 16, 16), 40.0))
    found = scores(flesh, flesh, degrade(flesh, FACTORS))
    shifts = {"shift_soft_tissue_scan_hu", "shift_soft_tissue_truth_hu", "worst_shift_scan_hu", "worst_shift_truth_hu"}
    assert {name for name, value in found.items() if value is not None} == shifts
