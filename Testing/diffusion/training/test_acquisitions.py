"""Drawn acquisitions: that they are what they say, by the moments of a point and the statistics of many."""

from collections import Counter

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.acquisition import BlockMeanSampling, LanczosSampling, PointSpreadSampling
from CTSuperResolutionLib.degradation.point_spread import PointSpread
from CTSuperResolutionLib.diffusion.training.acquisitions import DrawnAcquisition, draw_acquisition

# Variance of a point-spread function over the square of its full width at half maximum.
VARIANCE = {"gaussian": 1 / (8 * np.log(2)), "triangle": 1 / 6, "box": 1 / 12}


def drawn(count: int = 600, *, planar: bool = False) -> list[DrawnAcquisition]:
    rng = np.random.default_rng(0)
    return [draw_acquisition(rng, planar=planar) for _ in range(count)]


def from_scanners(count: int = 600, *, planar: bool = False) -> list[DrawnAcquisition]:
    return [one for one in drawn(count, planar=planar) if isinstance(one.true[0], PointSpreadSampling)]


def test_a_point_is_spread_as_the_widths_say():
    """What all places of a point give one coarse voxel, along each axis: its centre, and its variance."""
    checked = 0
    for one in from_scanners(80):
        shape = tuple(8 * s for s in one.factors)
        for axis, (factor, kernel) in enumerate(zip(one.factors, one.true, strict=True)):
            if factor == 1:
                continue
            row = np.zeros(shape[axis])
            for place in range(shape[axis]):
                point = torch.zeros(shape, dtype=torch.float64)
                point.movedim(axis, 0)[place] = 1  # a plane: the other axes do not matter
                scan = DrawnAcquisition(one.factors, one.true, one.assumed, 0.0, one.grain).scan(point, None)
                row[place] = scan.movedim(axis, 0)[4].mean()
            places = np.arange(len(row))
            assert row.sum() == pytest.approx(1)
            centre = row @ places
            assert centre == pytest.approx(4.5 * factor - 0.5, abs=0.15)
            psf = kernel.psf
            # A fine voxel is constant over its width, which adds 1/12 on the mean over where it may lie.
            assert row @ (places - centre) ** 2 == pytest.approx(
                VARIANCE[psf.family] * psf.fwhm**2 + 1 / 12, rel=0.12, abs=0.12
            )
            checked += 1
        if checked > 25:
            break


def test_two_of_five_are_the_papers_and_the_others_scanners():
    kinds = Counter(type(one.true[0]) for one in drawn(2000))
    shares = [kinds[kind] / 2000 for kind in (LanczosSampling, BlockMeanSampling, PointSpreadSampling)]
    assert shares == pytest.approx([0.34, 0.06, 0.6], abs=0.04)
    factors = Counter(one.factors for one in drawn(2000))
    assert all(factors[(f, f, f)] > 50 for f in (2, 4, 8))
    assert sum(count for (z, y, _), count in factors.items() if z > y == 1) > 250  # thick slices
    assert sum(count for (z, y, _), count in factors.items() if z > y > 1) > 150


def test_scanners_are_soft_and_sharp_and_not_quite_what_they_are_taken_for():
    some = from_scanners(2000)
    for axis, (low, high) in ((0, (0.6, 1.6)), (2, (0.7, 1.5))):
        over_spacing = np.array([one.true[axis].psf.fwhm / one.factors[axis] for one in some])
        assert low <= over_spacing.min() < 1.05 * low and 0.95 * high < over_spacing.max() <= high
        ratios = np.array([one.assumed[axis].psf.fwhm / one.true[axis].psf.fwhm for one in some])
        assert np.log(ratios).std() == pytest.approx(0.1, rel=0.15) and np.log(ratios).mean() == pytest.approx(
            0, abs=0.01
        )
    assert {one.true[0].psf.family for one in some} == {"gaussian", "triangle", "box"}
    assert all(one.true[1] == one.true[2] and one.assumed[1] == one.assumed[2] for one in some if one.factors[1] > 1)


def test_noise_has_the_stated_size_and_grain():
    for grain in ((0.0, 0.0, 0.0), (0.3, 0.8, 0.8)):
        kernel = PointSpreadSampling(PointSpread("box", 2.0))
        one = DrawnAcquisition((2, 2, 2), (kernel,) * 3, (kernel,) * 3, 20.0, grain)
        noise = one.scan(torch.zeros(64, 64, 64), np.random.default_rng(0)).numpy()
        assert noise.std() == pytest.approx(20, rel=0.01)
        beside = [float(np.mean(noise[..., 1:] * noise[..., :-1]) / noise.var())]
        # White noise filtered by a Gaussian of σ correlates as one of σ√2.
        assert beside[0] == pytest.approx(np.exp(-1 / (4 * 0.8**2)) if grain[2] else 0, abs=0.03)
    noisy = [one.noise_hu for one in drawn(1000) if one.noise_hu]
    assert len(noisy) / 1000 == pytest.approx(0.4, abs=0.05) and max(noisy) <= 30


def test_planar_ones_leave_slices_apart():
    some = drawn(400, planar=True)
    assert all(one.factors[0] == 1 and max(one.factors) > 1 for one in some if one.factors != (1, 1, 1))
    stack = torch.zeros(3, 48, 48)
    stack[1] = 100
    for one in some[:20]:
        sides = [48 - 48 % f for f in one.factors[1:]]
        scan = DrawnAcquisition(one.factors, one.true, one.assumed, 0.0, one.grain).scan(
            stack[:, : sides[0], : sides[1]], np.random.default_rng(0)
        )
        torch.testing.assert_close(scan[1], torch.full_like(scan[1], 100))
        assert not scan[0].any() and not scan[2].any()


def test_the_same_seed_draws_the_same():
    assert drawn(50) == drawn(50)
