"""Report of an audit: tables in Markdown, and what a terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STRUCTURE_NOTE = (
    "For research; not for diagnosis. Of cubic 5 % are flagged by definition; a patch that agrees with the truth is no "
    "proof of every detail in it."
)
LESION_NOTE = (
    "For research; not for diagnosis. The observer is a model: it says what information is left in a volume for a "
    "known lesion at a known place, and not what a reader would find."
)


def structure_table(methods: Mapping[str, Mapping[str, float]]) -> str:
    """The table of :func:`~CTSuperResolutionLib.audit.structure.audit_structure`."""
    lines = [
        "| volume | patches | invented | lost | agrees with the truth up to (median) |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {count['patches']} | {count['invented_percent']:.1f} % | {count['lost_percent']:.1f} % | "
        f"{count['agreement_per_mm']:.3f} / mm |"
        for name, count in methods.items()
    ]
    return "\n".join(lines)


def lesion_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of a :class:`~CTSuperResolutionLib.audit.experiment.LesionExperiment`."""
    lines = [
        "| lesion | volume | d' (95 %) | beyond cubic (95 %) | area | size error, mm (95 %) | sized |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for name, found in row["methods"].items():
            cells = [
                f"{row['kind']}, {row['diameter_mm']:g} mm, {row['contrast_hu']:+g} HU",
                name,
                _with_ends(found["d_prime"]),
                _with_ends(row["beyond_cubic"].get(name), "+"),
                f"{found['area']:.3f}",
                _with_ends(found["size_error_mm"], "+"),
                f"{100 * found['sized']:.0f} %",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_ends(estimate: Sequence[float] | None, sign: str = "") -> str:
    if estimate is None:
        return "–"
    value, low, high = (f"{number:{sign}.2f}" for number in estimate)
    return f"{value} [{low}, {high}]"
