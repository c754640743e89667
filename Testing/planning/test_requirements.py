"""Requirements of a job: the margin around a region counts, in what is needed and in what would fit."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.errors import JobError, SmallerRegion
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import region_slices
from CTSuperResolutionLib.job.target_grid import MAX_OUTPUT_VOXELS
from CTSuperResolutionLib.planning.margin import margin_of, with_margin, within
from CTSuperResolutionLib.planning.requirements import DEFAULT_SHARE, Requirements, requirements_on

SCAN = (60, 400, 400)
METHOD = Method("4", "preview", device="cpu")
WHOLE = METHOD.target_grid(SCAN, (1.0, 1.0, 1.0))


def required(roi=None, available: int = 1 << 50, scan_shape=SCAN) -> Requirements:
    return requirements_on("cpu", available, METHOD, region_slices(roi, scan_shape), (1.0, 1.0, 1.0), scan_shape)


def test_the_margin_is_what_the_prior_and_the_operator_reach() -> None:
    assert margin_of((4, 4, 4)) == (6, 6, 6) and margin_of((2, 3, 2)) == (6, 6, 6) and margin_of((8, 8, 8)) == (5, 5, 5)
    assert margin_of((5, 1, 1)) == (6, 12, 12)


def test_the_margin_ends_with_the_scan() -> None:
    z, y, x = margin_of((4, 4, 4))
    region = region_slices(((0, 10), (100, 120), (380 - x, 400 - x)), SCAN)
    outer = with_margin(region, WHOLE)
    assert outer == (slice(0, 10 + z), slice(100 - y, 120 + y), slice(380 - 2 * x, 400))
    assert within(region, outer) == (slice(0, 10), slice(y, y + 20), slice(x, x + 20))
    everything = region_slices(None, SCAN)
    assert with_margin(everything, WHOLE) == everything


@pytest.mark.parametrize("scale", ["4,1,1", "3", "1,2,5"])
def test_a_part_begins_with_a_patch_of_the_whole(scale: str) -> None:
    """The prior sees patches of two voxels of the result, and gives another one where they lie otherwise."""
    whole = Method(scale, "preview").target_grid(SCAN, (1.0, 1.0, 1.0))
    beyond = margin_of(whole.factors)
    for first in (40, 41):
        region = region_slices(((first, 50), (first, 90), (first, 90)), SCAN)
        outer = with_margin(region, whole)
        assert all(fine.start % 2 == 0 for fine in whole.within(outer))
        assert all(0 <= first - n - part.start <= 1 for n, part in zip(beyond, outer, strict=True))


def test_memory_is_that_of_the_region_with_its_margin_and_disk_that_of_the_region() -> None:
    roi = ((20, 30), (100, 120), (100, 120))
    region = required(roi)
    outer = with_margin(region_slices(roi, SCAN), WHOLE)
    around = required(((0, None),) * 3, scan_shape=tuple(part.stop - part.start for part in outer))
    alone = required(((0, None),) * 3, scan_shape=(10, 20, 20))
    assert region.worked_shape == tuple(part.stop - part.start for part in outer) and region.shape == (10, 20, 20)
    assert region.output_shape == (40, 80, 80)
    assert region.memory == around.memory > alone.memory and region.disk == alone.disk


@pytest.mark.parametrize("available", [3 << 30, 1 << 50])
def test_the_region_that_is_advised_fits_with_its_margin(available: int) -> None:
    """By memory, and by the most voxels that a result may have."""
    scan_shape = (60, 400, 400) if available < 1 << 50 else (19, 1400, 1400)
    needed = required(None, available, scan_shape)
    assert not needed.fits
    with pytest.raises(JobError) as error:
        needed.require_memory(METHOD)
    (ranges,) = [remedy.ranges for remedy in error.value.remedies if isinstance(remedy, SmallerRegion)]
    fitting = required(ranges, available, scan_shape)
    assert fitting.fits and fitting.memory <= available
    assert np.prod(fitting.worked_shape) * 64 <= MAX_OUTPUT_VOXELS
    wider = tuple((max(start - 8, 0), min(stop + 8, n)) for (start, stop), n in zip(ranges, scan_shape, strict=True))
    assert not required(wider, available, scan_shape).fits


def test_a_region_that_only_its_margin_makes_too_large_says_so() -> None:
    roi = ((0, 10), (0, 300), (0, 300))
    alone = required(((0, None),) * 3, scan_shape=(10, 300, 300)).memory
    with pytest.raises(
        JobError, match=r"40 x 1200 x 1200 voxels, with the margin around it, needs about .* may be taken"
    ):
        required(roi, round(alone / DEFAULT_SHARE) + 1).require_memory(METHOD)
