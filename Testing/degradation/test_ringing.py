"""Ringing: where a volume goes beyond its scan, and what of a change would add to it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.ringing import overshoot, spare_ringing
from CTSuperResolutionLib.job.target_grid import TargetAxis


def axes_over(shape, factors) -> list[TargetAxis]:
    return [TargetAxis.over(n, 1.0, factor, 1 / factor) for n, factor in zip(shape, factors, strict=True)]


@pytest.mark.parametrize("factors", [(4, 4, 4), (5, 1, 1), (2.5, 2, 1.6)])
def test_overshoot_is_what_lies_beyond_the_scans_27_voxels_around(factors):
    scan = np.random.default_rng(0).uniform(-1000, 1000, (6, 5, 7))
    axes = axes_over(scan.shape, factors)
    fine = np.random.default_rng(1).uniform(-2000, 2000, [axis.count for axis in axes])
    centres = [(np.arange(axis.count) + 0.5) * float(axis.step) + float(axis.inset) for axis in axes]
    at = np.ix_(*[np.clip(c.astype(int), 0, n - 1) for c, n in zip(centres, scan.shape, strict=True)])
    highest, lowest = ndi.maximum_filter(scan, 3, mode="nearest")[at], ndi.minimum_filter(scan, 3, mode="nearest")[at]
    found = overshoot(torch.from_numpy(fine), torch.from_numpy(scan), axes)
    expected = np.where(fine > highest, fine - highest, np.where(fine < lowest, fine - lowest, 0))
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(("amplitude", "sign", "kept"), [(400, 1, 0), (400, -1, 1), (80, 1, 1), (0, 1, 1)])
def test_only_what_adds_to_strong_ringing_is_spared(amplitude, sign, kept):
    """A ringing half of a volume, and a change along or against it."""
    wave = np.sin(np.arange(32) * 1.1).astype(np.float32)
    over = torch.from_numpy(np.broadcast_to(amplitude * wave[:, None, None], (32, 24, 24)).copy())
    over[:, 12:] = 0
    change = torch.from_numpy(np.broadcast_to(sign * 100 * wave[:, None, None], (32, 24, 24)).copy())
    found = spare_ringing(change, over, (4, 4, 4))
    torch.testing.assert_close(found[:, :8], kept * change[:, :8])
    torch.testing.assert_close(found[:, 16:], change[:, 16:])
