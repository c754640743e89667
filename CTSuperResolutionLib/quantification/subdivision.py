"""Labels of a scan plane by plane: what they are on a finer grid over the same box, and how many there are of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from CTSuperResolutionLib.job.target_grid import TargetGrid


def planes(labels: np.ndarray, shape: Sequence[int], target: TargetGrid | None = None) -> Iterator[np.ndarray]:
    """For every plane of a grid of ``shape`` voxels (z, y, x) the labels (y, x) of the voxels its centres lie in.

    Plane by plane, for a whole volume of labels would be needed once only.

    Args:
        labels: (z, y, x), on a grid that is as fine or coarser.
        target: where the voxels are over those of the labels; None where both grids fill one box.
    """
    if target is not None:
        along, rows, columns = (
            (float(axis.inset) + (np.arange(axis.count) + 0.5) / axis.factor).astype(int) for axis in target.axes
        )
    else:
        along, rows, columns = (
            (2 * np.arange(fine) + 1) * coarse // (2 * fine) for fine, coarse in zip(shape, labels.shape, strict=True)
        )
    within = np.ix_(rows, columns)
    yield from (labels[index][within] for index in along)


def label_counts(labels: np.ndarray, kinds: int) -> np.ndarray:
    """Voxels of each label from 0 to ``kinds`` − 1; numpy counts integers of eight bytes, which are many at once."""
    found = np.zeros(kinds, dtype=np.int64)
    for plane in labels:
        found += np.bincount(plane.ravel(), minlength=kinds)
    return found
