"""Engines that do the tasks: this computer, one after another, or Ray."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path

from CTSuperResolutionLib.engines import ray_cluster
from CTSuperResolutionLib.engines.ray_cluster import Call
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.evaluation.child import run_task
from CTSuperResolutionLib.evaluation.methods import METHODS
from CTSuperResolutionLib.evaluation.task import EvaluationOutcome, EvaluationTask

ENGINES = ("local", "ray")
Outcomes = Generator[EvaluationOutcome, None, None]


def run_local(tasks: Iterable[EvaluationTask], cases: Mapping[str, Path], check: Callable[[], None]) -> Outcomes:
    """Do tasks one after another.

    Args:
        tasks: what to do.
        cases: the saved case for every name of one.
        check: called often; what it raises ends the work.

    Yields:
        The tasks' outcomes, in their order.

    Raises:
        JobError: one cannot be done.
    """
    for task in tasks:
        with cases[task.case].open("rb") as case:
            yield run_task(task, case, check)


def run_on_ray(
    tasks: Iterable[EvaluationTask], cases: Mapping[str, Path], address: str | None, check: Callable[[], None]
) -> Outcomes:
    """As :func:`run_local`, on the cluster at an address, or on one that Ray starts here.

    The cluster's computers need this library, and priors at the same paths. Times are those of a computer that does
    several tasks at once.
    """
    calls = (
        Call(
            f"{task.name} on {task.case}",
            _run_remotely,
            task,
            uses_gpu=METHODS[task.name].settings is not None and task.method.device != "cpu",
            file=cases[task.case],
        )
        for task in tasks
    )
    with contextlib.closing(ray_cluster.run_on_ray(calls, address, check)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, JobError):
                raise outcome
            yield outcome


def _run_remotely(task: EvaluationTask, volumes: bytes) -> EvaluationOutcome:
    """On a computer of the cluster."""
    with tempfile.TemporaryFile() as case:
        case.write(volumes)
        case.seek(0)
        return run_task(task, case, lambda: None)
