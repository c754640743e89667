"""Consistency strip by strip: the strips share a volume out, and give what the whole volume would."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.target_grid import TargetAxis
from CTSuperResolutionLib.planning import strips as strips_module
from CTSuperResolutionLib.planning.strips import strips
from CTSuperResolutionLib.stages.upsample_scan import UpsampledScan, upsample_scan
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.volume import Volume

UPRIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)
SHORT = TargetAxis.over(8, 1.0, 2.0, 0.5)


class Told(Progress):
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.steps: Any = 0

    def advance(self, steps: Any = 1) -> None:
        self.steps += steps


@pytest.mark.parametrize("size", [100, 200, 301, 512])
@pytest.mark.parametrize("factor", [1.0, 1.9, 2.0, 4.0])
def test_strips_share_a_volume_out(size: int, factor: float) -> None:
    along = TargetAxis.over(size, 1.0, factor, 1 / factor)
    found = strips((SHORT, along, SHORT))
    owners = Counter(voxel for strip in found for voxel in range(strip.core.start, strip.core.stop))
    assert owners == Counter(range(along.count))
    for strip in found:
        part = strip.axes((SHORT, along, SHORT))[1]
        assert strip.axis == 1
        assert part.count == strip.fine.stop - strip.fine.start
        # Where its voxels lie is where those of the whole axis lie.
        assert part.first + strip.coarse.start == pytest.approx(along.first + strip.fine.start / factor, abs=1e-9)
        margin = strips_module.MARGIN if factor != 1 else 0
        assert strip.core.start - strip.fine.start >= (margin - 1) * factor or strip.coarse.start == 0
        assert strip.fine.stop - strip.core.stop >= (margin - 1) * factor or strip.coarse.stop == size
    assert len(found) == (1 if size == 100 else len(found))
    assert len(found) > 1 or size < 200


def upsampled(kernel: str, factors: str, shape: tuple[int, int, int], hole: bool = False) -> UpsampledScan:
    rng = np.random.default_rng(3)
    tissue = ndi.gaussian_filter(rng.normal(0, 1000, shape), 1.0)
    hu = np.where(tissue < -100, -1000, tissue + rng.normal(0, 20, shape)).astype(np.float32)
    valid = np.ones(shape, dtype=bool)
    if hole:
        valid[:, 40:60, :5] = False
    scan = Volume(hu, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), UPRIGHT, valid=valid)
    method = Method(scale=factors, settings={"psf": kernel})
    return upsample_scan(scan, method.target_grid(scan.shape, scan.spacing), method.parameters, "cpu")


@pytest.mark.parametrize(
    ("kernel", "factors", "shape"),
    [("lanczos", "2,2,2", (5, 110, 9)), ("triangle", "2,2,2", (5, 9, 110)), ("triangle", "3,1,1", (9, 5, 110))],
)
def test_strips_give_what_the_whole_volume_would(
    kernel: str, factors: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strips_module, "HEIGHT", 30)
    demands, told = upsampled(kernel, factors, shape, hole=factors == "2,2,2" and shape[1] > 100), Told()
    # Edges of 1,000 HU to air everywhere, and 80 HU more in every voxel.
    added = 0.02 * torch.randn(demands.grid.shape, generator=torch.Generator().manual_seed(0))
    unit = to_unit(demands.cubic, demands.hu_range) + added
    assert len(demands._strips._strips) > 1
    parts = demands.measured(told), demands.enforce(unit.clone(), told)
    assert told.steps == 2 * demands.consistency.rounds
    monkeypatch.setattr(strips_module, "HEIGHT", 10**6)
    assert len(demands._strips._strips) == 1
    whole = demands.measured(), demands.enforce(unit.clone())
    for part, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(part, expected, atol=2.0, rtol=0)
        assert float((part - expected).square().mean().sqrt()) < 0.1
