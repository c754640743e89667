"""Stage 3a, its end: what the prior saw in slices along three axes becomes one change of the volume.

A detail that the scan lacks along one axis lies in the slices along the two others; one that it lacks along two at once
in those along the third alone, and one along all three in none: slices hold it in part, as their neighbours do. So what
they say is weighed by which detail it is. With P what A measures along an axis, A†A, and H = 1 − P what it does not, a
change is the sum of eight parts, one for each choice of P or H along every axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.restore_slices import PIXELS, SLAB, Look, SliceRestorer

ZERO = 1e-12  # of weights that add up to 1


class DetailWeights(NamedTuple):
    """Weights of what the prior adds in slices, by the detail: along how many of a slice's two axes the scan lacks it.

    Attributes:
        within: where it is lacking along none, one and both of these, and was measured across the slices.
        across: the same where the scan lacks it across the slices, too.
    """

    within: tuple[float, float, float]
    across: tuple[float, float, float]


# Least squares on the middle of four CTs (two chests, a plastic skull, the FDA phantom), then the better SSIM of some
# near by; a pelvis and a heart were looked at beside. What is measured along all axes, data consistency takes back.
AT_FOUR = DetailWeights(within=(0.5, 0.59, 0.68), across=(0.15, 0.36, 0.5))
AT_EIGHT = DetailWeights(within=(0.5, 0.585, 0.63), across=(0.0, 0.285, 0.39))
ALONG_ONE_AXIS = DetailWeights(within=(0.5, 0.5, 0.5), across=(0.5, 0.5, 0.5))  # others help one CT and harm another


def detail_weights(factors: Sequence[float]) -> DetailWeights:
    """Weights for a scan that is coarser by these factors: those at 4 and below, those at 8 and above, or between them.

    In between by the mean logarithm of the factors other than 1.
    """
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
        looks: along all axes, as many along each.
        degradation: A along the axes.
        progress: advanced by one per slice and look.
    """
    change, weights = torch.zeros_like(volume), detail_weights(degradation.factors)
    for axis, along in enumerate(degradation.axes):
        own = [look for look in looks if look.axis == axis]
        in_plane = Degradation(tuple(a for k, a in enumerate(degradation.axes) if k != axis))
        slices, sums = volume.movedim(axis, 0), change.movedim(axis, 0)
        split = None if weights.within == weights.across else along
        coarse = None if split is None else slices.new_zeros(len(split.matrix), *slices.shape[1:])
        together = min(max(PIXELS // slices[0].numel(), 1), SLAB)
        for first in range(0, len(slices), together):
            some = range(first, min(first + together, len(slices)))
            taken = slice(some.start, some.stop)
            seen = torch.zeros_like(slices[taken])
            for look in own:
                seen += (denoise(volume, look, some) - slices[taken]) / len(own)
                progress.advance(len(some))
            if split is None or coarse is None:
                sums[taken] += _weighed(seen, in_plane, weights.within)
                continue
            # With w and a the two sums P w + H a = a + A†A (w − a), and of A (w − a) every slice has its share.
            lacking = _weighed(seen, in_plane, weights.across)
            sums[taken] += lacking
            measured = _weighed(seen, in_plane, weights.within) - lacking
            shares = split.matrix[:, taken]
            rows = _not_zero(shares)
            coarse[rows] += torch.tensordot(_tensor(shares[rows], coarse), measured, 1)
        if split is not None and coarse is not None:
            for some_slices, seen in Degradation((split, None, None)).A_dagger_slices(coarse):
                sums[some_slices] += seen
    return change


def _weighed(seen: torch.Tensor, in_plane: Degradation, weights: Sequence[float]) -> torch.Tensor:
    """Slices (n, rows, columns) with their details weighed by along how many of their axes the scan lacks them."""
    none, one, two = weights
    rows, columns = in_plane.axes
    if none == one == two or (rows is None and columns is None):
        return none * seen
    if rows is None or columns is None:
        return one * seen + (none - one) * _measured(seen, in_plane)
    # v₂ HH + v₁ (PH + HP) + v₀ PP, H = 1 − P
    by_rows, by_columns = (Degradation(part) for part in ((rows, None), (None, columns)))
    along_rows = _measured(seen, by_rows)
    both = _measured(along_rows, by_columns)
    once = along_rows.add_(_measured(seen, by_columns))
    return two * seen + (one - two) * once + (none - 2 * one + two) * both


def _measured(slices: torch.Tensor, in_plane: Degradation) -> torch.Tensor:
    return in_plane.A_dagger(in_plane.A(slices))


def _not_zero(matrix: np.ndarray) -> slice:
    """The rows of a matrix from the first that is not zero to the last."""
    rows = np.flatnonzero(np.abs(matrix).max(1) > ZERO)
    return slice(int(rows[0]), int(rows[-1]) + 1)


def _tensor(matrix: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(matrix)).to(like)
