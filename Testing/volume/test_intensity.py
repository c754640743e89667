"""HU to [0, 1] and back, on numpy and torch alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.volume.intensity import HU_RANGE, restore_clipped, to_hu, to_unit


@pytest.fixture(params=[np.float32, torch.float32, torch.float64], ids=str)
def make(request):
    """Turns a list into an array of one library."""
    if isinstance(request.param, torch.dtype):
        return lambda values: torch.tensor(values, dtype=request.param)
    return lambda values: np.array(values, dtype=request.param)


def test_bounds_and_clipping(make):
    hu = make([-1024.0, -512.0, 3071.0, 5000.0])
    unit = to_unit(hu)
    assert type(unit) is type(hu) and unit.dtype == hu.dtype
    assert unit.tolist() == [0, 0, 1, 1]
    assert hu.tolist() == [-1024, -512, 3071, 5000]


def test_round_trip_inside_the_range(make):
    hu = make(np.linspace(*HU_RANGE, 3584).tolist())
    assert abs(to_hu(to_unit(hu)) - hu).max() < 1e-3


def test_to_hu_does_not_clip(make):
    assert to_hu(make([-1.0, 2.0])).tolist() == [-4095, 6654]


def test_gradient_passes_inside_the_range():
    hu = torch.tensor([-600.0, 40.0, 3100.0], dtype=torch.float64, requires_grad=True)
    to_unit(hu).sum().backward()
    assert hu.grad.tolist() == pytest.approx([0, 1 / 3583, 0])


@pytest.mark.parametrize(
    ("result", "cubic", "expected"),
    [
        (-512, -850, -850),  # lung stays lung
        (-511.6, -850, -850),  # within half a HU of the bound
        (-511.4, -850, -511.4),  # the method moved it inside: kept
        (-700, -850, -850),  # beyond the bound counts as at it
        (-512, -300, -512),  # at the bound where the scan was not clipped: kept
        (-512, -512, -512),
        (-512, 4000, -512),  # outside on the other side: kept
        (3071, 9000, 9000),  # metal
        (3070.7, 9000, 9000),
        (3070, 9000, 3070),
        (3071, 2500, 3071),
        (40, -900, 40),
        (40, 45, 40),
    ],
)
def test_restore_clipped(make, result, cubic, expected):
    hu, upsampled = make([[result, 40.0]]), make([[cubic, 45.0]])
    restored = restore_clipped(hu, upsampled)
    assert type(restored) is type(hu) and restored.dtype == hu.dtype
    assert restored.tolist() == make([[expected, 40.0]]).tolist()
    assert hu.tolist() == make([[result, 40.0]]).tolist()


def test_restoring_a_clipped_scan_gives_the_scan_back(make):
    scan = make(np.linspace(-1024, 9000, 5000).tolist())
    assert abs(restore_clipped(to_hu(to_unit(scan)), scan) - scan).max() < 1e-3
