"""What a network is told of an image: widths and factors by axis, against kernels whose width is known."""

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.acquisition import (
    NOT_SHIFTED,
    BlockMeanSampling,
    PointSpreadSampling,
    degradation_of,
)
from CTSuperResolutionLib.degradation.operator import Degradation, make_degradation
from CTSuperResolutionLib.degradation.point_spread import PointSpread
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition, full_width


def along(kernel, factor: int):
    return degradation_of([kernel], [(24, float(factor))], [(24 * factor, 1.0)], [0.0]).axes[0]


@pytest.mark.parametrize("family", ["gaussian", "triangle", "box"])
@pytest.mark.parametrize(("factor", "fwhm"), [(4, 3.0), (5, 5.0), (8, 6.4), (8, 12.8)])
def test_the_width_is_the_kernels_own(family, factor, fwhm):
    """But for half a voxel: it is sampled, and its peak may lie between two samples."""
    found = full_width(along(PointSpreadSampling(PointSpread(family, fwhm)), factor))
    assert fwhm - 0.2 < found <= fwhm + 0.51


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_block_mean_is_as_wide_as_the_block(factor):
    assert full_width(along(BlockMeanSampling(), factor)) == pytest.approx(factor)


@pytest.mark.parametrize(("factor", "blur"), [(4, 1.0), (8, 1.0), (4, 0.5)])
def test_a_lanczos_kernel_is_as_wide_as_its_own_main_lobe(factor, blur):
    """The sinc's half maximum lies at 0.603 of a sample; the window narrows and the Gaussian widens it a little."""
    degradation = make_degradation((24 * factor,), (factor,), blur=blur)
    sinc = 2 * 0.603 * factor
    assert 0.97 * sinc < full_width(degradation.axes[0]) < np.hypot(sinc, 2.355 * blur) + 0.1


def test_rows_columns_and_what_lies_across_are_told_by_axis():
    kernels = [PointSpreadSampling(PointSpread("gaussian", width)) for width in (6.0, 4.0, 1.0)]
    degradation = degradation_of(
        kernels, [(10, 5.0), (12, 4.0), (48, 1.0)], [(50, 1.0), (48, 1.0), (48, 1.0)], NOT_SHIFTED
    )
    expected = [
        (4, 1, 5, 4, 1, 6),
        (5, 1, 4, 6, 1, 4),
        (5, 4, 1, 6, 4, 1),
    ]
    for axis, values in enumerate(expected):
        found = ImageAcquisition.of_slices(degradation, axis, 0.003)
        assert found == pytest.approx((*values, 0.003), abs=0.4)
    views = ImageAcquisition.of_views(Degradation(degradation.axes[:2]), 0.003)
    assert views == pytest.approx((5, 4, 1, 6, 4, 1, 0.003), abs=0.4)
    assert views.turned() == pytest.approx((4, 5, 1, 4, 6, 1, 0.003), abs=0.4)
