"""Representative part of a scan, from which its acquisition is found out, whatever part of it is worked on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.region import Slices

if TYPE_CHECKING:  # the panel, which asks for the region, is not to load what reading needs
    from CTSuperResolutionLib.volume.scan_source import ScanSource
    from CTSuperResolutionLib.volume.volume import Volume

MOST_VOXELS = 1 << 25
"""As many show enough edges, and take 0.3 GB to look at."""

FEWEST_SLICES = 8


def representative_region(shape: Sequence[int]) -> Slices:
    """All of a scan of that shape, (z, y, x), or of a large one its middle slices."""
    slices, rows, columns = shape
    kept = min(slices, max(FEWEST_SLICES, MOST_VOXELS // math.prod((rows, columns))))
    first = (slices - kept) // 2
    return slice(first, first + kept), slice(0, rows), slice(0, columns)


def representative_part(
    source: ScanSource, part: Volume, region: Slices, check: Callable[[], None] = lambda: None
) -> Volume:
    """The voxels from which a scan's acquisition is to be found.

    A small part shows few edges, and other ones than its neighbour: what is found would depend on where it lies. Where
    the file itself says what was measured in all of the scan, or the rest cannot be read, the part has to do.

    Args:
        source: the scan. part: what was read of it already, the voxels ``region``.
        check: called for every plane; may end the reading by raising.
    """
    wanted = representative_region(source.shape)
    if source.acquisition.measured is not None or region == wanted:
        return part
    if all(r.start <= w.start and w.stop <= r.stop for r, w in zip(region, wanted, strict=True)):
        z, y, x = (slice(w.start - r.start, w.stop - r.start) for r, w in zip(region, wanted, strict=True))
        return part.crop((z, y, x))
    try:
        return source.read(wanted, check=check)
    except JobError:
        return part
