"""Export of grades for the R packages iMRMC and MRMCaov.

Both analyse how well grades tell two kinds of cases apart. Where the cases have a ``truth`` (something to be found, or
nothing), that is what they are told. Where they have none, the first method's images are handed over as the cases
without and another method's as those with, so that the area is that of visual grading characteristics; the two images
of a case then count as two cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.answers import Answers
from CTSuperResolutionLib.study.protocol import Task
from CTSuperResolutionLib.study.report import write_csv


@dataclass(frozen=True)
class Score:
    """A grade as both packages want it: of a reader, by a treatment, on a case that has a truth."""

    reader: str
    treatment: str
    case: str
    truth: int
    grade: float


def export_grades(answers: Answers, folder: Path) -> list[str]:
    """Write NAME.imrmc and NAME-mrmcaov.csv for every graded criterion into a folder.

    iMRMC's lines are reader, case, modality, score, after lines of reader and modality "truth" with the cases' truth.
    Its format has no quotes for commas, so it gets numbers for cases, and NAME-cases.csv says which is which.

    Returns:
        the names of the files.

    Raises:
        JobError: nothing was graded.
    """
    names = []
    for task in answers.study.tasks.values():
        for number, criterion in enumerate(task.criteria, 1):
            if task.kind not in ("grading", "reference_rating"):
                continue
            scores = scores_of(answers, task, criterion)
            if not scores:
                continue
            name = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', task.name)}-{number}"
            rows = [
                {"reader": s.reader, "treatment": s.treatment, "case": s.case, "truth": s.truth, "rating": s.grade}
                for s in scores
            ]
            write_csv(rows, folder / f"{name}-mrmcaov.csv")
            (folder / f"{name}.imrmc").write_text(imrmc_text(f"{task.name}: {criterion}", scores), encoding="utf-8")
            numbered: list[dict[str, Any]] = [
                {"number": number, "case": case} for number, case in enumerate(_cases(scores), 1)
            ]
            write_csv(numbered, folder / f"{name}-cases.csv")
            names += [f"{name}-mrmcaov.csv", f"{name}.imrmc", f"{name}-cases.csv"]
    if not names:
        raise JobError("This study has no grades to export; iMRMC and MRMCaov analyse grades only.")
    return names


def scores_of(answers: Answers, task: Task, criterion: str) -> list[Score]:
    """The grades of one criterion, main looks only."""
    reference = answers.key.reference if task.kind == "reference_rating" else None
    methods = [method for method in answers.key.methods if method != reference]
    tables = {method: answers.grades(task, criterion, method) for method in methods}
    truth = answers.key.truth
    scores = []
    if all(value is not None for value in truth.values()):
        for method, table in tables.items():
            for (r, c), grade in np.ndenumerate(table):
                case = answers.cases[c]
                scores.append(Score(answers.readers[r], method, case, int(bool(truth[case])), float(grade)))
    else:
        first = methods[0]
        for method in methods[1:]:
            for shown, is_other in ((first, 0), (method, 1)):
                for (r, c), grade in np.ndenumerate(tables[shown]):
                    case = f"{answers.cases[c]} {shown}"
                    scores.append(Score(answers.readers[r], f"{method} against {first}", case, is_other, float(grade)))
    return [score for score in scores if np.isfinite(score.grade)]


def imrmc_text(description: str, scores: list[Score]) -> str:
    """Scores as an iMRMC file."""
    cases = _cases(scores)
    truth = {score.case: score.truth for score in scores}
    readers, treatments = (list(dict.fromkeys(found)) for found in zip(*((s.reader, s.treatment) for s in scores),
                                                                       strict=True))  # fmt: skip
    lines = [
        description,
        "",
        f"NR: {len(readers)}",
        f"N0: {sum(truth[case] == 0 for case in cases)}",
        f"N1: {sum(truth[case] == 1 for case in cases)}",
        f"NM: {len(treatments)}",
        "",
        "BEGIN DATA:",
        *(f"truth,{number},truth,{truth[case]}" for number, case in enumerate(cases, 1)),
        *(f"{s.reader},{cases.index(s.case) + 1},{s.treatment},{s.grade:g}" for s in scores),
    ]
    return "\n".join(lines) + "\n"


def _cases(scores: list[Score]) -> list[str]:
    return list(dict.fromkeys(score.case for score in scores))
