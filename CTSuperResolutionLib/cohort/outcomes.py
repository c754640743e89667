"""Outcomes of a cohort's tasks on disk, so that a cohort that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from CTSuperResolutionLib.cohort.task import DONE, CohortOutcome, CohortTask
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.output.folder import SUMMARY


class CohortOutcomes:
    """Outcomes in a folder, a file NAME.json each.

    Args:
        folder: made when something is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, task: CohortTask) -> CohortOutcome | None:
        """That of a task, if that is done, its results are there, and nothing that it depends on has changed since."""
        try:
            found = CohortOutcome(**json.loads(self._file(task).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        there = task.job is not None and (Path(task.job.output) / SUMMARY).is_file()
        return found if found.key == task.key and found.status == DONE and there else None

    def put(self, task: CohortTask, outcome: CohortOutcome) -> None:
        """Keep an outcome, in place of an older one.

        Raises:
            JobError: it cannot be written.
        """
        file = self._file(task)
        part = file.with_name(f".{file.name}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(outcome), indent=2) + "\n", encoding="utf-8")
            os.replace(part, file)
        except OSError as error:
            raise JobError(
                f"{file} cannot be written ({error.strerror}); free some space or choose another folder."
            ) from None

    def _file(self, task: CohortTask) -> Path:
        return self._folder / f"{task.name}.json"
