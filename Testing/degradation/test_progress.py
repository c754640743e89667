"""Progress of upsampling and data consistency: exact counts, cancelled within a round, and the same result."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.data_consistency import DataConsistency
from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.upsampling import upsample_onto
from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.stages.upsample_scan import upsample_scan
from CTSuperResolutionLib.volume.volume import Volume

UPRIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)


class Counter(Progress):
    """Counts steps, and stops the work after some calls."""

    def __init__(self, most: int = 10**9) -> None:
        self.done, self.calls, self._most = 0, 0, most

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        self.calls += 1
        if self.calls == self._most:
            raise Cancelled("Cancelled: by a test.")


@pytest.fixture(scope="module")
def scan() -> Volume:
    hu = np.random.default_rng(0).normal(0, 300, (9, 10, 12)).astype(np.float32)
    return Volume(hu, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), UPRIGHT)


@pytest.mark.parametrize("factors", [(2, 2, 2), (4, 1, 1), (1, 3, 3)])
def test_rounds_are_told_and_change_nothing(scan: Volume, factors: tuple[int, int, int]) -> None:
    counter, p = Counter(), Parameters.of("preview")
    target = Method(scale=",".join(map(str, factors))).target_grid(scan.shape, scan.spacing)
    upsampled = upsample_scan(scan, target, p, "cpu", progress=counter)
    assert counter.done == 1
    told = upsampled.consistent(counter)
    assert counter.done == 1 + p.consistency_rounds
    assert torch.equal(told, upsampled.consistent())
    assert torch.equal(upsampled.enforce_unit(told.clone(), counter), upsampled.enforce_unit(told))
    assert counter.done == 1 + 2 * p.consistency_rounds
    assert torch.equal(upsampled.cubic, upsample_scan(scan, target, p, "cpu").cubic)


def test_a_round_is_told_of_in_its_parts() -> None:
    """A round of a large volume takes longer than the two seconds within which the work is to stop."""
    fine, counter = torch.zeros(8, 8, 8), Counter()
    degradation = make_degradation(fine.shape, (2, 2, 2))
    consistency = DataConsistency(degradation, torch.zeros(4, 4, 4), torch.zeros(4, 4, 4), rounds=5)
    consistency.enforce(fine, counter)
    assert (counter.done, counter.calls) == (5, 5 * (3 + 2))
    stopped = Counter(most=4)
    with pytest.raises(Cancelled):
        consistency.enforce(fine, stopped)
    assert 0 < stopped.done < 1


def test_every_axis_of_an_upsampling_is_told_of() -> None:
    counter = Counter()
    upsample_onto(torch.zeros(4, 4, 4), Method("2,1,3").target_grid((4, 4, 4), (1.0, 1.0, 1.0)).axes, counter)
    assert counter.done == 2
