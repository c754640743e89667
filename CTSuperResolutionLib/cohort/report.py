"""Report on a cohort: what became of every scan, as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cohort.members import Member
from CTSuperResolutionLib.cohort.task import DONE, CohortOutcome

FILES = ("cohort.json", "cohort.csv", "cohort.md")
FACTS = ("scale", "shape", "spacing_mm", "sr_rms_hu", "cubic_rms_hu", "device", "seconds", "peak_mb")


def rows_of(members: Sequence[Member], outcomes: Sequence[CohortOutcome]) -> list[dict[str, Any]]:
    """A row for every scan, in the order of the cohort."""
    return [
        {
            "name": member.name,
            "scan": member.scan.name,
            "status": outcome.status,
            **{name: outcome.facts.get(name) for name in FACTS},
            "kind": outcome.kind,
            "error": outcome.error,
        }
        for member, outcome in zip(members, outcomes, strict=True)
    ]


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write cohort.json, cohort.csv and cohort.md.

    Args:
        report: with ``rows`` of :func:`rows_of`.
        folder: where to.
    """
    rows = report["rows"]
    (folder / "cohort.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    with (folder / "cohort.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    (folder / "cohort.md").write_text(format_table(rows) + f"\n{report['note']}\n", encoding="utf-8")


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as tables in Markdown: what was done, and what was not and why."""
    done = [row for row in rows if row["status"] == DONE]
    failed = [row for row in rows if row["status"] != DONE]
    lines = [f"{len(done)} of {len(rows)} scans are done."]
    if done:
        titles = ("scan", "scale", "voxels", "mm", "rms to the scan, HU", "cubic's", "seconds", "MB")
        values = ("name", "scale", "shape", "spacing_mm", "sr_rms_hu", "cubic_rms_hu", "seconds", "peak_mb")
        lines += ["", *_markdown(titles, [[row[name] for name in values] for row in done])]
    if failed:
        lines += ["", *_markdown(("scan", "why it failed"), [[row["name"], row["error"]] for row in failed])]
    return "\n".join(lines) + "\n"


def _markdown(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    cells = [[_plain(value).replace("|", "\\|").replace("\n", " ") for value in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (titles, ["---"] * len(titles), *cells)]


def _plain(value: Any) -> str:
    """A value in a cell: nothing for what is not known."""
    if value is None:
        return ""
    if isinstance(value, list):
        return " x ".join(_plain(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
