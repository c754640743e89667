"""Damping: no grain where a scan is flat, and the whole of its details."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.damping import Damping, detail_share, suitable_damping
from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.noise_estimation import ScanNoise
from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.job.target_grid import TargetAxis

FACTORS = (2, 2, 2)


def grain(smoothed: float, correlation: float) -> tuple[float, float]:
    """Growth of noise over that of cubic, without and with the damping that the noise asks for."""
    shape = (32, 32, 32)
    degradation = make_degradation([2 * n for n in shape], FACTORS, blur=0.5)
    noise = ScanNoise(sd=20.0, correlation=(correlation,) * 3, white=20.0, content=60.0)
    block = make_degradation((48, 48, 48), FACTORS, blur=0.5)
    damping = suitable_damping(noise, block, [TargetAxis.over(24, 1.0, 2, 0.5)] * 3, 0.1)
    drawn = ndi.gaussian_filter(np.random.default_rng(1).normal(size=shape), smoothed)
    scan = torch.from_numpy((40 + 20 * drawn / drawn.std()).astype(np.float32))
    cubic = upsample(scan, FACTORS)
    grown = []
    for used in (Damping(damping.detail), damping):
        demands = DataConsistency.damped(degradation, scan, cubic, damping=used, rounds=8)
        grown.append(float(demands.enforce(cubic)[8:-8, 8:-8, 8:-8].std() / cubic[8:-8, 8:-8, 8:-8].std()))
    return grown[0], grown[1]


@pytest.mark.parametrize(("smoothed", "correlation"), [(0.0, 0.0), (0.6, 0.5)])
def test_noise_in_flat_tissue_becomes_no_grain(smoothed, correlation):
    before, after = grain(smoothed, correlation)
    assert before > 1.15 and after < 1.1


def test_details_keep_the_sharpness_that_the_noise_allows():
    """A block in flat tissue: around it the measurement is filtered as if the flat tissue were not there."""
    shape = (16, 24, 24)
    scan = torch.full(shape, 40.0)
    scan[6:10, 8:16, 8:16] = 900.0
    degradation = make_degradation([2 * n for n in shape], FACTORS, blur=0.5)
    cubic = upsample(scan, FACTORS)
    sharp = Damping(0.1).filter(degradation, scan, cubic)
    filtered = Damping(0.1, 3.0, floor=4.0).filter(degradation, scan, cubic)
    torch.testing.assert_close(filtered[5:11, 7:17, 7:17], sharp[5:11, 7:17, 7:17], atol=1e-3, rtol=0)


def test_the_share_of_details_rises_with_the_energy_beyond_noise():
    beyond = torch.zeros(3, 32, 64)
    beyond[:, :, :] = 2.0 * torch.linspace(0.5, 4, 64) ** 0.5  # energy 2 to 16
    share = detail_share(beyond, floor=1.0)[1, 16, 4:-4]
    assert share[0] == 0 and share[-1] == 1 and (share.diff() >= 0).all()
    assert 0.4 < share[(beyond[1, 16, 4:-4] ** 2 - 5).abs().argmin()] < 0.6


def test_without_noise_there_is_one_damping():
    degradation = make_degradation((16, 16, 16), FACTORS)
    assert suitable_damping(ScanNoise(), degradation, [TargetAxis.over(8, 1.0, 2, 0.5)] * 3, 0.1) == Damping(0.1)
