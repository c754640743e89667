"""Design of a reader study: from a plan to the folder that has the readers' part and the key."""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.output.folder import OutputFolder
from CTSuperResolutionLib.study.images import read_case, write_image
from CTSuperResolutionLib.study.plan import Case, Plan
from CTSuperResolutionLib.study.protocol import DEGRADED, Task
from CTSuperResolutionLib.study.schedule import PlannedTrial, degraded_source, sessions_of
from CTSuperResolutionLib.study.study_files import IMAGES, KEY, MEASURED, READER_PART, STUDY, VERSION, write_json
from CTSuperResolutionLib.volume.reading import open_scan
from CTSuperResolutionLib.volume.volume import Volume

TIME_STAMP = 946_684_800  # of every file: 2000-01-01
BYTES_A_VOXEL = 2


def require_new(folder: Path) -> None:
    """Check that a study may be made in a folder.

    Raises:
        JobError: there is something in it, or a file where a folder has to be.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise JobError(f"{folder} is not empty; choose a new folder for the study.")
    there = next(place for place in folder.absolute().parents if place.exists())
    if not there.is_dir():
        raise JobError(f"{there} is a file; choose a new folder for the study.")


def design_study(
    plan: Plan,
    folder: Path,
    *,
    regrid: bool = False,
    allow_unusual: bool = False,
    progress: Progress | None = None,
) -> str:
    """Make the folder of a study, whole or not at all.

    Nothing in its readers' part but the voxels differs by method: names are random, files lie in the order of their
    names and were written in it, and their size, header, encoding and time stamp are the same for all images of a case.

    Args:
        plan: what to make it from.
        folder: where to; it must not be there yet, or be empty.
        regrid: bring images of a case onto the first one's grid where they are not.
        allow_unusual: go on where an image does not look like a CT.
        progress: advanced once a case.

    Returns:
        the study's id.

    Raises:
        JobError: the folder is in use, cannot be written or lacks room, or the images do not go together.
    """
    progress = progress or Progress()
    require_new(folder)
    sessions = {reader: sessions_of(plan, reader) for reader in plan.readers}
    planned = [trial for found in sessions.values() for session in found for trial in session]
    wanted = {(trial.case, method) for trial in planned for method in trial.methods}
    cases = (*plan.cases, *plan.training)
    names = dict(zip(sorted(wanted), _opaque(len(wanted)), strict=True))
    files = {where: f"{name}.nrrd" for where, name in names.items()}

    def read(case: Case) -> dict[str, Volume]:
        degrade = degraded_source(plan, case.name) if (case.name, DEGRADED) in files else None
        return read_case(case.name, case.images, regrid=regrid, degrade=degrade, allow_unusual=allow_unusual)

    with OutputFolder(folder, alone=True) as out:
        out.require_space(_bytes_needed(cases, wanted, allow_unusual))
        place = out.file(READER_PART) / IMAGES
        with out.writing():
            place.mkdir(parents=True)
            images = _write_images(cases, files, place, read, progress)
            study, key = _describe(plan, sessions, files, images)
            key[MEASURED] = {case.name: name for case, name in _measured(cases)}
            write_json(study, out.file(READER_PART) / STUDY)
            write_json(key, out.file(KEY))
            for path in out.staging.rglob("*"):
                os.utime(path, (TIME_STAMP, TIME_STAMP))
        out.publish()
    return str(study["study"])


def _opaque(count: int) -> list[str]:
    """Random names that differ: not from the plan's seed, with which a reader could tell them."""
    names: set[str] = set()
    while len(names) < count:
        names.add(secrets.token_hex(8))
    return random.SystemRandom().sample(sorted(names), count)


def _bytes_needed(cases: Sequence[Case], wanted: set[tuple[str, str]], allow_unusual: bool) -> int:
    """What the images take on the disk, were all of a case on the grid of its first one."""
    needed = 0
    for case in cases:
        z, y, x = open_scan(next(iter(case.images.values())), allow_unusual=allow_unusual).shape
        images = sum(name == case.name for name, _ in wanted) + (MEASURED in case.images)
        needed += BYTES_A_VOXEL * z * y * x * images
    return needed


