"""Error interval of a job: the scan's test before the work, and what is said of the interval after it."""

from __future__ import annotations

from typing import Any

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.quantification.added_structure import region_labels
from CTSuperResolutionLib.quantification.subdivision import planes
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.trust.error_map import error_by_tissue
from CTSuperResolutionLib.trust.self_test import SelfTest, self_test
from CTSuperResolutionLib.volume.volume import Volume

TEST_SECONDS = 15.0  # about what it takes on a plain computer
NO_INTERVAL = (
    "No interval of the error could be found: that takes a scan in HU of at least 12 thick slices, a result that is "
    "finer between them alone, and slices of at least 48 pixels a side, one of them as long as ten slices are thick; a "
    "larger region may do."
)

LITTLE_DB = 1.0
"""Gain of the test over cubic, below which a note says so: real scans of 2.5 and 5 mm slices have 1.6 to 3.4 dB, one
with 100 HU of noise added 0.9, pure noise and a pattern as no body has 0.0."""


def little_gained(gain_db: float) -> str:
    """A note on a scan of which the method makes little or nothing."""
    nearer = f"only {gain_db:.1f} dB nearer" if gain_db >= 0.05 else "no nearer"
    return (
        f"Within this scan's own slices, where the finer truth was measured, the result of a test was {nearer} to it "
        "than cubic upsampling: the scan may be too noisy, or unlike those that the prior has learned from."
    )


def tested(
    scan: Volume, target: TargetGrid, findings: ScanFindings, method: Method, progress: Progress, notes: list[str]
) -> SelfTest | None:
    """The test of a scan where the method asks for it; see :func:`self_test`.

    A note says where there can be none, and where the method gains little.
    """
    if not method.parameters.has_error:
        return None
    progress.plan({"test": TEST_SECONDS})
    progress.stage("test")
    test = self_test(scan, target, findings, method, progress=progress)
    progress.advance()
    if test is None or test.gain_db < LITTLE_DB:
        note = NO_INTERVAL if test is None else little_gained(test.gain_db)
        notes.append(note)
        progress.note(note)
    return test


def interval_report(
    scan: Volume, region: Slices, target: TargetGrid, error: Volume | None, test: SelfTest | None
) -> dict[str, Any]:
    """The entry ``error_interval`` of a report; None in it where there is no interval.

    Args:
        scan: what was worked on. region: slices along (z, y, x) of it. target: the grid of the result over ``scan``.
        error: half widths over the region, HU. test: of the scan.
    """
    if error is None or test is None:
        return {"error_interval": None}
    labels = planes(region_labels(scan)[region], error.shape, target.part(region))
    return {"error_interval": test.report() | {"by_tissue": error_by_tissue(iter(error.array), labels)}}
