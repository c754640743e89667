"""Fault injection in its short form: nothing hangs, nothing is left, and no result is half there or wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(__file__).with_name("run.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose /proc tells what processes do"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command found."""
    path = tmp_path_factory.mktemp("faults") / "report.json"
    done = subprocess.run(
        [sys.executable, str(COMMAND), "--short", "--json", str(path)], capture_output=True, text=True, check=False
    )
    assert path.is_file(), done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


def wrong(cases: list[dict[str, Any]]) -> list[str]:
    """What is wrong, with the name by which a case can be had again: run.py --case NAME."""
    return [f"{case['case']}: {wrong}" for case in cases for wrong in case["wrong"]]


def test_a_run_under_faults_is_whole_or_leaves_nothing(report: dict[str, Any]) -> None:
    assert wrong(report["runs"]["cases"]) == []


def test_a_mutated_input_is_read_right_or_refused(report: dict[str, Any]) -> None:
    assert wrong(report["inputs"]["cases"]) == []


def test_the_faults_do_come(report: dict[str, Any]) -> None:
    """Of every kind at least one run does not simply go through, where the kind leaves it no other way."""
    ends = {row["kind"]: row for row in report["runs"]["table"]}
    assert ends["SIGKILL"].get("killed") and ends["SIGKILL at a file call"].get("killed")
    assert ends["SIGTERM"].get("cancelled", 0) + ends["SIGINT"].get("cancelled", 0) > 0
    assert ends["file call fails"].get("refused") and ends["file size limit"].get("refused")
    for kind in report["inputs"]["table"]:
        assert kind.get("right") and kind.get("refused"), kind
