"""Runner of one job in the background, from the scan in the scene to its results beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.job_queue import JobRequest
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionPanel.process import error_messages
from CTSuperResolutionPanel.process.event_stream import StageProgress
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.process import Ended, library_command
from CTSuperResolutionPanel.process.process_output import ProcessOutput
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.process.task_runner import TaskRunner
from CTSuperResolutionPanel.process.work import Work
from CTSuperResolutionPanel.process.worker import Worker
from CTSuperResolutionPanel.scene import result_volumes, voxel_geometry
from CTSuperResolutionPanel.scene.dicom_tags import acquisition_entries
from CTSuperResolutionPanel.scene.result_volumes import LoadedResult
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement

CANCEL_MS = 4_000
"""The library stops within two seconds of being asked; then the whole tree of processes is ended."""


@dataclass(frozen=True)
class _Job:
    """What a job works with: its task, the Python that does it, what it holds, and where the scan was at its start."""

    task: PanelTask
    python: Path
    work: Work
    placement: ScanPlacement
    part: Slices
    request: JobRequest


class Runner(TaskRunner[PanelTask, _Job]):
    """Runs super-resolution, by a worker that stays for the next job.

    Args:
        find_python, entries_of: as of every task runner.
        forget_python: called when that Python turns out to lack something, so that the next job asks anew.
        worker: the background process that does them.
    """

    def __init__(
        self,
        find_python: Callable[[], Path | None],
        *,
        forget_python: Callable[[], None] = lambda: None,
        entries_of: Callable[[slicer.vtkMRMLScalarVolumeNode], dict[str, str]] = acquisition_entries,
        worker: Worker | None = None,
    ) -> None:
        super().__init__(find_python, entries_of)
        self._output = ProcessOutput()
        self._forget_python = forget_python
        self._worker = worker or Worker()
        self._on_loaded: list[Callable[[PanelTask, dict[str, Any]], None]] = []
        self._ended = 0.0
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._end_by_force)
        self._superseded: dict[str, Work] = {}

    def on_loaded(self, listener: Callable[[PanelTask, dict[str, Any]], None]) -> None:
        """Have a function called with a task and its new volumes by role."""
        self._on_loaded.append(listener)

    @property
    def sketching(self) -> bool:
        """Whether the job under way is a sketch, which any other takes the place of."""
        states = (RunnerState.EXPORTING, RunnerState.RUNNING, RunnerState.LOADING)
        return self.task is not None and self.task.sketch and self.state in states

    @property
    def progress(self) -> StageProgress:
        """How far the background process of the job is."""
        return self._output.progress

    @property
    def log(self) -> list[str]:
        """What the background process of the job, or of the last one, has said."""
        return self._output.log

    @property
    def message(self) -> str:
        """How the last job ended, or what the running one wants to be known, in a sentence."""
        return error_messages.tidy(self._output.note) if self.busy else self._outcome

    @property
    def seconds(self) -> float:
        """Seconds from the start of the job to its end, or to now."""
        return (time.monotonic() if self.busy else self._ended) - self._started

    @property
    def silent_seconds(self) -> float:
        """How long the background process has said nothing."""
        return time.monotonic() - self._output.last_time if self.state is RunnerState.RUNNING else 0.0

    def start(self, task: PanelTask) -> None:
        """Begin a task. Returns at once, but for what the user may have to install.

        It takes the place of a sketch.

        Raises:
            JobError: another job is under way; the message is for the user.
        """
        if self.busy and not self.sketching:
            raise JobError(_("A job is running already; wait for its end or cancel it."))
        self._supersede()
        self._output = ProcessOutput()
        self._begin(task)

    def let_go(self) -> None:
        """End the background process unless it is at work: what it has loaded is about to be replaced."""
        if not self.busy:
            self._stop_worker()

    def shut_down(self) -> None:
        """Stop at once and leave nothing: Slicer is about to end."""
        self._stop_worker()
        if self.busy:
            self._finish(RunnerState.IDLE, _("Cancelled."))

    # The stages of a job, in their order

    def _prepare(self, task: PanelTask, python: Path, placement: ScanPlacement) -> _Job:
        part = task.exported(placement)
        work = Work(python)
        folder = work.folder
        request = JobRequest(folder.path.name, task.job(folder.input, folder.output, part), task.preview)
        return _Job(task, python, work, placement, part, request)

    def _exported(self, job: _Job) -> None:
        self._output = ProcessOutput()
        self._change(RunnerState.RUNNING)
        self._worker.ask(
            library_command(job.python, "serve"),
            job.request,
            self._output,
            on_news=self._listeners.tell,
            on_over=lambda ended: self._over(job, ended),
        )

    def _load(self, job: _Job, report: dict[str, Any]) -> None:
        self._change(RunnerState.LOADING)
        job.work.do(
            _read_result(job, report),
            done=lambda loaded: self._place(job, loaded),
            failed=lambda error: self._finish(RunnerState.FAILED, error_messages.why_it_was_not_loaded(error)),
            progress=self._show_part,
        )

    def _place(self, job: _Job, loaded: LoadedResult) -> None:
        task, placement = job.task, job.placement
        scan = slicer.mrmlScene.GetNodeByID(task.volume_id)
        try:
            placed = result_volumes.place(loaded, scan, placement, scan_name=task.volume_name, preview=task.preview)
        except Exception:
            self._finish(RunnerState.FAILED, _("The result could not be put into the scene; see the Python console."))
            raise
        message = _("Done in {time}.").format(time=clock_text(self.seconds))
        if voxel_geometry.shape(scan) != placement.shape:
            message += " " + _("The scan has other voxels now; the result lies where it was before.")
        self._finish(RunnerState.IDLE, message)
        for listener in self._on_loaded:
            listener(task, placed)

    def _finish(self, state: RunnerState, message: str) -> None:
        self._ended = time.monotonic()
        self._timer.stop()
        super()._finish(state, message)

    # What becomes of it

    def _supersede(self) -> None:
        """Let go of a sketch; the process may write into its folder until it has ended it."""
        job, self._job = self._job, None
        self._watch.stop()
        if job is None:
            return
        if self.state is RunnerState.RUNNING:
            self._superseded[job.request.id] = job.work
        else:
            job.work.put_away()

    def _over(self, job: _Job, ended: Ended | None) -> None:
        """The process has done with a job, or has ended with it."""
        if job is not self._job:
            self._superseded.pop(job.request.id, job.work).put_away()
            return
        self._timer.stop()
        result, error = self._output.result, self._output.error
        if self.state is RunnerState.CANCELLING:
            self._finish(RunnerState.IDLE, self._reason)
        elif result is not None:
            report = result.get("report")
            self._load(job, report if isinstance(report, dict) else {})
        else:
            ended = ended or Ended(normal=True, code=0)
            if ended.problem or (error or {}).get("kind") == "install" or error_messages.lacks_kernels(error):
                self._forget_python()
            self._finish(RunnerState.FAILED, error_messages.why_it_ended(ended, error))

    def _stop_running(self) -> None:
        if self._job is not None:
            self._worker.cancel(self._job.request.id)
            self._timer.start(CANCEL_MS)
            self._change(RunnerState.CANCELLING)

    def _end_by_force(self) -> None:
        """A job did not end when it was asked to."""
        self._stop_worker()
        self._finish(RunnerState.IDLE, self._reason)

    def _stop_worker(self) -> None:
        self._worker.stop()
        for work in self._superseded.values():
            work.put_away()
        self._superseded.clear()


def _read_result(job: _Job, report: dict[str, Any]) -> Generator[float, None, LoadedResult]:
    """Read what a job wrote, by steps."""
    target, matrix = job.task.target(job.placement), job.placement.ijk_to_ras
    return (yield from result_volumes.load(job.work.folder.output, report, job.task.ranges, target, matrix))
