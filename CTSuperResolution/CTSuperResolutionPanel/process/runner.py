"""Runner of one job in the background, from the scan in the scene to its results beside it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionPanel.process import error_messages
from CTSuperResolutionPanel.process.event_stream import StageProgress
from CTSuperResolutionPanel.process.job_folder import JobFolder
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.process import Ended, Process, QtProcess, environment_for, library_command
from CTSuperResolutionPanel.process.process_output import ProcessOutput
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.process.stepper import Stepper
from CTSuperResolutionPanel.scene import nrrd, result_volumes, voxel_geometry
from CTSuperResolutionPanel.scene.dicom_tags import acquisition_entries
from CTSuperResolutionPanel.scene.result_volumes import LoadedResult
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement

CANCEL_MS = 4_000
"""The library stops within two seconds of being asked; then the whole tree of processes is ended."""

END_MS = 10_000
"""How long a process may take to end once its last event has come."""


@dataclass(frozen=True)
class _Job:
    """What a job works with: its task, the Python that does it, its folder, and where the scan was at its start."""

    task: PanelTask
    python: Path
    folder: JobFolder
    placement: ScanPlacement


class Runner(VTKObservationMixin):
    """Runs one task at a time and tells who listens of every change.

    Args:
        find_python: the Python to run jobs with; may ask the user to install what is needed, and gives None where
            that was declined.
        forget_python: called when that Python turns out to lack something, so that the next job asks anew.
        entries_of: what is known of a scan's acquisition, as key/value pairs for its file.
        make_process: makes a process for one job.

    Attributes:
        state, task: what is going on; the task stays after its end.
        part: the fraction that is done of an export or a load.
    """

    def __init__(
        self,
        find_python: Callable[[], Path | None],
        *,
        forget_python: Callable[[], None] = lambda: None,
        entries_of: Callable[[slicer.vtkMRMLScalarVolumeNode], dict[str, str]] = acquisition_entries,
        make_process: Callable[[], Process] = QtProcess,
    ) -> None:
        VTKObservationMixin.__init__(self)
        self.state = RunnerState.IDLE
        self.task: PanelTask | None = None
        self.part = 0.0
        self._output = ProcessOutput()
        self._outcome = ""
        self._find_python = find_python
        self._forget_python = forget_python
        self._entries_of = entries_of
        self._make_process = make_process
        self._listeners: list[Callable[[], None]] = []
        self._on_loaded: list[Callable[[PanelTask, dict[str, Any]], None]] = []
        self._started = self._ended = 0.0
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._end_by_force)
        self._folder: JobFolder | None = None
        self._stepper: Stepper | None = None
        self._process: Process | None = None
        self._reason = ""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called after every change of state, progress or log."""
        self._listeners.append(listener)

    def on_loaded(self, listener: Callable[[PanelTask, dict[str, Any]], None]) -> None:
        """Have a function called with a task and its new volumes by role."""
        self._on_loaded.append(listener)

    @property
    def busy(self) -> bool:
        """Whether a job is under way, so that no other one can start."""
        return self.state not in (RunnerState.IDLE, RunnerState.FAILED)

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

        Raises:
            JobError: another job is under way; the message is for the user.
        """
        if self.busy:
            raise JobError(_("A job is running already; wait for its end or cancel it."))
        self.task, self._reason = task, ""
        self._output = ProcessOutput()
        self._started = time.monotonic()
        self._change(RunnerState.INSTALLING)
        try:
            python = self._find_python()
        except Exception:
            self._finish(RunnerState.FAILED, _("What the background process needs could not be installed."))
            raise
        if self.state is not RunnerState.INSTALLING:
            return  # Slicer was ended meanwhile
        if python is None:
            self._finish(RunnerState.IDLE, _("Nothing was installed, so nothing was run."))
            return
        scan = slicer.mrmlScene.GetNodeByID(task.volume_id)
        if scan is None or scan.GetImageData() is None:
            self._finish(RunnerState.FAILED, _("The scan is no longer there; choose another one."))
            return
        self._watch_scene()
        self._export(task, python, scan)

    def cancel(self, reason: str = "") -> None:
        """Stop the job, in whatever state it is. The first reason given, a sentence, becomes the message."""
        self._reason = self._reason or reason or _("Cancelled.")
        if self.state in (RunnerState.EXPORTING, RunnerState.LOADING):
            self._finish(RunnerState.IDLE, self._reason)
        elif self.state is RunnerState.RUNNING and self._process is not None:
            self._process.write(b"cancel\n")
            self._timer.start(CANCEL_MS)
            self._change(RunnerState.CANCELLING)

    def shut_down(self) -> None:
        """Stop at once and leave nothing: Slicer is about to end."""
        if self.busy:
            self._finish(RunnerState.IDLE, _("Cancelled."))

    # The stages of a job, in their order

    def _export(self, task: PanelTask, python: Path, scan: slicer.vtkMRMLScalarVolumeNode) -> None:
        placement = ScanPlacement.of(scan)
        try:
            exported = task.exported(placement)
            self._folder = folder = JobFolder(python, environment_for(python))
            folder.job.write_text(task.job(folder.input, folder.output, exported).to_json(), encoding="utf-8")
        except JobError as error:
            self._finish(RunnerState.FAILED, error_messages.in_panel_words(error))
            return
        except OSError as error:
            self._not_written(error)
            return
        voxels = slicer.util.arrayFromVolume(scan)[exported]
        matrix = voxel_geometry.part(placement.ijk_to_ras, [part.start for part in exported])
        job = _Job(task, python, folder, placement)
        self._stepper = Stepper(
            nrrd.write(folder.input, voxels, voxel_geometry.LPS @ matrix, metadata=self._entries_of(scan)),
            done=lambda nothing: self._run(job),
            failed=self._not_written,
            progress=self._show_part,
        )
        self._change(RunnerState.EXPORTING)
        self._stepper.start()

    def _not_written(self, error: Exception) -> None:
        self._finish(RunnerState.FAILED, error_messages.why_it_was_not_written(error, slicer.app.temporaryPath))

    def _run(self, job: _Job) -> None:
        command = library_command(job.python, "run", "--job", str(job.folder.job), "--events", "json")
        self._output = ProcessOutput()
        self._output.add_to_log(shlex.join([command.program, *command.arguments]))
        self._process = process = self._make_process()
        self._change(RunnerState.RUNNING)
        process.start(
            command,
            on_output=self._on_output,
            on_error_output=self._on_error_output,
            on_end=lambda ended: self._on_end(job, ended),
        )

    def _load(self, job: _Job, report: dict[str, Any]) -> None:
        self._stepper = Stepper(
            _read_result(job, report),
            done=lambda loaded: self._place(job, loaded),
            failed=lambda error: self._finish(RunnerState.FAILED, error_messages.why_it_was_not_loaded(error)),
            progress=self._show_part,
        )
        self._change(RunnerState.LOADING)
        self._stepper.start()

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
        """The end of every job: nothing runs on, and nothing stays behind."""
        self._ended = time.monotonic()
        self._timer.stop()
        self.removeObservers()
        if self._stepper is not None:
            self._stepper.stop()
        if self._process is not None:
            self._process.abandon()
        if self._folder is not None:
            self._folder.delete()
        self._folder = self._stepper = self._process = None
        self._reason = ""
        self._outcome = message
        self._change(state)

    # What the process says

    def _on_output(self, data: bytes) -> None:
        self._output.read(data)
        if self._output.finished and self.state is RunnerState.RUNNING and not self._timer.active:
            self._timer.start(END_MS)
        self._tell()

    def _on_error_output(self, data: bytes) -> None:
        self._output.read_error(data)
        self._tell()

    def _on_end(self, job: _Job, ended: Ended) -> None:
        self._timer.stop()
        self._output.read(b"", final=True)
        self._output.read_error(b"", final=True)
        self._process = None
        result, error = self._output.result, self._output.error
        if self.state is RunnerState.CANCELLING:
            self._finish(RunnerState.IDLE, self._reason)
        elif ended.normal and ended.code == 0 and result is not None:
            report = result.get("report")
            self._load(job, report if isinstance(report, dict) else {})
        else:
            if ended.problem or (error or {}).get("kind") == "install" or error_messages.lacks_kernels(error):
                self._forget_python()
            self._finish(RunnerState.FAILED, error_messages.why_it_ended(ended, error))

    def _end_by_force(self) -> None:
        if self.state is RunnerState.CANCELLING:
            self._finish(RunnerState.IDLE, self._reason)
        else:
            self._finish(RunnerState.FAILED, _("The background process did not end, so its result was not used."))

    # Listeners, and the scene

    def _show_part(self, fraction: float) -> None:
        self.part = fraction
        self._tell()

    def _change(self, state: RunnerState) -> None:
        self.state, self.part = state, 0.0
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            try:
                listener()
            except Exception:  # what shows a job must not be what stops it half-way
                sys.excepthook(*sys.exc_info())

    def _watch_scene(self) -> None:
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self._on_node_removed)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._on_scene_closed)

    def _on_node_removed(self, caller: object, event: object) -> None:
        if self.task is not None and slicer.mrmlScene.GetNodeByID(self.task.volume_id) is None:
            self.cancel(_("Cancelled, for the scan was removed."))

    def _on_scene_closed(self, caller: object, event: object) -> None:
        self.cancel(_("Cancelled, for the scene was closed."))


def _read_result(job: _Job, report: dict[str, Any]) -> Generator[float, None, LoadedResult]:
    """Read what a job wrote, by steps."""
    target, matrix = job.task.target(job.placement), job.placement.ijk_to_ras
    return (yield from result_volumes.load(job.folder.output, report, job.task.ranges, target, matrix))
