"""The reference and the scan against plain scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.volume.volume import Volume

PAPER = EvaluationProtocol(iso_mm=1.0, crop=(40, 64, 48), blur=1.0, noise_hu=0.0, seed=0)


@pytest.fixture(scope="module")
def ct() -> Volume:
    rng = np.random.default_rng(5)
    hu = ndi.gaussian_filter(rng.normal(0, 6000, (30, 90, 80)), 1.5).astype(np.float32)
    return Volume(hu, (2.0, 0.7, 0.8), (10.0, -20.0, 30.0), (0, 1, 0, -1, 0, 0, 0, 0, 1))


def test_the_reference_is_clipped_isotropic_and_in_the_middle(ct):
    found = PAPER.reference(ct)
    hu = np.clip(ct.array, -1024, 3071)
    assert (hu != ct.array).any()
    hu = ndi.gaussian_filter(hu, (0, 0.3 / 0.7, 0.3 / 0.8))
    hu = ndi.zoom(hu, (2.0, 0.7, 0.8), order=1)
    assert hu.shape == (60, 63, 64)
    expected = hu[10:50, :56, 8:56]  # 40 of 60; all of 63, cut to 56; 48 of 64
    assert found.spacing == (1.0, 1.0, 1.0) and np.array_equal(found.array, expected)
    # Where a sample lies in the patient: by its own index in the CT, ITK's rule.
    index = np.array([10 * 29 / 59, 0, 8 * 79 / 63])
    assert np.allclose(found.origin, ct.point(index))
    assert found.direction == ct.direction


def test_the_ct_s_own_grid(ct):
    found = EvaluationProtocol(0, (1000, 1000, 48), 1.0, 0.0, 0).reference(ct)
    assert found.spacing == ct.spacing and found.shape == (24, 88, 48)
    assert np.array_equal(found.array, np.clip(ct.array, -1024, 3071)[:24, :88, 16:64])
    assert np.allclose(found.origin, ct.point((0, 0, 16)))


@pytest.mark.parametrize("blur", [1.0, 1.7])
def test_the_scan_is_blurred_and_sampled(ct, blur):
    reference = PAPER.reference(ct)
    protocol = EvaluationProtocol(1.0, PAPER.crop, blur, 0.0, 0)
    whole, scan = protocol.scan("ct", reference, (4, 4, 4))
    assert np.array_equal(whole.array, reference.array)
    expected = ndi.gaussian_filter(reference.array.astype(float), blur, mode="nearest")
    for axis, n in enumerate(reference.shape):
        distance = (np.arange(n) - (4 * np.arange(n // 4)[:, None] + 1.5)) / 4
        weights = np.where(abs(distance) < 5, np.sinc(distance) * np.sinc(distance / 5), 0)
        weights /= weights.sum(1, keepdims=True)
        expected = np.moveaxis(np.tensordot(weights, expected, axes=(1, axis)), 0, axis)
    assert np.abs(scan.array - expected).max() < 0.01
    assert scan.spacing == (4.0, 4.0, 4.0)


def test_noise_is_of_the_given_strength_and_seed(ct):
    reference = PAPER.reference(ct)
    clean = PAPER.scan("ct", reference, (1, 2, 2))[1].array
    noisy = [
        EvaluationProtocol(1.0, PAPER.crop, 1.0, 20.0, s).scan("ct", reference, (1, 2, 2))[1].array for s in (3, 3, 4)
    ]
    assert (noisy[0] - clean).std() == pytest.approx(20, rel=0.03)
    assert np.array_equal(noisy[0], noisy[1]) and not np.array_equal(noisy[0], noisy[2])


def test_factors_that_do_not_divide_cut_the_reference(ct):
    whole, scan = PAPER.scan("ct", PAPER.reference(ct), (5, 5, 5))
    assert whole.shape == (40, 55, 45) and scan.shape == (8, 11, 9)


def test_a_spacing_that_would_fill_the_memory_is_refused(ct):
    """60 x 63 x 64 mm: 31 µm is 8.1e9 voxels; the crop would be small."""
    with pytest.raises(JobError, match=r"30 x 90 x 80 voxels .* at 0.031 mm; choose a larger iso\."):
        EvaluationProtocol(0.031, PAPER.crop, 1.0, 0.0, 0).reference(ct)


def test_a_ct_that_is_too_small_is_named(ct):
    with pytest.raises(JobError, match=r"The CT knee is too small: its reference has 40 x 56 x 48 voxels .* 64 x 64"):
        PAPER.scan("knee", PAPER.reference(ct), (8, 8, 8))
