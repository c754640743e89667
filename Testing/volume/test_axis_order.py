"""Axis orders: the axis of rotation comes first, and going back undoes it."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.volume.axis_order import AxisOrder


@pytest.mark.parametrize(("factors", "axes"), [((4, 4, 4), (0, 1, 2)), ((1, 4, 4), (0, 1, 2)), ((1, 4, 1), (1, 0, 2))])
def test_to_scanner_order_and_back(factors, axes):
    order = AxisOrder.for_factors(factors)
    array = np.random.default_rng(0).random((3, 4, 5))
    assert order.axes == axes and order.permute(factors)[1] == order.permute(factors)[2]
    assert np.array_equal(order.from_scanner_order(order.to_scanner_order(array)), array)
    assert order.to_scanner_order(array).shape == order.permute(array.shape)


@pytest.mark.parametrize(("factors", "first"), [((6.41, 1.1, 1), 0), ((2, 3, 4), 2), ((1, 4.5, 2), 1)])
def test_where_all_factors_differ_the_scanner_turns_about_the_coarsest_axis(factors, first):
    assert AxisOrder.for_factors(factors).axes[0] == first
