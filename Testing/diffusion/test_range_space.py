"""The range-space of a degradation and the weights of DDNM+ in it."""

import math

import pytest
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.diffusion.range_space import RangeSpace, ddnm_plus_weights


@pytest.mark.parametrize("sigma", [0.0, 0.001, 0.004, 0.3])
def test_weights_equal_the_mean_pooling_formulas(sigma):
    """Section 2 of DDNM+ for r x r means, whose singular value is 1/r in each axis together."""
    r, a, eta, sigma_y = 4, 0.9, 0.7, 0.001
    pull, added = ddnm_plus_weights(torch.tensor([1 / r]), a, sigma, eta, sigma_y)
    if sigma >= a * sigma_y * r:
        expected = 1.0, math.sqrt(sigma**2 - (a * sigma_y * r) ** 2)
    else:
        expected = sigma * math.sqrt(1 - eta**2) / (a * sigma_y * r), eta * sigma
    assert (pull.item(), added.item()) == pytest.approx(expected)


@pytest.mark.parametrize(("kernel", "scale"), [("lanczos", (4, 4)), ("mean", (4, 4)), ("mean", (4, 1))])
def test_range_space_diagonalises_the_degradation(kernel, scale):
    degradation = make_degradation((16, 24), scale, kernel=kernel)
    fine = torch.rand(2, 16, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    space = RangeSpace(degradation, fine)
    coarse = degradation.A(fine)
    torch.testing.assert_close(space.measured(coarse), space.coordinates(fine))
    torch.testing.assert_close(space.synthesize(space.coordinates(fine)), degradation.A_dagger(coarse))


def test_block_means_of_r_by_r_have_singular_value_one_over_r():
    space = RangeSpace(make_degradation((16, 24), (4, 4), kernel="mean"), torch.zeros(1, 16, 24, dtype=torch.float64))
    torch.testing.assert_close(space.singular_values, torch.full((4, 6), 0.25, dtype=torch.float64))
