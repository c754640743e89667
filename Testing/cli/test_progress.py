"""Progress of ``ctsr run``: no stage stands still for more than two seconds, and a log ends with the end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Ctsr = Callable[..., object]
LIMIT = 2.0
LONG = 2 * LIMIT


def slowed(function: Callable, seconds: float) -> Callable:
    def slow(*arguments: object, **options: object) -> object:
        time.sleep(seconds)
        return function(*arguments, **options)

    return slow


@pytest.mark.slow
def test_the_bar_moves_whatever_takes_long(
    ctsr_here: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an operation on a volume of gigabytes takes, in each of the stages that had none or few steps."""
    from CTSuperResolutionLib.output import comparison_figure, written_result
    from CTSuperResolutionLib.stages import scan_findings
    from CTSuperResolutionLib.volume.scan_source import ScanSource

    monkeypatch.setattr(ScanSource, "read", slowed(ScanSource.read, LONG))
    monkeypatch.setattr(scan_findings, "scan_noise", slowed(scan_findings.scan_noise, LONG))
    monkeypatch.setattr(written_result, "residual_norms", slowed(written_result.residual_norms, LONG))
    monkeypatch.setattr(comparison_figure, "compare_figure", slowed(comparison_figure.compare_figure, LONG))
    ended = ctsr_here("run", scan, tmp_path, *quick, "--events", "json")
    assert ended.code == 0, ended.err
    told = [event for event in ended.events if event["event"] == "progress"]
    assert {"load", "upsample", "assemble", "write"} <= {event["stage"] for event in told}
    assert max(b["elapsed_s"] - a["elapsed_s"] for a, b in itertools.pairwise(told)) <= LIMIT
    planned = [event for event in told if event["fraction"] is not None]
    for before, after in itertools.combinations(planned, 2):
        assert after["fraction"] > before["fraction"] or after["elapsed_s"] - before["elapsed_s"] <= LIMIT


def test_data_consistency_advances_within_its_stages(
    ctsr_here: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rounds took minutes without a step, before the first view and after the last slice."""
    from CTSuperResolutionLib.degradation import operator

    monkeypatch.setattr(operator, "apply_along_axes", slowed(operator.apply_along_axes, 0.05))
    ended = ctsr_here("run", scan, tmp_path, *quick, "--events", "json")
    assert ended.code == 0, ended.err
    for stage in ("upsample", "restore", "assemble"):
        seen = {event["fraction"] for event in ended.events if event.get("stage") == stage}
        assert len(seen) >= 5, stage


def test_a_log_ends_with_the_end(ctsr: Ctsr, scan: Path, quick: Sequence[str], tmp_path: Path) -> None:
    ended = ctsr("run", scan, tmp_path, *quick)
    assert ended.code == 0, ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("done ") and "100 %" in last and "MB" in last
