"""The scanner's blur and sampling: values against scipy and against the definition of a pseudo-inverse."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.operator import assumed_blur, make_degradation
from CTSuperResolutionLib.volume.checks import AIR_HU

CASES = [
    ((12, 16, 24), (4, 4, 4), "lanczos", 1.0),
    ((12, 16, 24), (2, 2, 2), "lanczos", 0.5),
    ((20, 9, 11), (5, 1, 1), "lanczos", 1.5),
    ((16, 24, 8), (8, 8, 8), "mean", 0.0),
    ((6, 4, 10), (1, 2, 2), "mean", 0.0),
]


@pytest.fixture(params=CASES, ids=str)
def case(request):
    shape, scale, kernel, blur = request.param
    fine = torch.from_numpy(np.random.default_rng(3).standard_normal(shape))
    return make_degradation(shape, scale, kernel=kernel, blur=blur), fine, scale


def test_pseudo_inverse_satisfies_the_moore_penrose_conditions(case):
    degradation, fine, _ = case
    coarse = degradation.A(fine)
    inverse = degradation.A_dagger
    torch.testing.assert_close(degradation.A(inverse(coarse)), coarse)  # A A† y = y: every row is measured
    once = inverse(degradation.A(fine))
    torch.testing.assert_close(inverse(degradation.A(once)), once)
    other = torch.from_numpy(np.random.default_rng(4).standard_normal(tuple(fine.shape)))
    projected = inverse(degradation.A(other))
    assert torch.sum(projected * fine).item() == pytest.approx(torch.sum(other * once).item())  # A†A is symmetric


def test_consistent_gives_the_scan_back_and_leaves_the_null_space_alone(case):
    degradation, fine, _ = case
    scan = degradation.A(torch.from_numpy(np.random.default_rng(5).standard_normal(tuple(fine.shape))))
    result = degradation.enforce(fine, scan)
    torch.testing.assert_close(degradation.A(result), scan)
    change = result - fine
    torch.testing.assert_close(degradation.A_dagger(degradation.A(change)), change)


def test_a_constant_stays_constant(case):
    degradation, fine, _ = case
    coarse = degradation.A(torch.ones_like(fine))
    torch.testing.assert_close(coarse, torch.ones_like(coarse))


def test_mean_kernel_is_block_averaging(case):
    fine = torch.arange(8 * 6 * 4, dtype=torch.float64).reshape(8, 6, 4)
    coarse = make_degradation((8, 6, 4), (4, 2, 2), kernel="mean").A(fine)
    torch.testing.assert_close(coarse, fine.reshape(2, 4, 3, 2, 2, 2).mean((1, 3, 5)))


def test_lanczos_is_a_gaussian_then_a_windowed_sinc_at_the_coarse_centres():
    """Against scipy's Gaussian and the sinc written out for one sample."""
    fine = np.random.default_rng(0).standard_normal(60)
    coarse = make_degradation((60,), (4,), blur=1.3).A(torch.from_numpy(fine))
    smooth = ndi.gaussian_filter1d(fine, 1.3, mode="nearest")
    distance = (np.arange(60) - (7 * 4 + 1.5)) / 4
    weights = np.where(abs(distance) < 5, np.sinc(distance) * np.sinc(distance / 5), 0)
    assert coarse[7].item() == pytest.approx(np.sum(weights * smooth) / weights.sum(), abs=1e-12)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_slow_wave_is_sampled_at_the_centres_of_the_coarse_voxels(scale):
    """A half-voxel error would shift the phase; the blur only scales the amplitude."""
    size, frequency = 64 * scale, 1 / (16 * scale)
    fine = torch.from_numpy(np.sin(2 * np.pi * frequency * (np.arange(size) + 0.5)))
    coarse = make_degradation((size,), (scale,)).A(fine).numpy()
    at = (np.arange(64) + 0.5) * scale
    inner = slice(8, -8)
    sine, cosine = np.sin(2 * np.pi * frequency * at)[inner], np.cos(2 * np.pi * frequency * at)[inner]
    assert abs(coarse[inner] @ cosine) / (coarse[inner] @ sine) < 2e-3