def _write_images(
    cases: Sequence[Case],
    files: dict[tuple[str, str], str],
    place: Path,
    read: Callable[[Case], dict[str, Volume]],
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Write the images, and then write them again in the order of their names; what study.json has of them."""
    images: dict[str, dict[str, Any]] = {}
    progress.stage("images", len(cases))
    for case in cases:
        volumes = read(case)
        for method, volume in volumes.items():
            if (case.name, method) in files:
                name = files[case.name, method]
                images[name] = {"shape": list(volume.shape), "sha256": write_image(volume, place / f".{name}")}
        for owner, name in _measured(cases):
            if owner is case:  # beside the key, for it says which images have more than that
                beside = place.parents[1] / MEASURED
                beside.mkdir(exist_ok=True)
                write_image(volumes[MEASURED], beside / name)
        progress.advance()
    for name in sorted(images):  # what a file system keeps beside the time stamps goes by the order of writing
        shutil.copyfile(place / f".{name}", place / name)
        (place / f".{name}").unlink()
    return {name: images[name] for name in sorted(images)}


def _measured(cases: Sequence[Case]) -> list[tuple[Case, str]]:
    """The cases that have what was measured, and its file."""
    return [(case, f"{number}.nrrd") for number, case in enumerate(cases, 1) if MEASURED in case.images]


def _describe(
    plan: Plan,
    sessions: dict[str, list[list[PlannedTrial]]],
    files: dict[tuple[str, str], str],
    images: dict[str, dict[str, Any]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What study.json and key.json have."""
    tasks = {task.name: task for task in plan.tasks}
    planned = [trial for found in sessions.values() for session in found for trial in session]
    patients = {case.name: f"p{name}" for case, name in zip((*plan.cases, *plan.training), _numbers(plan), strict=True)}
    ids = iter(_opaque(len(planned)))
    trials: dict[str, dict[str, Any]] = {}

    def public(trial: PlannedTrial) -> dict[str, Any]:
        id = next(ids)
        trials[id] = {"role": trial.role, "case": trial.case, "methods": list(trial.methods)}
        return {
            "trial": id,
            "task": trial.task,
            # A check is no look at its patient: counted as one, it would keep the patient's own session waiting.
            "patient": f"c{id}" if trial.role == "attention" else patients[trial.case],
            "images": [files[trial.case, method] for method in trial.methods],
            "questions": list(trial.questions),
            "feedback": _feedback(tasks[trial.task], trial) if trial.role == "training" else None,
        }

    study_id = secrets.token_hex(8)
    study = {
        "format": "ctsr-study",
        "version": VERSION,
        "study": study_id,
        "title": plan.title,
        "window": list(plan.window),
        "tasks": [task.to_dict() for task in plan.tasks],
        "reading": plan.reading.to_dict(),
        "images": images,
        "readers": {reader: [[public(t) for t in session] for session in found] for reader, found in sessions.items()},
    }
    key = {
        "format": "ctsr-key",
        "version": VERSION,
        "study": study_id,
        "seed": plan.seed,
        "methods": list(plan.methods),
        "reference": plan.reference,
        "truth": {case.name: case.truth for case in plan.cases},
        "images": {name: {"case": case, "method": method} for (case, method), name in files.items()},
        "trials": trials,
    }
    return study, key


def _numbers(plan: Plan) -> list[str]:
    """Numbers for the patients, in an order that says nothing of the plan's."""
    count = len(plan.cases) + len(plan.training)
    return [f"{number:03d}" for number in random.SystemRandom().sample(range(1, count + 1), count)]


def _feedback(task: Task, trial: PlannedTrial) -> str:
    """What a training trial says once it is answered."""
    if task.kind == "forced_choice":
        side = ("left", "right")[trial.methods.index(DEGRADED)]
        return f"The {side} image was blurred on purpose: the other one is better."
    return "This image was blurred on purpose: a low grade was expected."
