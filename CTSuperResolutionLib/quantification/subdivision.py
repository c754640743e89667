"""Subdivision of a scan's labels: what they are on a finer grid over the same box, plane by plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def planes(labels: np.ndarray, shape: Sequence[int]) -> Iterator[np.ndarray]:
    """For every plane of a grid of ``shape`` voxels (z, y, x) the labels (y, x) of the voxels its centres lie in.

    Plane by plane, for a whole volume of labels would be needed once only.

    Args:
        labels: (z, y, x), on a grid that is as fine or coarser.
    """
    along, rows, columns = (
        (2 * np.arange(fine) + 1) * coarse // (2 * fine) for fine, coarse in zip(shape, labels.shape, strict=True)
    )
    within = np.ix_(rows, columns)
    yield from (labels[index][within] for index in along)
