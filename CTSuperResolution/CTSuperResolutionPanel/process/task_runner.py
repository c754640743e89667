"""Task runner: one task at a time on a scan of the scene, and how every task begins, is told of, and ends."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionPanel.process import error_messages
from CTSuperResolutionPanel.process.listeners import Listeners
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.process.scan_watch import ScanWatch
from CTSuperResolutionPanel.process.work import Work
from CTSuperResolutionPanel.scene import nrrd, voxel_geometry
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement


class Task(Protocol):
    """Something to do with a volume of the scene."""

    @property
    def volume_id(self) -> str:
        """Of its node."""


class Job(Protocol):
    """What a task under way works with."""

    @property
    def work(self) -> Work:
        """Its private folder, and what goes on in steps."""

    @property
    def placement(self) -> ScanPlacement:
        """Where the scan was at its start."""

    @property
    def part(self) -> Slices:
        """The part of the scan that is handed over."""


T = TypeVar("T", bound=Task)
J = TypeVar("J", bound=Job)


class TaskRunner(abc.ABC, Generic[T, J]):
    """Runs one task at a time and tells who listens of every change.

    Args:
        find_python: the Python to run it with; may ask the user to install what is needed, and gives None where that
            was declined.
        entries_of: what is known of a scan, as key/value pairs for its file.

    Attributes:
        state, task: what is going on; the task stays after its end.
        part: the fraction that is done of an export or a load.
    """

    def __init__(
        self,
        find_python: Callable[[], Path | None],
        entries_of: Callable[[slicer.vtkMRMLScalarVolumeNode], dict[str, str]] = lambda scan: {},
    ) -> None:
        self.state = RunnerState.IDLE
        self.task: T | None = None
        self.part = 0.0
        self._find_python = find_python
        self._entries_of = entries_of
        self._listeners = Listeners()
        self._watch = ScanWatch(self.cancel)
        self._job: J | None = None
        self._started = 0.0
        self._reason = self._outcome = ""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called after every change of state, progress or log."""
        self._listeners.add(listener)

    @property
    def busy(self) -> bool:
        """Whether a task is under way."""
        return self.state not in (RunnerState.IDLE, RunnerState.FAILED)

    def cancel(self, reason: str = "") -> None:
        """Stop the task, in whatever state it is. The first reason given, a sentence, becomes the message."""
        self._reason = self._reason or reason or _("Cancelled.")
        if self.state in (RunnerState.EXPORTING, RunnerState.LOADING):
            self._finish(RunnerState.IDLE, self._reason)
        elif self.state is RunnerState.RUNNING:
            self._stop_running()

    def _begin(self, task: T) -> None:
        """Find what the task needs, and hand the scan over. Returns at once, but for what may have to be installed."""
        self.task, self._reason = task, ""
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
        self._watch.start(task.volume_id)
        try:
            job = self._prepare(task, python, ScanPlacement.of(scan))
        except JobError as error:
            self._finish(RunnerState.FAILED, error_messages.in_panel_words(error))
        except OSError as error:
            self._not_written(error)
        else:
            self._export(job, scan)

    def _export(self, job: J, scan: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._job = job
        matrix = voxel_geometry.part(job.placement.ijk_to_ras, [part.start for part in job.part])
        voxels = slicer.util.arrayFromVolume(scan)[job.part]
        self._change(RunnerState.EXPORTING)
        job.work.do(
            nrrd.write(job.work.folder.input, voxels, voxel_geometry.LPS @ matrix, metadata=self._entries_of(scan)),
            done=lambda nothing: self._exported(job),
            failed=self._not_written,
            progress=self._show_part,
        )

    @abc.abstractmethod
    def _prepare(self, task: T, python: Path, placement: ScanPlacement) -> J:
        """What a task works with.

        Raises:
            JobError: it does not suit the scan. OSError: there is no room for it.
        """

    @abc.abstractmethod
    def _exported(self, job: J) -> None:
        """The scan is handed over: go on."""

    @abc.abstractmethod
    def _stop_running(self) -> None:
        """Ask the process of the task to stop."""

    def _not_written(self, error: Exception) -> None:
        self._finish(RunnerState.FAILED, error_messages.why_it_was_not_written(error, slicer.app.temporaryPath))

    def _finish(self, state: RunnerState, message: str) -> None:
        """The end of every task: nothing runs on, and nothing stays behind."""
        self._watch.stop()
        if self._job is not None:
            self._job.work.put_away()
        self._job = None
        self._reason, self._outcome = "", message
        self._change(state)

    def _show_part(self, fraction: float) -> None:
        self.part = fraction
        self._listeners.tell()

    def _change(self, state: RunnerState) -> None:
        self.state, self.part = state, 0.0
        self._listeners.tell()
