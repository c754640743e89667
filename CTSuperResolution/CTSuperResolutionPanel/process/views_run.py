"""Run of a scan with few views: the CT handed over, scanned, reconstructed by one method after the other, placed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionPanel.process import error_messages
from CTSuperResolutionPanel.process.command import LibraryCommand
from CTSuperResolutionPanel.process.process import Process, QtProcess
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.process.runtime_calibration import load_calibration, save_calibration
from CTSuperResolutionPanel.process.task_runner import TaskRunner
from CTSuperResolutionPanel.process.views_task import SIMULATE, ViewsGrid, ViewsTask
from CTSuperResolutionPanel.process.work import Work
from CTSuperResolutionPanel.scene import reconstructions, voxel_geometry
from CTSuperResolutionPanel.scene.reconstructions import Reconstruction, method_title
from CTSuperResolutionPanel.scene.result_folders import VIEWS
from CTSuperResolutionPanel.scene.result_volumes import Place
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement

TRUTH = "truth"


@dataclass(frozen=True)
class _Job:
    """What a task works with: its voxels, where the scan was at its start, and what came of the methods so far.

    Attributes:
        expected: seconds of every step that is still to come, or is under way.
        reports: by method. notes, failures: sentences for the user.
    """

    task: ViewsTask
    work: Work
    placement: ScanPlacement
    part: Slices
    grid: ViewsGrid
    expected: dict[str, float]
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def folder(self, step: str) -> Path:
        """Where a step writes to."""
        return self.work.folder.path / step


class ViewsRun(TaskRunner[ViewsTask, _Job]):
    """Scans a CT and reconstructs it, each step in a process of its own.

    A method that fails is told of, and the others go on.

    Args:
        find_python: as of every task runner.
        make_process: makes the process of a step.

    Attributes:
        step: what is going on of the task.
    """

    def __init__(
        self, find_python: Callable[[], Path | None], *, make_process: Callable[[], Process] = QtProcess
    ) -> None:
        super().__init__(find_python)
        self.step = ""
        self._python: Path | None = None
        self._command = LibraryCommand(lambda: self._python, self._listeners.tell, make_process=make_process)
        self._on_placed: list[Callable[[list[Reconstruction]], None]] = []
        self._step_started = 0.0
        self._total = 1.0
        self._log: list[str] = []

    def on_placed(self, listener: Callable[[list[Reconstruction]], None]) -> None:
        """Have a function called with new reconstructions, once they are in the scene."""
        self._on_placed.append(listener)

    @property
    def message(self) -> str:
        """How the last task ended, in a sentence or two; "" while one is under way."""
        return "" if self.busy else self._outcome

    @property
    def stage(self) -> str:
        """The library's name of the stage that the step is in; "" before its first."""
        return self._command.progress.stage if self.state is RunnerState.RUNNING else ""

    @property
    def fraction(self) -> float:
        """How much of the task is done, 0 to 1, by what its steps are expected to take."""
        if self._job is None:
            return 0.0
        left = sum(self._job.expected.values())
        under_way = self._job.expected.get(self.step, 0.0) * (self._command.progress.fraction or 0.0)
        return 1 - (left - under_way) / self._total

    @property
    def remaining(self) -> float | None:
        """About the seconds until all steps are done; None before the first."""
        if self._job is None or self.state is not RunnerState.RUNNING:
            return None
        later = sum(seconds for step, seconds in self._job.expected.items() if step != self.step)
        known = self._command.progress.remaining
        if known is None:
            passed = time.monotonic() - self._step_started
            known = max(self._job.expected.get(self.step, 0.0) - passed, 0.0)
        return later + known

    @property
    def log(self) -> list[str]:
        """What the processes of the task, or of the last one, have said."""
        return [*self._log, *self._command.log] if self._command.busy else self._log

    def start(self, task: ViewsTask) -> None:
        """Begin a task. Returns at once, but for what the user may have to install.

        Raises:
            JobError: another task is under way; the message is for the user.
        """
        if self.busy:
            raise JobError(_("A scan is being reconstructed already; wait for its end or cancel it."))
        self._log = []
        self._begin(task)

    def shut_down(self) -> None:
        """Stop at once and leave nothing: Slicer is about to end."""
        if self.busy:
            self._reason = _("Cancelled.")
            self.state = RunnerState.CANCELLING
            self._command.stop()
        if self.busy:  # no process was at work
            self._finish(RunnerState.IDLE, self._reason)

    # The steps of a task, in their order

    def _prepare(self, task: ViewsTask, python: Path, placement: ScanPlacement) -> _Job:
        self._python = python
        grid = task.grid(placement)
        expected = expected_seconds(task, grid)
        self._total = sum(expected.values())
        z, y, x = (slice(*pair) for pair in task.ranges)
        return _Job(task, Work(python), placement, (z, y, x), grid, expected)

    def _exported(self, job: _Job) -> None:
        scan, grid = job.task.scan, job.grid
        given = [
            *("--views", str(scan.views), "--geometry", scan.beam),
            *("--photons", f"{scan.photons:g}", "--seed", str(scan.seed)),
            *("--iso", f"{grid.millimetres:g}", "--crop", ",".join(map(str, grid.shape))),
        ]
        if job.task.allow_unusual:
            given.append("--allow-unusual")
        self._do(SIMULATE, str(job.work.folder.input), str(job.folder(SIMULATE)), *given,
                 on_done=lambda found: self._next(job),
                 on_failed=lambda: self._finish(RunnerState.FAILED, self._command.message))  # fmt: skip

    def _next(self, job: _Job) -> None:
        """The next method, or the end."""
        method = next((name for name in job.expected if name != SIMULATE), None)
        if method is None:
            self._load(job)
            return
        self._do(
            "reconstruct",
            *(str(job.folder(SIMULATE)), str(job.folder(method))),
            *("--method", method, "--reference", str(job.folder(SIMULATE) / f"{TRUTH}.nrrd")),
            *("--device", job.task.device, "--seed", str(job.task.scan.seed)),
            step=method,
            on_done=lambda found: self._reconstructed(job, method, found),
            on_failed=lambda: self._method_failed(job, method),
        )

    def _do(
        self,
        *arguments: str,
        step: str = SIMULATE,
        on_done: Callable[[dict[str, Any]], None],
        on_failed: Callable[[], None],
    ) -> None:
        """Run a step. Once it is over, it is no longer among what is expected; a cancelled one ends the task."""
        job = self._job
        assert job is not None

        def over() -> bool:
            self._log += self._command.log
            if self._command.note and self._command.note not in job.notes:
                job.notes.append(self._command.note)
            job.expected.pop(step, None)
            if self.state is not RunnerState.CANCELLING:
                return True
            self._finish(RunnerState.IDLE, self._reason)
            return False

        self.step, self._step_started, self.state = step, time.monotonic(), RunnerState.RUNNING
        self._command.start(
            *arguments,
            on_done=lambda found: on_done(found) if over() else None,
            on_failed=lambda: on_failed() if over() else None,
        )

    def _reconstructed(self, job: _Job, method: str, found: dict[str, Any]) -> None:
        report = found.get("report")
        job.reports[method] = report = report if isinstance(report, dict) else {}
        seconds, kind = time.monotonic() - self._step_started, calibration_kind(method, job.task.device)
        stages, expected = report.get("stages"), job.task.stage_seconds(job.grid)[method]
        if isinstance(stages, Mapping):
            save_calibration(kind, load_calibration(kind).updated(expected, stages, seconds))
        self._next(job)

    def _method_failed(self, job: _Job, method: str) -> None:
        job.failures.append(f"{method_title(method)}: {self._command.message}")
        self._next(job)

    def _load(self, job: _Job) -> None:
        if not job.reports:
            self._finish(RunnerState.FAILED, job.failures[0])
            return
        files = {TRUTH: job.folder(SIMULATE) / f"{TRUTH}.nrrd"}
        files |= {method: job.folder(method) / "reconstruction.nrrd" for method in job.reports}
        self._change(RunnerState.LOADING)
        job.work.do(
            reconstructions.load(files, job.grid.shape),
            done=lambda images: self._place(job, images),
            failed=lambda error: self._finish(RunnerState.FAILED, error_messages.why_it_was_not_loaded(error)),
        )

    def _place(self, job: _Job, images: dict[str, Any]) -> None:
        task, scan = job.task, slicer.mrmlScene.GetNodeByID(job.task.volume_id)
        whole, transform_id = job.placement.now(scan)
        matrix = voxel_geometry.part(whole, [start for start, _stop in task.ranges]) @ job.grid.to_part
        place = Place(scan, matrix, transform_id, VIEWS)
        try:
            truth = reconstructions.place_truth(images[TRUTH], task.volume_name, job.grid.millimetres, place)
            nodes = [
                reconstructions.place_reconstruction(images[method], report, truth, task.volume_name, place)
                for method, report in job.reports.items()
            ]
        except Exception:
            self._finish(RunnerState.FAILED, _("The result could not be put into the scene; see the Python console."))
            raise
        message = _("Done in {time}.").format(time=clock_text(time.monotonic() - self._started))
        self._finish(RunnerState.IDLE, " ".join([message, *job.notes, *job.failures]))
        for listener in self._on_placed:
            listener([Reconstruction(node, truth) for node in nodes])

    def _stop_running(self) -> None:
        self._change(RunnerState.CANCELLING)
        self._command.cancel()

    def _finish(self, state: RunnerState, message: str) -> None:
        self.step = ""
        super()._finish(state, message)


def expected_seconds(task: ViewsTask, grid: ViewsGrid) -> dict[str, float]:
    """About the seconds of every step of a task, by what this computer took for such steps.

    Raises:
        JobError: the part reaches too near the source.
    """
    return {
        step: load_calibration(calibration_kind(step, task.device)).seconds(stages)
        for step, stages in task.stage_seconds(grid).items()
    }


def calibration_kind(step: str, device: str) -> str:
    """What the calibration of a step's time is kept under."""
    return f"{step} on {device}"
