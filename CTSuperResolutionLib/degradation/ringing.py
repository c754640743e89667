"""Ringing: where a sharpened volume goes beyond all that its scan has around, as a kernel guessed too wide makes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.job.target_grid import TargetAxis

# Root mean square of the overshoot around a voxel, HU for each time that the result is finer, from which it may be
# ringing; at twice that it is taken for it. Vessels and ribs overshoot, too, and more of them the coarser a scan is. Of
# less, a skull at 8× loses details; of more, less is won back of what a wrong kernel costs at 4×.
SUSPECT_HU = 20.0
ANY_HU = 10.0  # an overshoot that the change is compared with, at the least
OPPOSED, ADDING = -0.1, 0.2  # of a change to the overshoot around a voxel, over that overshoot


def overshoot(
    fine: torch.Tensor, scan: torch.Tensor, axes: Sequence[TargetAxis], part: Sequence[slice] = (slice(None),) * 3
) -> torch.Tensor:
    """How far a volume is above the highest or below the lowest of its scan's voxels around, HU, fine (z, y, x).

    Around a fine voxel are the scan's voxel that it lies in and those that touch it.

    Args:
        fine: HU, fine, a part of the volume. scan: HU, coarse, all of it. axes: fine voxels over the coarse ones.
        part: which fine voxels along each axis.
    """
    at = [_coarse_indices(axis)[some] for axis, some in zip(axes, part, strict=True)]
    first = [max(int(indices.min()) - 1, 0) for indices in at]
    # What these voxels lie in and touch: a scan has many more.
    around = scan[tuple(slice(k, int(indices.max()) + 2) for k, indices in zip(first, at, strict=True))]
    highest, lowest = (sign * _highest_around(sign * around) for sign in (1, -1))
    for k, indices in enumerate(at):
        chosen = torch.as_tensor(indices - first[k], device=scan.device)
        highest, lowest = highest.index_select(k, chosen), lowest.index_select(k, chosen)
    return (fine - highest).clamp_(min=0) - (lowest - fine).clamp_(min=0)


def spare_ringing(change: torch.Tensor, over: torch.Tensor, factors: Sequence[float]) -> torch.Tensor:
    """A change of a sharpened volume without what would add to its ringing.

    A network takes ringing for detail and makes more of it. Where the overshoot around a voxel, over nearly two of the
    scan's voxels along each side, is strong and the change is of its sign, nothing is changed; where the change takes
    it back, all of it is kept.

    Args:
        change: HU, fine (z, y, x). over: :func:`overshoot` of the volume, same shape. factors: along (z, y, x).
    """
    size, suspect = [2 * round(factor) - 1 for factor in factors], SUSPECT_HU * max(factors)
    strength = _mean_around(over.square(), size).clamp_(min=0)
    added = _mean_around(change * over, size) / (strength + ANY_HU**2)
    strong = ((strength.sqrt_() - suspect) / suspect).clamp_(0, 1)
    return change * (1 - strong * ((added - OPPOSED) / (ADDING - OPPOSED)).clamp_(0, 1))


def _coarse_indices(axis: TargetAxis) -> np.ndarray:
    """The scan's voxel that the centre of each fine one lies in."""
    at = np.floor((np.arange(axis.count) + 0.5) / axis.factor + float(axis.inset))
    return np.clip(at, 0, axis.size - 1).astype(np.int64)


def _highest_around(values: torch.Tensor) -> torch.Tensor:
    """The highest of each value and those that touch it: axis by axis, which torch does on all cores."""
    for k, n in enumerate(values.shape):
        if n > 1:
            pairs = torch.maximum(values.narrow(k, 0, n - 1), values.narrow(k, 1, n - 1))
            inner = torch.maximum(pairs.narrow(k, 0, n - 2), pairs.narrow(k, 1, n - 2))
            values = torch.cat([pairs.narrow(k, 0, 1), inner, pairs.narrow(k, n - 2, 1)], k)
    return values


def _mean_around(values: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return torch.from_numpy(ndi.uniform_filter(values.cpu().numpy(), size)).to(values)