@given(st.integers(2, 20), st.integers(2, 8), st.sampled_from(["lanczos", "mean"]), st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_any_size_and_factor(coarse_size, scale, kernel, blur):
    size = coarse_size * scale
    degradation = make_degradation((size,), (scale,), kernel=kernel, blur=blur)
    fine = torch.from_numpy(np.random.default_rng(1).standard_normal(size))
    coarse = degradation.A(fine)
    assert coarse.shape == (coarse_size,)
    # Where the blur hides directions from the scan, A† leaves them out; what is left is still reproduced.
    projected = degradation.A(degradation.A_dagger(coarse))
    torch.testing.assert_close(degradation.A(degradation.A_dagger(projected)), projected)
    if kernel == "mean" or blur <= 0.25 * scale:
        torch.testing.assert_close(projected, coarse)


def test_damped_is_tikhonovs_fit():
    """Written out with the full matrix: A (AᵀA + λ²)⁻¹ Aᵀ."""
    shape, scale, damping = (8, 12, 16), (4, 1, 4), 0.2
    degradation = make_degradation(shape, scale)
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.standard_normal((2, 12, 4)))
    matrix = np.kron(degradation.axes[0].matrix, np.kron(np.eye(12), degradation.axes[2].matrix))
    damping_squared = (damping * np.linalg.norm(matrix, 2)) ** 2
    square = matrix @ matrix.T
    fit = square @ np.linalg.solve(square + damping_squared * np.eye(len(square)), coarse.numpy().ravel())
    torch.testing.assert_close(degradation.damped(coarse, damping), torch.from_numpy(fit.reshape(2, 12, 4)))


def test_assumed_blur_leaves_something_to_sharpen():
    assert assumed_blur(1.0, (8, 4, 2)) == (1.0, 1.0, 0.5)


def test_a_size_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match="blocks of 4"):
        make_degradation((10,), (4,))


def consistency(scan, degradation, *, rounds):
    return DataConsistency(degradation, scan, scan, rounds)


class TestDataConsistency:
    def test_the_truth_stays(self):
        truth = torch.full((16, 16, 16), AIR_HU)
        truth[4:12, 4:12, 4:12] = 40.0
        degradation = make_degradation(truth.shape, (4, 4, 4))
        result = consistency(degradation.A(truth), degradation, rounds=3).enforce(truth)
        torch.testing.assert_close(result, truth, atol=0.05, rtol=0)

    def test_the_bounds_take_ringing_back(self):
        """Sharpening alone rings below air; with the bounds the result is nearer to the truth."""
        truth = torch.full((32, 32, 32), -1000.0)
        truth[10:22, 10:22, 10:22] = 1000.0
        degradation = make_degradation(truth.shape, (4, 4, 4))
        scan = degradation.A(truth)
        blurred = degradation.A_dagger(scan)
        alone = degradation.enforce(blurred, scan)
        bounded = consistency(scan, degradation, rounds=12).enforce(blurred)
        assert alone.min() < AIR_HU - 50 and bounded.min() >= AIR_HU
        assert (bounded - truth).square().mean() < 0.9 * (alone - truth).square().mean()
        assert (degradation.A(bounded) - scan).square().mean().sqrt() < 0.02 * scan.std()

    def test_what_was_not_measured_demands_nothing(self):
        """A nonsense value there changes nothing, and what agrees with the rest stays."""
        truth = torch.full((16, 16, 16), 40.0)
        degradation = make_degradation(truth.shape, (4, 4, 4))
        scan, measured = degradation.A(truth), torch.ones(4, 4, 4, dtype=torch.bool)
        scan[1, 2, 1:3], measured[1, 2, 1:3] = -3024.0, False
        demands = DataConsistency(degradation, scan, scan, 4, measured)
        torch.testing.assert_close(demands.enforce(truth), truth, atol=0.05, rtol=0)
        taken_for_measured = consistency(scan, degradation, rounds=4)
        assert (taken_for_measured.enforce(truth) - truth).abs().max() > 500

    def test_metal_beyond_twelve_bits_raises_the_ceiling(self):
        scan = torch.full((4, 4, 4), 9000.0)
        degradation = make_degradation((16, 16, 16), (4, 4, 4))
        assert float(consistency(scan, degradation, rounds=4).enforce(torch.zeros(16, 16, 16)).max()) > 8000
