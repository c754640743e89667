"""Report of a study: the same sections as HTML and as Markdown, figures, and CSV of everything."""

from __future__ import annotations

import csv
import html
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.study.analysis import Analysis
from CTSuperResolutionLib.study.answers import Answers
from CTSuperResolutionLib.study.bootstrap import DRAWS
from CTSuperResolutionLib.study.figures import draw_comparisons, draw_curves
from CTSuperResolutionLib.study.marks import NEAR_MM
from CTSuperResolutionLib.study.protocol import MARKS

Row = Mapping[str, Any]
STYLE = (
    "body{font:16px sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.2em .6em;text-align:left}img{max-width:100%}"
)


@dataclass(frozen=True)
class Section:
    """A part of the report: paragraphs, a table of rows with the same columns, and a picture beside the report."""

    heading: str
    paragraphs: Sequence[str]
    rows: Sequence[Row] = field(default_factory=tuple)
    picture: str | None = None


def write_report(analysis: Analysis, folder: Path) -> None:
    """Write report.html, report.md, the figures, and CSV files of the answers and of every table into a folder."""
    draw_comparisons(analysis, folder / "comparisons.png")
    has_curves = draw_curves(analysis, folder / "vgc.png")
    sections = sections_of(analysis, has_curves)
    (folder / "report.md").write_text(as_markdown(sections), encoding="utf-8")
    (folder / "report.html").write_text(as_html(sections), encoding="utf-8")
    write_csv(answer_rows(analysis.answers), folder / "answers.csv")
    for name in ("comparisons", "models", "agreement", "attention", "times", "position", "marks", "mark_counts"):
        if rows := getattr(analysis, name):
            write_csv(rows, folder / f"{name.replace('_', '-')}.csv")


def sections_of(analysis: Analysis, has_curves: bool) -> list[Section]:
    """The sections of the report."""
    answers = analysis.answers
    planned = sum(len(session) for found in answers.study.sessions.values() for session in found)
    said = (
        f"{len(answers.readers)} of {len(answers.study.sessions)} readers, {len(answers.cases)} cases, "
        f"{len(answers.all)} of {planned} answers. Methods: {', '.join(answers.key.methods)}; the first is what the "
        f"others are compared with. Study {answers.study.id}, seed {answers.key.seed}, CTSuperResolution {__version__}."
    )
    tests = sum(row["p"] is not None for row in analysis.comparisons)
    method = (
        f"Estimates with 95 % intervals for other readers and other cases of the same kind: two-way bootstrap with "
        f"{DRAWS} draws each of readers, cases and both, Student's t on the log odds. 1/2 is no difference. "
        f"p is two-sided; p Holm is corrected for the {tests} tests of this table. Hidden repeats, attention checks "
        "and training do not count here."
    )
    failed = [row["reader"] for row in analysis.attention if row["passed"] < row["checks"]]
    sections = [
        Section(answers.study.title, [said, "For research, not for diagnosis."]),
        Section("Comparisons", [method], analysis.comparisons, "comparisons.png"),
    ]
    if has_curves:
        told = "All criteria and readers together; the table has the mean of the readers' own areas."
        sections.append(Section("Visual grading characteristics", [told], (), "vgc.png"))
    told = (
        "Odds ratios are of a cumulative logit model with readers as fixed effects and errors that hold for correlated "
        "looks at a case, so that their intervals are for these readers; Bradley–Terry strengths are log odds against "
        "the first method. Neither is among the tests that are corrected."
    )
    sections += [
        Section("Models", [told], analysis.models),
        Section("Agreement", ["Alpha is ordinal; kappa and AC2 have quadratic weights."], analysis.agreement),
        Section(
            "Attention checks",
            [f"Readers who failed one: {', '.join(failed)}." if failed else "No reader failed one."],
            analysis.attention,
        ),
        Section("Marks", _about_marks(analysis), analysis.mark_counts),
        Section("Response times", ["Seconds of looking, without pauses and loading."], analysis.times),
        Section(
            "Position in the session",
            ["Spearman's correlation with the position, each reader's own mean taken off; not corrected."],
            analysis.position,
        ),
    ]
    optional = ("Models", "Attention checks", "Marks", "Position in the session", "Agreement")
    return [section for section in sections if section.rows or section.heading not in optional]


def _about_marks(analysis: Analysis) -> list[str]:
    """What the table counts; and how much images have at the marks beyond what was measured, where that is known."""
    said = ["Marks an image, of the images that were read for them."]
    for method in analysis.answers.key.methods:
        for kind in MARKS:
            found = [m for m in analysis.marks if (m["method"], m["kind"]) == (method, kind)]
            known = [m for m in found if m["added HU"] is not None]
            if known:
                here = statistics.median(abs(m["added HU"]) for m in known)
                typical = statistics.median(m["typical added HU"] for m in known)
                said.append(
                    f"Within {NEAR_MM:g} mm of marks of {method} as {kind}, the image differs from the measured by "
                    f"up to {here:.0f} HU (median of {len(known)} marks); typical of the images is {typical:.0f} HU."
                )
    return said


def as_markdown(sections: Sequence[Section]) -> str:
    """The sections as Markdown."""
    parts = []
    for level, section in zip(["#", *["##"] * len(sections)], sections, strict=False):
        parts.append(f"{level} {section.heading}")
        parts += section.paragraphs
        if section.picture:
            parts.append(f"![{section.heading}]({section.picture})")
        if section.rows:
            columns = list(section.rows[0])
            lines = [columns, ["---"] * len(columns), *([_text(row[c]) for c in columns] for row in section.rows)]
            parts.append("\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def as_html(sections: Sequence[Section]) -> str:
    """The sections as one page of HTML."""
    parts = []
    for level, section in zip(["h1", *["h2"] * len(sections)], sections, strict=False):
        parts.append(f"<{level}>{html.escape(section.heading)}</{level}>")
        parts += [f"<p>{html.escape(paragraph)}</p>" for paragraph in section.paragraphs]
        if section.picture:
            parts.append(f'<img src="{section.picture}" alt="{html.escape(section.heading)}">')
        if section.rows:
            columns = list(section.rows[0])
            head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
            body = "".join(
                f"<tr>{''.join(f'<td>{html.escape(_text(row[column]))}</td>' for column in columns)}</tr>\n"
                for row in section.rows
            )
            parts.append(f"<table>\n<tr>{head}</tr>\n{body}</table>")
    title, body = html.escape(sections[0].heading), "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def answer_rows(answers: Answers) -> list[Row]:
    """One row for every grade, choice or list of marks, with all that is known of it."""
    rows: list[Row] = []
    for answer in answers.all:
        values = answer.values
        common = {
            "reader": answer.reader,
            "session": answer.session + 1,
            "position": answer.position + 1,
            "task": answer.trial.task.name,
            "kind": answer.trial.task.kind,
            "role": answer.role,
            "case": answer.case,
            "shown": " | ".join(answer.methods),
            "seconds": answer.seconds,
            "comment": values.get("comment", ""),
        }
        for question in answer.trial.questions:
            rows.append(
                common
                | {
                    "question": question,
                    "grade": values.get("grades", {}).get(question),
                    "choice": values.get("choice"),
                    "preferred": answer.preferred if "choice" in values else None,
                    "strength": values.get("strength"),
                    "marks": json.dumps(values["marks"]) if "marks" in values else None,
                }
            )
    return rows


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Rows with the same columns as CSV; what is not known is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return "< 0.001" if 0 < value < 0.001 else f"{value:.3f}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)
