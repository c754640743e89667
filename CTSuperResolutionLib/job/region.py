"""Regions of interest: ranges of voxels along (z, y, x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from CTSuperResolutionLib.errors import JobError

Range = tuple[int | None, int | None]
Roi = tuple[Range, Range, Range]
"""(start, stop) in voxels along (z, y, x), stop excluded; None is the volume's border."""

Slices = tuple[slice, slice, slice]


def parse_roi(roi: Any) -> Roi:
    """Read a region "z0:z1,y0:y1,x0:x1" in voxels, or three pairs. A missing number is the border.

    Raises:
        JobError: not three ranges of whole numbers.
    """
    try:
        pairs = [part.split(":") for part in roi.split(",")] if isinstance(roi, str) else list(roi)
        z, y, x = ((_bound(start), _bound(stop)) for start, stop in pairs)
    except (TypeError, ValueError):
        raise JobError(f"The region of interest '{roi}' is not z0:z1,y0:y1,x0:x1 in input voxels.") from None
    return z, y, x


def region_slices(roi: Roi | None, shape: Sequence[int]) -> Slices:
    """The part of a volume of that shape, (z, y, x), as three slices; all of it without a region.

    Raises:
        JobError: the region is empty or not inside the volume.
    """
    chosen = []
    for axis, (start, stop), n in zip("zyx", roi or ((None, None),) * 3, shape, strict=True):
        start, stop = 0 if start is None else start, n if stop is None else stop
        if not 0 <= start < stop <= n:
            wrong = "is empty" if start >= stop else f"is not inside the volume's 0:{n}"
            raise JobError(
                f"The region of interest {start}:{stop} along {axis} {wrong}; "
                "give start and stop in voxels, as in 0:20,40:120,40:120."
            )
        chosen.append(slice(start, stop))
    z, y, x = chosen
    return z, y, x


def _bound(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, float | bool):
        raise TypeError
    return int(value)
