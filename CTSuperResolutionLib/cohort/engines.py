"""Engines that do the tasks of a cohort: this computer, a Ray cluster, or Slurm by a script that is written for it."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

from CTSuperResolutionLib.cohort.child import POLL_S, TaskWorker, run_task
from CTSuperResolutionLib.cohort.task import CohortOutcome, CohortTask
from CTSuperResolutionLib.engines import ray_cluster
from CTSuperResolutionLib.engines.ray_cluster import Call
from CTSuperResolutionLib.errors import JobError

ENGINES = ("local", "ray", "slurm")
Outcomes = Generator[tuple[CohortTask, CohortOutcome], None, None]


def run_local(tasks: Sequence[CohortTask], gpus: int, check: Callable[[], None]) -> Outcomes:
    """Do tasks on this computer: one after another, or as many at once as it has GPUs, each of which has one.

    Args:
        tasks: what to do, in this order.
        gpus: how many GPUs there are.
        check: called ten times a second; what it raises ends the work.

    Yields:
        Tasks and their outcomes, as they come.
    """
    workers = [TaskWorker(gpu) for gpu in range(gpus)] if gpus > 1 else [TaskWorker()]
    waiting = deque(tasks)
    try:
        while waiting or any(worker.task for worker in workers):
            for worker in workers:
                while waiting and worker.task is None:
                    task = waiting.popleft()
                    if task.job is None:
                        yield task, run_task(task)
                    else:
                        worker.begin(task)
            check()
            time.sleep(POLL_S)
            for worker in workers:
                if (done := worker.task) is not None and (outcome := worker.outcome()) is not None:
                    yield done, outcome
    finally:
        for worker in workers:
            worker.stop()


def run_on_ray(tasks: Sequence[CohortTask], address: str | None, check: Callable[[], None]) -> Outcomes:
    """As :func:`run_local`, on the cluster at an address, or on one that Ray starts here.

    The cluster's computers need this library, and scans, results and priors at the same paths. Where the cluster has
    GPUs, every task that can use one gets one for itself.
    """
    calls = [Call(task.name, run_task, task, task.uses_gpu) for task in tasks]
    with contextlib.closing(ray_cluster.run_on_ray(calls, address, check)) as outcomes:
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, JobError):
                outcome = CohortOutcome.failed(task.key, "crash", str(outcome))
            yield task, outcome


def slurm_script(tasks: Sequence[CohortTask], command: Sequence[str]) -> str:
    """A script for sbatch: a job array with a job for each task.

    Args:
        tasks: what to do, in this order.
        command: what starts one of them; the name of the task goes after it.
    """
    names = "\n".join(f"  {shlex.quote(task.name)}" for task in tasks)
    gpu = "#SBATCH --gres=gpu:1\n" if any(task.uses_gpu for task in tasks) else ""
    return f"""#!/bin/bash
# A job for each scan, larger ones first. Set partition, time and memory as your cluster has them, then: sbatch FILE
# When all have ended, give the command that wrote this with the engine local: it does what is missing, and the report.
#SBATCH --job-name=ctsr
#SBATCH --array=0-{len(tasks) - 1}
{gpu}names=(
{names}
)
exec {shlex.join(command)} "${{names[$SLURM_ARRAY_TASK_ID]}}"
"""
