"""Table of a report's rows, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEADINGS = (
    ("op", "<"),
    ("beam", "<"),
    ("Gaussians", ">"),
    ("size", ">"),
    ("backend", "<"),
    ("threads", ">"),
    ("forward ms", ">"),
    ("backward ms", ">"),
    ("× torch", ">"),
    ("peak MB", ">"),
    ("bandwidth", ">"),
    ("arithmetic", ">"),
)


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line for every row of a report; the last two columns are shares, forward / backward.

    Speed is relative to the reference implementation on the same case; where that ran with several numbers of threads,
    with the same number, or else with its fastest.
    """
    if not rows:
        return "Nothing was measured."
    cells = [[name for name, _ in HEADINGS], *([*_cells(row, _speed(row, rows))] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = ("  ".join(f"{cell:{side}{width}}" for cell, (_, side), width in _aligned(line, widths)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def format_report(report: Mapping[str, Any]) -> str:
    """The table with what has to be known to read it."""
    device, versions = report["device"], report["versions"]
    head = [f"{device['name']}, " + ", ".join(f"{name} {value}" for name, value in versions.items() if value)]
    for rate in report["rates"]:
        where = f"{rate['device']}, {rate['threads']} threads" if rate["threads"] else rate["device"]
        head.append(f"{where}: {rate['bandwidth_gb_s']:.0f} GB/s, {rate['gflop_s']:.0f} GFLOP/s measured")
    left_out = [f"left out: {line}" for line in report["left_out"]]
    tables = [format_table(report["rows"])] if report["rows"] or not report["runs"] else []
    return "\n".join([*head, "", *tables, *map(format_run, report["runs"]), *left_out])


def format_run(run: Mapping[str, Any]) -> str:
    """A whole run: a line of its own, and one for every stage."""
    slabs = f" in {run['slabs']} slabs" if run["slabs"] > 1 else ""
    stages = run["stages"].items()
    width = max(map(len, run["stages"]), default=0)
    return "\n".join(
        [
            f"run {run['case']}: {run['seconds']:.0f} s{slabs}, peak {run['peak_mb']:.0f} MB "
            f"({run['estimated_mb']:.0f} estimated for all at once), {_percent(run['processor'])} of the cores, "
            f"{_percent(run['arithmetic'])} of the arithmetic",
            *(f"  {name:{width}} {s['seconds']:7.1f} s, {_percent(s['processor'])} of the cores" for name, s in stages),
        ]
    )


def _cells(row: Mapping[str, Any], speed: float | None) -> Iterable[str]:
    power = "³" if row["op"] == "voxelize" else "²"
    return (
        row["op"],
        row["geometry"] or "",
        str(row["gaussians"]),
        f"{row['size']}{power}",
        row["backend"],
        "" if row["threads"] is None else str(row["threads"]),
        _milliseconds(row["forward_ms"]),
        _milliseconds(row["backward_ms"]),
        "" if speed is None else f"{speed:.1f}",
        "" if row["peak_mb"] is None else f"{row['peak_mb']:.1f}",
        _shares(row, "bandwidth"),
        _shares(row, "arithmetic"),
    )


def _speed(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float | None:
    def case(of: Mapping[str, Any]) -> tuple:
        return of["op"], of["geometry"], of["gaussians"], of["size"]

    references = [other for other in rows if other["backend"] == "torch" and case(other) == case(row)]
    references = [other for other in references if other["threads"] == row["threads"]] or references
    return min(map(_total, references)) / _total(row) if references else None


def _total(row: Mapping[str, Any]) -> float:
    return row["forward_ms"] + row["backward_ms"]


def _milliseconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def _shares(row: Mapping[str, Any], kind: str) -> str:
    shares = row[f"forward_{kind}"], row[f"backward_{kind}"]
    return "" if None in shares else " / ".join(map(_percent, shares))


def _aligned(line: Sequence[str], widths: Sequence[int]) -> Iterable[tuple[str, tuple[str, str], int]]:
    return zip(line, HEADINGS, widths, strict=True)
