"""Store of outcomes on disk, so that an evaluation that was stopped goes on where it was."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.evaluation.cases import load_volume
from CTSuperResolutionLib.evaluation.table import SCORES
from CTSuperResolutionLib.evaluation.task import EvaluationOutcome, EvaluationTask
from CTSuperResolutionLib.job.priors import prior_name
from CTSuperResolutionLib.output.report import header_entries
from CTSuperResolutionLib.volume.writing import write_volume

MEASURED = ("seconds", "peak_mb", "gpu_peak_mb")


class Store:
    """Outcomes in a folder: CASE/METHOD.json and .npy, with .nrrd where the volume is kept.

    Args:
        folder: made when something is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, task: EvaluationTask, shape: tuple[int, int]) -> EvaluationOutcome | None:
        """The outcome of the task; None where there is none, one of another key, or a damaged one.

        Args:
            task: what was to be done.
            shape: of the plane, (z, x).
        """
        file = self._file(task)
        try:
            found = json.loads(file("json").read_text(encoding="utf-8"), parse_constant=_refuse)
            if found.pop("key") != task.key or (task.keep_volume and not file("nrrd").is_file()):
                return None
            plane = np.lib.format.read_array(io.BytesIO(file("npy").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return EvaluationOutcome(found, plane) if _is_whole(found) and plane.shape == shape else None

    def put(self, task: EvaluationTask, outcome: EvaluationOutcome, reference: Path) -> None:
        """Keep an outcome, in place of an older one.

        Args:
            task: what was done.
            outcome: what it came to.
            reference: the saved case, for the grid of a volume.

        Raises:
            JobError: it cannot be written.
        """
        file = self._file(task)
        plane = io.BytesIO()
        np.save(plane, outcome.plane)
        report = json.dumps({"key": task.key, **outcome.report}, indent=2, allow_nan=False) + "\n"
        try:
            file("json").parent.mkdir(parents=True, exist_ok=True)
            # What it says of the files beside it would be wrong while they are replaced. The new one comes last.
            file("json").unlink(missing_ok=True)
            file("nrrd").unlink(missing_ok=True)
            if outcome.volume is not None:
                result = load_volume(reference, "reference").with_array(outcome.volume)
                done = {"case": task.case, **asdict(task.method), "prior": prior_name(task.method.prior)}
                write_volume(result, file("nrrd"), metadata=header_entries(task.name, done))
            _write_whole(file("npy"), plane.getvalue())
            _write_whole(file("json"), report.encode())
        except OSError as error:
            raise JobError(
                f"{error.filename or self._folder} cannot be written ({error.strerror}); free some space or choose "
                "another folder."
            ) from None

    def _file(self, task: EvaluationTask):  # noqa: ANN202 - from an ending to a path
        return lambda ending: self._folder / task.case / f"{task.name}.{ending}"


def _is_whole(report: dict[str, Any]) -> bool:
    scores = report.get("scores")
    return isinstance(scores, dict) and scores.keys() == set(SCORES) and report.keys() >= set(MEASURED)


def _refuse(constant: str) -> NoReturn:
    """NaN and infinities, which are no JSON."""
    raise ValueError(constant)


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
