"""Analysis of a study: comparisons of methods, agreement, attention, response times and effects of position."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.study.agreement import gwet_ac2, krippendorff_alpha, weighted_kappa
from CTSuperResolutionLib.study.answers import Answer, Answers
from CTSuperResolutionLib.study.bootstrap import DRAWS, Interval
from CTSuperResolutionLib.study.grading import vgc_area
from CTSuperResolutionLib.study.marks import marks_of
from CTSuperResolutionLib.study.multiplicity import holm
from CTSuperResolutionLib.study.ordinal import odds_ratio
from CTSuperResolutionLib.study.preference import preference_share, strengths
from CTSuperResolutionLib.study.protocol import DEGRADED, Task

Row = dict[str, Any]
OVERALL = "mean of all criteria"


@dataclass(frozen=True)
class Analysis:
    """Tables of results, each a list of rows with the same columns.

    Attributes:
        answers: what they come from.
        comparisons: shares preferred and VGC areas, with Holm's correction over all of them.
        models: Bradley and Terry's strengths, and odds ratios; not among the tests that are corrected.
        agreement: between readers, and within each on hidden repeats.
        attention: checks passed, by reader.
        times: seconds of looking, by reader and task.
        position: how seconds and grades go with the position in a session.
        marks: one row a mark. mark_counts: marks per image, by method.
    """

    answers: Answers
    comparisons: list[Row]
    models: list[Row]
    agreement: list[Row]
    attention: list[Row]
    times: list[Row]
    position: list[Row]
    marks: list[Row]
    mark_counts: list[Row]


def analyse(answers: Answers, *, draws: int = DRAWS, seed: int = 0, progress: Progress | None = None) -> Analysis:
    """Analyse a study's answers; of every look, the first one counts, and repeats tell of agreement only.

    Args:
        answers: of two readers and on two cases at least.
        draws, seed: of the bootstraps.
        progress: asked after every comparison whether to go on.

    Raises:
        JobError: there are too few answers, or a package is missing.
    """
    main = [answer for answer in answers.all if answer.role == "main"]
    if len({a.reader for a in main}) < 2 or len({a.case for a in main}) < 2:
        raise JobError("An analysis needs the answers of two readers on two cases at least; let more be read.")
    progress = progress or Progress()
    comparisons: list[Row] = []
    models: list[Row] = []
    for task in answers.study.tasks.values():
        if task.kind == "marking":
            continue
        for row in (_shares if task.kind == "forced_choice" else _areas)(answers, task, draws, seed):
            comparisons.append(row)
            progress.check()
        if task.kind == "forced_choice" and len(answers.key.methods) > 2:
            models += _strengths(answers, task, draws, seed)
        elif task.kind != "forced_choice":
            models += _odds(answers, task)
        progress.check()
    tested = [row["p"] for row in comparisons if row["p"] is not None]
    corrected = iter(holm(tested))
    comparisons = [row | {"p Holm": None if row["p"] is None else next(corrected)} for row in comparisons]
    marks, counts = marks_of(answers)
    return Analysis(
        answers,
        comparisons,
        models,
        [row for task in answers.study.tasks.values() for row in _agreement(answers, task)],
        _attention(answers),
        _times(main),
        _position(answers),
        marks,
        counts,
    )


def graded(answers: Answers, task: Task, criterion: str, method: str, role: str = "main") -> np.ndarray:
    """Grades (readers, cases) of a criterion, or the mean of all of a task for :data:`OVERALL`."""
    if criterion != OVERALL:
        return answers.grades(task, criterion, method, role)
    return np.mean([answers.grades(task, name, method, role) for name in task.criteria], axis=0)


def criteria_of(task: Task) -> tuple[str, ...]:
    """What of a task is compared: its criteria, and their mean first where there are several."""
    return task.criteria if len(task.criteria) == 1 else (OVERALL, *task.criteria)


def _judged(answers: Answers, task: Task) -> list[str]:
    """Methods that a grading task grades."""
    reference = answers.key.reference if task.kind == "reference_rating" else None
    return [method for method in answers.key.methods if method != reference]


def _row(task: Task, question: str, first: str, second: str, measure: str, found: Interval) -> Row:
    return {
        "task": task.name,
        "question": question,
        "comparison": f"{second} against {first}",
        "measure": measure,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "p": found.p,
    }


def _shares(answers: Answers, task: Task, draws: int, seed: int) -> Iterator[Row]:
    for first, second in itertools.combinations(answers.key.methods, 2):
        table = _complete(answers.preferences(task, first, second))
        if table is not None:
            found = preference_share(table, draws=draws, seed=seed)
            yield _row(task, task.criteria[0], first, second, "share preferred", found)


def _areas(answers: Answers, task: Task, draws: int, seed: int) -> Iterator[Row]:
    for first, second in itertools.combinations(_judged(answers, task), 2):
        for criterion in criteria_of(task):
            tables = [graded(answers, task, criterion, method) for method in (first, second)]
            both = _complete(np.stack(tables))
            if both is not None:
                found = vgc_area(both[0], both[1], draws=draws, seed=seed)
                yield _row(task, criterion, first, second, "VGC area", found)


def _complete(table: np.ndarray) -> np.ndarray | None:
    """A table (…, readers, cases) without readers and cases that have no answer; None where too few are left."""
    known = np.isfinite(table).reshape(-1, *table.shape[-2:]).all(0)
    kept = table[..., known.any(1), :][..., known.any(0)]
    return kept if min(kept.shape[-2:]) >= 2 else None


def _strengths(answers: Answers, task: Task, draws: int, seed: int) -> list[Row]:
    methods = answers.key.methods
    won = np.zeros((len(answers.readers), len(answers.cases), len(methods), len(methods)))
    for i, j in itertools.permutations(range(len(methods)), 2):
        won[..., j, i] = np.nan_to_num(answers.preferences(task, methods[i], methods[j]))
    question, measure = task.criteria[0], "Bradley–Terry log strength"
    found = strengths(won, draws=draws, seed=seed)
    return [
        _row(task, question, methods[0], method, measure, interval)
        for method, interval in zip(methods[1:], found, strict=True)
    ]


def _odds(answers: Answers, task: Task) -> list[Row]:
    rows = []
    for first, second in itertools.combinations(_judged(answers, task), 2):
        for criterion in task.criteria:
            found = odds_ratio(*(answers.grades(task, criterion, method) for method in (first, second)))
            if found is not None:
                as_interval = Interval(found.ratio, found.low, found.high, found.p, float("inf"))
                rows.append(_row(task, criterion, first, second, "odds ratio of a higher grade", as_interval))
    return rows


def _agreement(answers: Answers, task: Task) -> list[Row]:
    if task.kind == "marking":
        return []
    rows = []
    for question in task.criteria:
        if task.kind == "forced_choice":
            pairs = list(itertools.combinations(answers.key.methods, 2))
            # 0, 1/2 and 1 as categories 1 to 3.
            tables = [[1 + 2 * answers.preferences(task, *pair, role) for pair in pairs] for role in ("main", "repeat")]
            scale = 3
        else:
            judged, scale = _judged(answers, task), task.scale
            tables = [[answers.grades(task, question, m, role) for m in judged] for role in ("main", "repeat")]
        main, again = (np.concatenate(found, axis=1) for found in tables)
        found = [
            weighted_kappa(main[a], main[b], scale) for a, b in itertools.combinations(range(len(answers.readers)), 2)
        ]
        kappas = [value for value in found if np.isfinite(value)]
        between = {
            "weighted kappa, mean of pairs": float(np.mean(kappas)) if kappas else float("nan"),
            "Krippendorff's alpha": krippendorff_alpha(main),
            "Gwet's AC2": gwet_ac2(main, scale),
        }
        common = {"task": task.name, "question": question}
        shared = int((np.isfinite(main).sum(0) >= 2).sum())
        rows += [
            common | {"who": "between readers", "measure": measure, "value": value, "looks": shared}
            for measure, value in between.items()
        ]
        for reader, first, second in zip(answers.readers, main, again, strict=True):
            both = np.isfinite(first) & np.isfinite(second)
            if both.any():
                on_repeats = {
                    "weighted kappa on repeats": weighted_kappa(first, second, scale),
                    "same answer on repeats": float((first[both] == second[both]).mean()),
                }
                rows += [
                    common | {"who": reader, "measure": measure, "value": value, "looks": int(both.sum())}
                    for measure, value in on_repeats.items()
                ]
    return rows


def passed(answer: Answer) -> bool:
    """Whether a check got its known answer: the copy that is not degraded, or a mean grade below the middle."""
    if answer.trial.task.kind == "forced_choice":
        return answer.preferred not in (None, DEGRADED)
    return bool(np.mean(list(answer.values["grades"].values())) < (1 + answer.trial.task.scale) / 2)


def _attention(answers: Answers) -> list[Row]:
    rows = []
    for reader in answers.readers:
        checks = [a for a in answers.all if a.reader == reader and a.role == "attention"]
        if checks:
            rows.append({"reader": reader, "checks": len(checks), "passed": sum(map(passed, checks))})
    return rows


def _times(main: list[Answer]) -> list[Row]:
    rows = []
    groups: dict[tuple[str, str, str], list[float]] = {}
    for answer in main:
        shown = " and ".join(sorted(answer.methods))
        groups.setdefault((answer.trial.task.name, shown, answer.reader), []).append(answer.seconds)
    for (task, shown, reader), seconds in sorted(groups.items()):
        low, middle, high = np.percentile(seconds, (25, 50, 75))
        rows.append({"task": task, "shown": shown, "reader": reader, "answers": len(seconds),
                     "median s": middle, "lower quartile s": low, "upper quartile s": high})  # fmt: skip
    return rows


def _position(answers: Answers) -> list[Row]:
    """Spearman's correlation with the position in the session, after each reader's own mean is taken off."""
    rows = []
    for task in answers.study.tasks.values():
        found = answers.of(task, "main")
        values = {"seconds": [a.seconds for a in found]}
        if task.kind in ("grading", "reference_rating"):
            values["grade"] = [float(np.mean(list(a.values["grades"].values()))) for a in found]
        for name, series in values.items():
            centred = np.array(series)
            for reader in answers.readers:
                own = np.array([a.reader == reader for a in found], dtype=bool)
                if own.any():
                    centred[own] -= centred[own].mean()
            positions = [a.position for a in found]
            if len(set(positions)) > 2 and len(set(centred)) > 2:
                rho, p = stats.spearmanr(positions, centred)
                rows.append({"task": task.name, "of": name, "rho": float(rho), "p": float(p), "answers": len(found)})
    return rows
