"""Stage 3a, its end: what the prior saw in slices along three axes becomes one change of the volume.

A detail that the scan lacks along one axis lies in the slices along the two others; one that it lacks along two at once
in those along the third alone, and one along all three in none: slices hold it in part, as their neighbours do. So what
they say is weighed by which detail it is. With P what A measures along an axis, A†A, and H = 1 − P what it does not, a
change is the sum of eight parts, one for each choice of P or H along every axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch

from CTSuperResolutionLib.degradation.operator import AxisDegradation, Degradation
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.restore_slices import SLAB, Look, SliceRestorer


class DetailWeights(NamedTuple):
    """Weights of what slices say of details, by along how many of their own two axes the scan lacks them: 0, 1 or 2.

    Attributes:
        within: of details that it measures across the slices. across: of those that it lacks there, too.
    """

    within: tuple[float, float, float]
    across: tuple[float, float, float]


# Least squares on the middle of four CTs (two chests, a plastic skull, the FDA phantom), then the better SSIM of some
# near by; a pelvis and a heart were looked at beside. What is measured along all axes, data consistency takes back.
AT_FOUR = DetailWeights(within=(0.5, 0.59, 0.68), across=(0.15, 0.36, 0.5))
AT_EIGHT = DetailWeights(within=(0.5, 0.585, 0.63), across=(0.0, 0.285, 0.39))
ALONG_ONE_AXIS = DetailWeights(within=(0.5, 0.5, 0.5), across=(0.5, 0.5, 0.5))  # others help one CT and harm another


def detail_weights(factors: Sequence[float]) -> DetailWeights:
    """Weights for a scan that is coarser by these factors, between those at 4 and at 8 by their mean."""
    refined = [math.log2(factor) for factor in factors if factor != 1]
    if len(refined) < 2:
        return ALONG_ONE_AXIS
    share = min(max(sum(refined) / len(refined) - 2, 0), 1)

    def between(four: tuple[float, ...], eight: tuple[float, ...]) -> tuple[float, float, float]:
        none, one, two = (a + share * (b - a) for a, b in zip(four, eight, strict=True))
        return none, one, two

    return DetailWeights(between(AT_FOUR.within, AT_EIGHT.within), between(AT_FOUR.across, AT_EIGHT.across))


def weighed_change(
    volume: torch.Tensor,
    denoise: SliceRestorer,
    looks: Sequence[Look],
    degradation: Degradation,
    progress: Progress,
) -> torch.Tensor:
    """What the prior sees in the slices of a volume beyond it, along all three axes, each detail by its weight.

    Args:
        volume: x, (z, y, x), in [0, 1]. denoise: restores some of its slices.
        looks: along all axes, those of one axis after each other.
        degradation: A along the axes.
        progress: advanced by one per slice and look.
    """
    change, weights = torch.zeros_like(volume), detail_weights(degradation.factors)
    for axis, group in groupby(looks, lambda look: look.axis):
        own, along, sums = list(group), degradation.axes[axis], change.movedim(axis, 0)
        slices = volume.movedim(axis, 0)
        within = Degradation(tuple(a for k, a in enumerate(degradation.axes) if k != axis))
        coarse = None if along is None else slices.new_zeros(along.matrix.shape[0], *slices.shape[1:])
        for first in range(0, len(slices), SLAB):
            some = range(first, min(first + SLAB, len(slices)))
            taken = slice(some.start, some.stop)
            seen = torch.zeros_like(slices[taken])
            for look in own:
                seen += (denoise(volume, look, some) - slices[taken]) / len(own)
                progress.advance(len(some))
            if coarse is None or along is None:
                sums[taken] += _weighed(seen, within, weights.within)
                continue
            # P(w) + H(a) = a + A†A (w − a), of which A is added up slice by slice.
            lacking = _weighed(seen, within, weights.across)
            sums[taken] += lacking
            measured = _weighed(seen, within, weights.within) - lacking
            coarse += torch.tensordot(_tensor(along.matrix[:, taken], coarse), measured, 1)
        if coarse is not None and along is not None:
            _add(sums, along, coarse)
    return change


def _weighed(seen: torch.Tensor, within: Degradation, weights: Sequence[float]) -> torch.Tensor:
    """Slices (n, rows, columns) with their details weighed by along how many of their axes the scan lacks them."""
    none, one, two = weights
    rows, columns = within.axes
    if none == one == two or (rows is None and columns is None):
        return none * seen
    if rows is None or columns is None:
        return one * seen + (none - one) * _measured(seen, within)
    # v₂ HH + v₁ (PH + HP) + v₀ PP, H = 1 − P
    by_rows, by_columns = (Degradation(part) for part in ((rows, None), (None, columns)))
    along_rows = _measured(seen, by_rows)
    both = _measured(along_rows, by_columns)
    once = along_rows.add_(_measured(seen, by_columns))
    return two * seen + (one - two) * once + (none - 2 * one + two) * both


def _measured(slices: torch.Tensor, within: Degradation) -> torch.Tensor:
    return within.A_dagger(within.A(slices))


def _add(sums: torch.Tensor, along: AxisDegradation, coarse: torch.Tensor) -> None:
    """x + A† y along the first axis in place of x, some slices at a time: volumes limit the size of a job."""
    inverse = _tensor(along.pseudo_inverse, coarse)
    for first in range(0, len(sums), SLAB):
        sums[first : first + SLAB] += torch.tensordot(inverse[first : first + SLAB], coarse, 1)


def _tensor(matrix: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(matrix)).to(like)
