"""Where a scan shows more than air, and that what the prior makes of that does not change with the air around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.target_grid import TargetAxis
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.stages import matter_windows as module
from CTSuperResolutionLib.stages.matter_windows import (
    BEYOND,
    FEWEST_KEPT,
    KEPT,
    Window,
    find_matter,
    matter_windows,
    shown_share,
)
from CTSuperResolutionLib.stages.scan_findings import ScanFindings


def body(noise=30.0) -> np.ndarray:
    """Tissue in noisy air: rows 10 to 29 in the first slice, columns 7 to 52 in the last."""
    hu = np.random.default_rng(0).normal(-1000, noise, (40, 61, 80)).astype(np.float32)
    hu[0, 10:30, 20:40] = 40
    hu[-1, 12:20, 7:53] = 0
    return hu


def test_matter_lies_between_its_outermost_rows_and_columns_in_any_slice():
    assert find_matter(body()) == (slice(10, 30), slice(6, 54))
    assert find_matter(np.full((9, 8, 8), -1000, np.float32)) is None
    assert find_matter(np.zeros((9, 9, 11), np.float32)) == (slice(0, 9), slice(0, 11))


def test_a_thin_wall_is_matter():
    hu = np.full((8, 40, 40), -1000, np.float32)
    hu[3, 5, 10:20] = 40
    assert find_matter(hu) == (slice(4, 6), slice(10, 20))


def test_an_odd_last_row_counts():
    hu = np.full((8, 41, 43), -1000, np.float32)
    hu[:, 10:20, 10:20] = 0
    hu[5, 40, 5:36] = hu[5, 15, 42] = 40
    assert find_matter(hu) == (slice(10, 41), slice(4, 43))


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 2.5, 3.2])
@pytest.mark.parametrize("matter", [slice(60, 140), slice(20, 400), slice(0, 90), slice(300, 400), slice(2, 398)])
def test_a_window_has_the_matter_with_room_around_it_on_the_grid_of_training(factor, matter):
    axis = TargetAxis.over(400, 1.0, factor, 1.0 / factor)
    window = Window.around(matter, axis)
    fine = axis.within(matter)
    kept = max(KEPT * factor, FEWEST_KEPT)
    for part, room in ((window.kept, kept), (window.seen, kept + BEYOND)):
        assert part.start <= max(fine.start - room, 0) and part.stop >= min(fine.stop + room, axis.count)
    assert window.seen.start <= window.kept.start and window.kept.stop <= window.seen.stop <= axis.count
    assert window.seen.start % 2 == 0 and (factor % 1 or window.seen.start % factor == 0)
    assert (window.kept.start == 0) == (window.seen.start == 0)
    assert (window.kept.stop == axis.count) == (window.seen.stop == axis.count)
    assert window.taken == slice(window.kept.start - window.seen.start, window.kept.stop - window.seen.start)


def test_where_little_is_saved_all_is_restored():
    axes = [TargetAxis.over(n, 1.0, 4, 0.25) for n in (20, 100, 100)]
    whole = tuple(Window.whole(n) for n in (80, 400, 400))
    assert matter_windows(None, axes) == whole
    assert matter_windows((slice(2, 98), slice(1, 99)), axes) == whole
    found = matter_windows((slice(40, 60), slice(1, 99)), axes)
    assert found[0] == whole[0] and found[2] == whole[2] and found[1] == Window(slice(96, 304), slice(132, 268))


def test_the_share_that_is_shown_is_counted_slice_by_slice():
    axes = [TargetAxis.over(n, 1.0, 4, 0.25) for n in (20, 100, 100)]
    assert shown_share(matter_windows(None, axes), axes) == 1
    windows = matter_windows((slice(40, 60), slice(1, 99)), axes)  # 208 of 400 rows are shown, 136 of these are kept
    pixels = 80 * 208 * 400 + 136 * 80 * 400 + 400 * 80 * 208
    assert shown_share(windows, axes) == pytest.approx(pixels / (3 * 80 * 400 * 400))


@pytest.mark.parametrize(
    ("factors", "order"), [((1, 4, 4), (1, 2, 0)), ((1, 5, 5), (0, 1, 2)), ((1, 8, 8), (0, 1, 2))], ids=str
)
def test_the_air_around_a_body_changes_nothing_in_it(factors, order, monkeypatch):
    """A chest in a field of view of twice its width: where it is restored by itself, and where all of it is."""
    z, y, x = factors
    fine = thorax(shape=(8 * z, 80 * y, 88 * x), spacing=440 / (88 * x), seed=2)
    coarse = degrade(fine, factors, noise_hu=8)
    scan = replace(
        coarse,
        array=np.ascontiguousarray(coarse.array.transpose(order)),
        spacing=tuple(coarse.spacing[k] for k in order),
        direction=(1, 0, 0, 0, 1, 0, 0, 0, 1),
    )
    method = Method(
        scale=",".join(str(factors[k]) for k in order), preset="preview", settings={"views": 4, "residual": "grid"}
    )
    target = method.target_grid(scan.shape, scan.spacing)
    findings = ScanFindings.of(scan, target, method.parameters)
    rows, columns = findings.matter
    assert rows.stop - rows.start < 50 and columns.stop - columns.start < 56
    own = super_resolve(scan, method, findings=findings).sr.array
    monkeypatch.setattr(module, "WORTH", 0.0)
    whole = super_resolve(scan, method, findings=findings).sr.array
    assert not np.array_equal(own, whole)  # the noise of air far from the body
    inner = [slice(None), slice(y * rows.start, y * rows.stop), slice(x * columns.start, x * columns.stop)]
    apart = np.abs(own - whole)[tuple(inner[k] for k in order)]
    assert apart.max() <= 2 and (apart > 1).mean() < 1e-5  # whole HU: of rounding alone there may be 1
