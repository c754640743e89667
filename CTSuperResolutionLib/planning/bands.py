"""Bands of a result along the scanner's axis of rotation: each has a residual of its own.

A fit to all of a long scan would need all of it in memory, and would come out differently for every part of it. Bands
lie at the same slices of the scan whatever is worked on at once.
"""

from __future__ import annotations

from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.volume.axis_order import AxisOrder

HEIGHT, LEAST_HEIGHT = 24, 8
"""Slices of the result in a band, about, and where slices are so large that fewer have to do."""

VOXELS = 1 << 26
"""Voxels of the result in a band: more only where it would be lower than LEAST_HEIGHT."""

OVERLAP = 8
"""Slices on either side that the residual of a band is fitted to with it: a Gaussian reaches about as far."""

FEWEST_SLICES = 80
"""A result of fewer is a single band: cutting it would save no memory."""


def band_height(pixels: float) -> float:
    """Slices of the result in a band, about, of slices of so many pixels."""
    return min(HEIGHT, max(VOXELS / pixels, LEAST_HEIGHT))


def scan_bands(target: TargetGrid) -> list[slice]:
    """The bands of a whole scan, in its own slices along the scanner's axis of rotation, all but the last as high.

    >>> from CTSuperResolutionLib.job.target_grid import TargetAxis
    >>> across = TargetAxis.over(64, 1.0, 2.0, 0.5)
    >>> scan_bands(TargetGrid((TargetAxis.over(50, 1.0, 2.0, 0.5), across, across)))
    [slice(0, 12, None), slice(12, 24, None), slice(24, 36, None), slice(36, 50, None)]
    """
    axis, rows, columns = AxisOrder.for_factors(target.factors).permute(target.axes)
    if axis.count < FEWEST_SLICES:
        return [slice(0, axis.size)]
    pixels = rows.count * columns.count
    height = max(2, round(band_height(pixels) / axis.factor / 2) * 2)  # even, as a prior's patches of two are
    starts = list(range(0, axis.size, height))
    if len(starts) > 1 and axis.size - starts[-1] < height / 4:
        del starts[-1]
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], axis.size], strict=True)]


def result_bands(target: TargetGrid) -> list[slice]:
    """The bands of a whole scan in slices of its result, along the scanner's axis of rotation."""
    axis = AxisOrder.for_factors(target.factors).permute(target.axes)[0]
    return [axis.within(band) for band in scan_bands(target)]
