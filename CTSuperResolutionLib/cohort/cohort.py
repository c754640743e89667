"""Cohort from its scans to its report: what is done already stays, larger scans come first, failures are listed."""

from __future__ import annotations

import contextlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.cohort.engines import run_local, run_on_ray, slurm_script
from CTSuperResolutionLib.cohort.members import Member
from CTSuperResolutionLib.cohort.outcomes import CohortOutcomes
from CTSuperResolutionLib.cohort.report import rows_of, write_report
from CTSuperResolutionLib.cohort.task import FAILED, CohortOutcome, CohortTask, task_key
from CTSuperResolutionLib.diffusion.prior_folder import WEIGHTS, sha256_of
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.output.report import NOT_FOR_DIAGNOSIS
from CTSuperResolutionLib.output.run_job import find_scan

SCRIPT = "cohort.sbatch"


@dataclass(frozen=True)
class CohortRequest:
    """One cohort: its scans, and what all their jobs have in common.

    Attributes:
        members: the scans. common: entries of their jobs.
        out: the folder that every scan's results get a folder in.
        engine: "local", "ray" or "slurm". ray_address: of a cluster; None starts one here.
        command: starts the job of one scan, whose name goes after it; for Slurm.
    """

    members: Sequence[Member]
    common: Mapping[str, Any]
    out: Path
    engine: str
    ray_address: str | None
    command: Sequence[str]

    @property
    def outcomes(self) -> CohortOutcomes:
        """What became of the scans so far."""
        return CohortOutcomes(self.out / "outcomes")


def run_cohort(request: CohortRequest, results: Path, progress: Progress) -> dict[str, Any]:
    """Do what is not done of a cohort, and report on all of it.

    Args:
        request: the cohort.
        results: folder for the report, or for the script where Slurm is to do the rest.
        progress: told of every scan.

    Returns:
        The content of cohort.json; with ``waiting``, how many jobs the script has, where one was written.

    Raises:
        JobError: the engine cannot be used, or the folder not be written.
    """
    tasks = make_tasks(request, progress)
    found = {task.name: outcome for task in tasks if (outcome := request.outcomes.find(task)) is not None}
    if found:
        progress.note(f"{len(found)} of {len(tasks)} scans are done already.")
    left = sorted((task for task in tasks if task.name not in found), key=lambda task: -task.size)
    if request.engine == "slurm" and left:
        (results / SCRIPT).write_text(slurm_script(left, request.command), encoding="utf-8")
        return {"waiting": len(left), "rows": []}

    progress.stage("super-resolve", max(len(left), 1))
    if request.engine == "ray":
        coming = run_on_ray(left, request.ray_address, progress.check)
    else:
        coming = run_local(left, _gpus(left), progress.check)
    with contextlib.closing(coming):
        for task, outcome in coming:
            found[task.name] = outcome
            request.outcomes.put(task, outcome)
            if outcome.status == FAILED:
                progress.note(f"{task.name} failed: {outcome.error}")
            progress.advance()

    report = {
        "note": NOT_FOR_DIAGNOSIS,
        "versions": machine.versions(),
        "platform": platform.platform(),
        "common": dict(request.common),
        "rows": rows_of(request.members, [found[task.name] for task in tasks]),
    }
    write_report(report, results)
    return report


def run_member(request: CohortRequest, name: str, progress: Progress) -> CohortOutcome:
    """Do the job of one scan, as a job of Slurm's array, unless it is done.

    Raises:
        JobError: the cohort has no scan of that name.
    """
    tasks = [task for task in make_tasks(request, progress, only=name) if task.name == name]
    if not tasks:
        raise JobError(f"The cohort has no scan '{name}'; write the script for Slurm anew.")
    outcome = request.outcomes.find(tasks[0])
    if outcome is None:
        progress.stage("super-resolve")
        (outcome,) = (outcome for _, outcome in run_local(tasks, 0, progress.check))
        request.outcomes.put(tasks[0], outcome)
        progress.advance()
    return outcome


def make_tasks(request: CohortRequest, progress: Progress, *, only: str | None = None) -> list[CohortTask]:
    """The tasks of a cohort, or of one of its scans, from their headers; what cannot be read is a task that fails."""
    members = [member for member in request.members if only in (None, member.name)]
    progress.stage("prepare", max(len(members), 1))
    digests: dict[Path, str | None] = {}
    tasks = []
    for member in members:
        try:
            job = member.job(request.out / member.name, request.common)
            key = task_key(job, _digest(job, digests))
            tasks.append(CohortTask(member.name, job, None, key, _size(job)))
        except JobError as error:
            tasks.append(CohortTask(member.name, None, str(error), "", 0.0))
        progress.advance()
    return tasks


def _digest(job: Job, known: dict[Path, str | None]) -> str | None:
    """Of the weights of a job's prior; None where it asks none, or that cannot be read, which the job will say."""
    if not job.method.parameters.uses_prior:
        return None
    place = job.method.prior_place
    if place not in known:
        try:
            known[place] = sha256_of(place if place.is_file() else place / WEIGHTS)
        except OSError:
            known[place] = None
    return known[place]


def _size(job: Job) -> float:
    """Voxels of the result; 0 where the scan cannot be opened, which its job will say."""
    try:
        source = find_scan(job)(None)
        region = job.region(source.shape)
        factors = job.method.refinement(source.spacing).factors
    except (JobError, OSError, RuntimeError):
        return 0.0
    return math.prod(part.stop - part.start for part in region) * math.prod(factors)


def _gpus(tasks: Sequence[CohortTask]) -> int:
    """How many GPUs there are for tasks that may use any of them."""
    devices = {task.job.method.device for task in tasks if task.job is not None}
    if not devices <= {"auto", "cuda"}:
        return 0
    import torch

    return torch.cuda.device_count()
