"""Run section: Apply, the estimate before it, and progress and log of the job."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionPanel.panel_state import PanelState
from CTSuperResolutionPanel.process import job_folder
from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector
from CTSuperResolutionPanel.process.hardware import Hardware
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.runner import Runner
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.scene import voxel_geometry
from CTSuperResolutionPanel.sections.choices import NotReady, looking, run_task, volume_problem
from CTSuperResolutionPanel.sections.estimate import calibrate, estimate
from CTSuperResolutionPanel.sections.process_log import show_log
from CTSuperResolutionPanel.sections.task_progress import TaskProgress
from CTSuperResolutionPanel.sections.wrapped_text import set_wrapped_text

SILENCE_S = 60
"""A process that says nothing for so long may be stuck: the user is told, and decides."""

EXPORTED, LOADING = 0.03, 0.97
"""Where on the bar the background process begins and ends."""


class RunSection:
    """The middle part of the panel.

    Args:
        ui: the widgets of the panel by name.
        runner: does the work.
        hardware: what it is done on.
        acquisitions: how the scans were acquired.
    """

    def __init__(self, ui: Any, runner: Runner, hardware: Hardware, acquisitions: AcquisitionInspector) -> None:
        self._ui = ui
        self._runner = runner
        self._hardware = hardware
        self._acquisitions = acquisitions
        self._state: PanelState | None = None
        self._task: PanelTask | None = None
        self._progress = TaskProgress(
            ui.applyButton,
            ui.progressBar,
            start=_("Apply"),
            start_tip=_("Super-resolve the scan in the background."),
            cancel_tip=_("Stop the job; nothing of it is kept."),
        )
        ui.applyButton.connect("clicked(bool)", lambda checked: self.apply())
        ui.logButton.connect("toggled(bool)", lambda shown: show_log(ui, runner.log))
        for widget in (ui.progressBar, ui.logText, ui.logButton, ui.messageLabel):
            widget.visible = False
        # A second's clock while a job runs; otherwise memory may have become free, or no longer be.
        self._clock = qt.QTimer()
        self._clock.setInterval(1000)
        self._clock.connect("timeout()", self._tick)
        self._ticks = 0

    def set_state(self, state: PanelState | None) -> None:
        """Work with that state from now on."""
        self._state = state
        if state is None:
            self._task = None
            self._ui.estimateLabel.text = ""
            self.show_job()

    def enter(self) -> None:
        """The panel is shown."""
        self._clock.start()

    def exit(self) -> None:
        """The panel is hidden; a job goes on."""
        self._clock.stop()

    def apply(self) -> None:
        """Start the job that the panel describes, or cancel the one that runs."""
        if self._busy:
            self._runner.cancel()
            return
        self.refresh()
        if self._task is None:
            return
        try:
            self._runner.start(self._task)
        except JobError as error:
            self._say(str(error))

    def refresh(self) -> None:
        """Show what the state comes to."""
        if self._state is None:
            return
        self._task, problem, line = None, "", ""
        try:
            task = run_task(self._state)
            volume = self._state.inputVolume
            spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume))
            found = estimate(task, voxel_geometry.shape(volume), spacing, self._hardware, job_folder.free_space())
            line, problem = found.line, found.problem
            if task.is_part(voxel_geometry.shape(volume)) and self._acquisitions.inspects(volume):
                problem = problem or str(looking())
            self._task = None if problem else task
        except NotReady as missing:
            seen = volume_problem(self._state) is not None  # and said beside the volume
            problem = _("This volume cannot be used, see above.") if seen else str(missing)
        notes = [*self._hardware.notes] if line else []
        lines = [part for part in (line, _bold(problem), *notes) if part]
        set_wrapped_text(self._ui.estimateLabel, "<br>".join(lines))
        self._ui.estimateLabel.toolTip = _("Size of the result · memory at the peak · where it is computed · how long")
        self.show_job()

    def finished(self, task: PanelTask, report: Mapping[str, Any], scan: slicer.vtkMRMLVolumeNode) -> None:
        """Take from a job how long the next one will be."""
        spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(scan))
        calibrate(task, voxel_geometry.shape(scan), spacing, report, self._runner.seconds)

    def show_job(self) -> None:
        """Show what the runner does."""
        ui, runner = self._ui, self._runner
        self._progress.show_button(runner.state, busy=self._busy, ready=self._task is not None)
        self._progress.show_bar(
            runner.state,
            busy=self._busy,
            fraction=self._fraction(),
            doing=self._doing(),
            remaining=runner.progress.remaining,
        )
        ui.logButton.visible = bool(runner.log)
        self._say(self._note())
        show_log(ui, runner.log)

    @property
    def _busy(self) -> bool:
        """Whether a job is under way that the user ordered here or as a preview; a sketch is in nobody's way."""
        return self._runner.busy and not self._runner.sketching

    def _fraction(self) -> float:
        runner = self._runner
        if runner.state is RunnerState.EXPORTING:
            return EXPORTED * runner.part
        if runner.state is RunnerState.LOADING:
            return LOADING + (1 - LOADING) * runner.part
        return EXPORTED + (LOADING - EXPORTED) * (runner.progress.fraction or 0.0)

    def _doing(self) -> str:
        """The stage of the process, and how far it is."""
        progress = self._runner.progress
        if not progress.stage:
            return _("Starting")
        steps = [f"{progress.step}/{progress.steps}"] if progress.steps > 1 else []
        return " ".join([stage_title(progress.stage), *steps])

    def _note(self) -> str:
        runner = self._runner
        if runner.silent_seconds > SILENCE_S:
            return _("The background process has said nothing for {time}; it may be stuck.").format(
                time=clock_text(runner.silent_seconds)
            )
        return _bold(runner.message) if runner.state is RunnerState.FAILED else runner.message

    def _say(self, text: str) -> None:
        self._ui.messageLabel.text = text
        self._ui.messageLabel.visible = bool(text) or bool(self._runner.log)

    def _tick(self) -> None:
        self._ticks += 1
        if self._busy:
            self.show_job()
        elif self._ticks % 5 == 0:
            self.refresh()


def stage_title(stage: str) -> str:
    """What a stage of the library is called in the panel."""
    return {
        "load": _("Reading"),
        "upsample": _("Upsampling"),
        "project": _("Projecting"),
        "adapt": _("Learning from the scan"),
        "test": _("Testing on the scan"),
        "restore": _("Restoring views"),
        "fit": _("Fitting Gaussians"),
        "assemble": _("Assembling"),
        "write": _("Writing"),
    }.get(stage, stage)


def _bold(text: str) -> str:
    return f"<b>{html.escape(text)}</b>" if text else ""
