"""Point-spread functions against their closed forms, and what they sample."""

import numpy as np
import pytest
from scipy.integrate import quad

from CTSuperResolutionLib.degradation.point_spread import FAMILIES, PointSpread, psf_matrix

SHAPES = {
    "gaussian": lambda t: 2 * np.sqrt(np.log(2) / np.pi) * np.exp(-4 * np.log(2) * t**2),
    "triangle": lambda t: max(0.0, 1 - abs(t)),
    "box": lambda t: float(abs(t) < 0.5),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("distance", [-3.0, -0.9, -0.2, 0.0, 0.4, 1.1, 5.0])
def test_the_integral_is_that_of_a_function_of_its_width_at_half_its_height(family, distance):
    fwhm = 1.7
    expected, _ = quad(SHAPES[family], -20, distance / fwhm, points=[-1, -0.5, 0, 0.5, 1], limit=200)
    assert PointSpread(family, fwhm).integral(np.array(distance)) == pytest.approx(expected, abs=1e-7)
    height = SHAPES[family](0.0)
    assert SHAPES[family](0.4999) >= height / 2 * (1 - 1e-3) and SHAPES[family](0.5001) <= height / 2 * (1 + 1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("coarse", "fine"), [((6, 5.0), (30, 1.0)), ((7, 2.5), (21, 0.8333333333333334))])
def test_a_straight_ramp_is_sampled_at_the_coarse_centres(family, coarse, fine):
    """Symmetric kernels leave straight lines where no border is near, wherever the centres lie."""
    matrix = psf_matrix(PointSpread(family, 1.2 * coarse[1]), coarse, fine)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)
    assert matrix.min() >= 0
    ramp = (np.arange(fine[0]) - (fine[0] - 1) / 2) * fine[1]
    centres = (np.arange(coarse[0]) - (coarse[0] - 1) / 2) * coarse[1]
    np.testing.assert_allclose((matrix @ ramp)[2:-2], centres[2:-2], atol=1e-3 * coarse[1])


@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.7])
def test_a_fine_row_may_have_its_middle_elsewhere(shift):
    """Against sums over a hundred times finer voxels of the Gaussian itself."""
    coarse, fine, fwhm = (6, 5.0), (37, 0.78), 4.2
    matrix = psf_matrix(PointSpread("gaussian", fwhm), coarse, fine, shift)
    at = (np.arange(3700) - 3699 / 2) * 0.0078 + shift
    centres = (np.arange(6) - 2.5) * 5.0
    weights = np.exp(-4 * np.log(2) * ((at - centres[:, None]) / fwhm) ** 2)
    expected = (weights / weights.sum(1, keepdims=True)).reshape(6, 37, 100).sum(2)
    np.testing.assert_allclose(matrix[2:-2], expected[2:-2], atol=1e-4)


def test_slices_thinner_than_their_spacing_leave_gaps_and_thicker_ones_overlap():
    gaps = psf_matrix(PointSpread("box", 1.0), (4, 4.0), (16, 1.0))
    overlap = psf_matrix(PointSpread("box", 4.0), (16, 1.0), (32, 0.5))
    assert (gaps.sum(0) == 0).sum() == 4 * 2  # a slice of one voxel's width falls on halves of two
    assert (overlap[:, 16] > 0).sum() == 4


@pytest.mark.parametrize("wrong", [("sinc", 1.0), ("box", 0.0), ("gaussian", float("nan"))])
def test_what_is_no_point_spread_function_is_refused(wrong):
    with pytest.raises(ValueError, match="point-spread function is one of"):
        PointSpread(*wrong)
