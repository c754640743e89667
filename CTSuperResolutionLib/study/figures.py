"""Figures of a study's report: the comparisons with their intervals, and the curves of visual grading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from CTSuperResolutionLib.study.analysis import Analysis
from CTSuperResolutionLib.study.grading import vgc_curve

DPI = 120
WIDEST = 60  # letters of a label


def draw_comparisons(analysis: Analysis, path: Path) -> None:
    """All shares and areas with their 95 % intervals, around 1/2, as PNG."""
    rows = analysis.comparisons[::-1]
    figure = Figure(figsize=(9, 1.2 + 0.32 * len(rows)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        axes.plot([row["low"], row["high"]], [place, place], color="tab:blue")
        axes.plot(row["estimate"], place, "o", color="tab:blue")
    axes.axvline(0.5, color="0.5", linewidth=1)
    labels = [f"{row['task']}, {row['comparison']}: {row['question']}" for row in rows]
    axes.set_yticks(range(len(rows)), [text if len(text) <= WIDEST else f"{text[:WIDEST]}…" for text in labels])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share preferred, or VGC area; 1/2 is no difference")
    figure.savefig(path)


def draw_curves(analysis: Analysis, path: Path) -> bool:
    """Visual grading characteristics of every grading task, all criteria and readers together, as PNG.

    Returns:
        whether there is anything to draw.
    """
    answers = analysis.answers
    tasks = [task for task in answers.study.tasks.values() if task.kind in ("grading", "reference_rating")]
    if not tasks:
        return False
    figure = Figure(figsize=(4.2 * len(tasks), 4.2), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for number, task in enumerate(tasks, 1):
        axes = figure.add_subplot(1, len(tasks), number)
        judged = [m for m in answers.key.methods if task.kind == "grading" or m != answers.key.reference]
        first, *others = ([answers.grades(task, c, method) for c in task.criteria] for method in judged)
        for method, grades in zip(judged[1:], others, strict=True):
            points = vgc_curve(np.array(first), np.array(grades), task.scale)
            axes.plot(points[:, 0], points[:, 1], "o-", label=method)
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=task.name, xlabel=f"share of {judged[0]} graded so")
        axes.set_ylabel("share graded so by the method")
        if others:
            axes.legend(loc="lower right")
    figure.savefig(path)
    return True
