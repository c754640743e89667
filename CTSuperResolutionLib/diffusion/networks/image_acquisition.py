"""Image acquisition: what a network is told of how an image was measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from CTSuperResolutionLib.degradation.operator import AxisDegradation, Degradation


class ImageAcquisition(NamedTuple):
    """How a slice or a view was measured, along its rows, its columns and the axis across it.

    Attributes:
        row_factor, column_factor, across_factor: by how much the scan's voxels are larger than the image's.
        row_width, column_width, across_width: full width at half maximum of what blurred and sampled, in pixels of
            the image; 1 along an axis that is as it was measured.
        noise: standard deviation of the scan's own noise, on the image's scale of [0, 1].
    """

    row_factor: float
    column_factor: float
    across_factor: float = 1.0
    row_width: float = 1.0
    column_width: float = 1.0
    across_width: float = 1.0
    noise: float = 0.0

    @classmethod
    def of_slices(cls, degradation: Degradation, axis: int, noise: float) -> ImageAcquisition:
        """That of slices along an axis of a volume (z, y, x) with a degradation."""
        factors, widths = degradation.factors, [full_width(a) for a in degradation.axes]
        rows, columns = (k for k in range(3) if k != axis)
        return cls(factors[rows], factors[columns], factors[axis], widths[rows], widths[columns], widths[axis], noise)

    @classmethod
    def of_views(cls, degradation: Degradation, noise: float) -> ImageAcquisition:
        """That of views with a degradation over (v, u), which have no neighbours."""
        (row_factor, column_factor), (rows, columns) = degradation.factors, map(full_width, degradation.axes)
        return cls(row_factor, column_factor, row_width=rows, column_width=columns, noise=noise)

    def turned(self) -> ImageAcquisition:
        """That of the image with rows and columns exchanged."""
        return self._replace(
            row_factor=self.column_factor,
            column_factor=self.row_factor,
            row_width=self.column_width,
            column_width=self.row_width,
        )


def full_width(axis: AxisDegradation | None) -> float:
    """Full width at half maximum of one axis's blur and sampling, in fine samples; 1 where it is left alone.

    That of the middle row of the matrix, its samples joined by straight lines: up to half a sample more than the kernel
    itself has, whose peak may lie between two of them.
    """
    if axis is None:
        return 1.0
    row = axis.matrix[len(axis.matrix) // 2]
    row = np.concatenate([[0.0], row / row.max(), [0.0]])
    first, last = (side := np.flatnonzero(row >= 0.5))[0], side[-1]

    def beyond(inner: int, outer: int) -> float:
        return float((row[inner] - 0.5) / (row[inner] - row[outer]))

    return float(last - first) + beyond(first, first - 1) + beyond(last, last + 1)
