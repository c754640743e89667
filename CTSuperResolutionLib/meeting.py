"""Views that agree: between two looks of the prior they meet in the volume, and its slices are looked at as well."""

from __future__ import annotations

from collections.abc import Callable

import torch

from CTSuperResolutionLib.geometry import ScanGeometry
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.least_squares import least_squares

SLAB = 16  # slices looked at together


def meet(
    views: torch.Tensor,
    volume_views: torch.Tensor,
    volume: torch.Tensor,
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    *,
    restore_slices: Callable[[torch.Tensor, int, int], torch.Tensor],
    agree: Callable[[torch.Tensor], torch.Tensor],
    progress: Progress,
) -> torch.Tensor:
    """The volume in which restored views meet.

    Each view was restored alone and invents details of its own; a volume holds what they have in common. Its slices
    are X-ray images of a thin object: the prior restores them too, along each of the three axes, and the mean of the
    three is kept. After each of the two steps the scan has its say.

    Args:
        views: restored, (views, v, u), value x mm.
        volume_views: projections of the volume, same shape: what the views were before.
        volume: (z, y, x), in [0, 1].
        spacing: mm, (z, y, x). geometry: of the views.
        restore_slices: restores slices (n, rows, columns) in [0, 1]; told the axis and the index of the first one.
        agree: makes a volume in [0, 1] agree with the scan.
        progress: advanced by :func:`meeting_steps`.

    Returns:
        The volume, (z, y, x), in [0, 1].
    """
    volume = agree(volume + least_squares(views - volume_views, volume.shape, spacing, geometry, progress=progress))
    restored = torch.zeros_like(volume)
    for axis in range(3):
        slices, sums = volume.movedim(axis, 0), restored.movedim(axis, 0)
        for first in range(0, len(slices), SLAB):
            slab = slice(first, first + SLAB)
            sums[slab] += restore_slices(slices[slab].contiguous(), axis, first) / 3
            progress.advance(len(slices[slab]))
    return agree(restored)


def meeting_steps(views: int, shape: tuple[int, int, int]) -> int:
    """How often :func:`meet` advances its progress."""
    return 2 * views + sum(shape)
