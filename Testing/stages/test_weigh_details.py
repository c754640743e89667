"""Details by their weights: of every kind of detail as much as its weight says, whatever the volume is cut into."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.operator import Degradation, make_degradation
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.restore_slices import SLAB, looks_along
from CTSuperResolutionLib.stages.weigh_details import (
    ALONG_ONE_AXIS,
    AT_EIGHT,
    AT_FOUR,
    DetailWeights,
    detail_weights,
    weighed_change,
)

SHAPE = (SLAB + 8, 16, 20)


class Counter(Progress):
    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


def detail(degradation: Degradation, lacking: tuple[bool, ...]) -> np.ndarray:
    """Noise of which the scan lacks all along some axes, and measures all along the others."""
    noise = np.random.default_rng(0).normal(size=SHAPE)
    for k, (axis, lacks) in enumerate(zip(degradation.axes, lacking, strict=True)):
        measured = np.eye(SHAPE[k]) if axis is None else axis.pseudo_inverse @ axis.matrix
        part = np.eye(SHAPE[k]) - measured if lacks else measured
        noise = np.moveaxis(np.tensordot(part, noise, (1, k)), 0, k)
    return noise


def found(degradation: Degradation, seen: dict[int, np.ndarray], orientations: int = 1) -> tuple[np.ndarray, int]:
    """The change of a volume of which the prior sees these along each axis, and the steps of progress."""
    volume, counter = torch.from_numpy(np.random.default_rng(1).random(SHAPE)), Counter()

    def denoise(volume, look, some):
        both = volume + torch.from_numpy(seen[look.axis])
        return both.movedim(look.axis, 0)[some.start : some.stop]

    looks = looks_along((0, 1, 2), orientations)
    return weighed_change(volume, denoise, looks, degradation, counter).numpy(), counter.done


@pytest.mark.parametrize("factors", [(4, 4, 4), (8, 8, 4), (4, 2, 2), (1, 4, 4), (4, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_kind_of_detail_seen_along_one_axis_has_its_own_weight(factors, axis):
    degradation, weights = make_degradation(SHAPE, factors), detail_weights(factors)
    for lacking in product(*[(False, True) if factor > 1 else (False,) for factor in factors]):
        shown = detail(degradation, lacking)
        seen = {k: shown if k == axis else np.zeros(SHAPE) for k in range(3)}
        of = weights.across if lacking[axis] else weights.within
        expected = of[sum(lacking) - lacking[axis]] * shown
        np.testing.assert_allclose(found(degradation, seen)[0], expected, atol=1e-9)


def test_what_is_seen_along_all_axes_is_added_up_and_orientations_are_averaged():
    degradation = make_degradation(SHAPE, (4, 4, 4))
    shown = detail(degradation, (True, False, False))
    change, steps = found(degradation, dict.fromkeys(range(3), shown), orientations=2)
    np.testing.assert_allclose(change, (2 * AT_FOUR.within[1] + AT_FOUR.across[0]) * shown, atol=1e-9)
    assert steps == 2 * sum(SHAPE)


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ((4, 4, 4), AT_FOUR),
        ((2, 2, 2), AT_FOUR),
        ((8, 8, 8), AT_EIGHT),
        ((16, 16, 16), AT_EIGHT),
        ((5, 1, 1), ALONG_ONE_AXIS),
        ((1, 1, 1), ALONG_ONE_AXIS),
        ((8, 4, 1), DetailWeights(*(np.mean(pair, 0) for pair in zip(AT_FOUR, AT_EIGHT, strict=True)))),
    ],
)
def test_weights_go_from_those_at_four_to_those_at_eight(factors, expected):
    for weights, wanted in zip(detail_weights(factors), expected, strict=True):
        np.testing.assert_allclose(weights, wanted, atol=1e-12)
