"""“Try here”: a small cube around the crosshair with the settings of the moment, and the last ones to flip between."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionPanel import geometry, job_folder, tries
from CTSuperResolutionPanel.choices import NotReady, try_task
from CTSuperResolutionPanel.estimate import duration_text, estimate
from CTSuperResolutionPanel.hardware import Hardware
from CTSuperResolutionPanel.results import SCAN_REFERENCE
from CTSuperResolutionPanel.runner import Runner
from CTSuperResolutionPanel.state import PER_AXIS, PanelState
from CTSuperResolutionPanel.task import Task

SIDES = (64, 96, 128)
"""Output voxels along each side of a try."""


class TriesSection:
    """The part of the panel for tries.

    Args:
        ui: the widgets of the panel by name.
        runner: does the work.
        hardware: what it is done on.
    """

    def __init__(self, ui: Any, runner: Runner, hardware: Hardware) -> None:
        self._ui = ui
        self._runner = runner
        self._hardware = hardware
        self._state: PanelState | None = None
        self._listed: list[tries.Try] = []
        self._filling = False
        self._overlay = tries.Overlay()
        for side, title in zip(SIDES, (_("Small cube"), _("Medium cube"), _("Large cube")), strict=True):
            ui.trySizeComboBox.addItem(title, side)
        ui.trySizeComboBox.connect("activated(int)", self._size_chosen)
        ui.tryButton.connect("clicked(bool)", lambda checked: self.start())
        ui.triesList.connect("currentRowChanged(int)", self._row_chosen)
        ui.useTryButton.connect("clicked(bool)", lambda checked: self.use_settings())
        ui.removeTryButton.connect("clicked(bool)", lambda checked: self.remove())
        ui.hideTriesButton.connect("clicked(bool)", lambda checked: self.hide())

    def set_state(self, state: PanelState | None) -> None:
        """Work with that state from now on."""
        self._state = state
        if state is None:
            self._overlay.forget()
            self._list([])

    def scene_imported(self) -> None:
        """A try over the scan is still to be taken away later, unless the views now show something else."""
        shown = {node.GetForegroundVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
        if not any(node is not None and node.GetID() in shown for one in tries.tries() for node in (one.sr, one.cubic)):
            self._overlay.forget()

    def exit(self) -> None:
        """Give the views back as they were."""
        self.hide()

    def start(self) -> None:
        """Do a cube around the crosshair."""
        try:
            self._runner.start(self._task())
        except (NotReady, JobError) as error:
            self._ui.tryHintLabel.text = f"<b>{error}</b>"

    def finished(self, task: Task, placed: dict[str, slicer.vtkMRMLScalarVolumeNode], *, show: bool) -> None:
        """Take up new volumes, and show them if the views are ours to change."""
        tries.add(task, placed)
        self._list(tries.tries())
        if show:
            self._ui.triesList.setCurrentRow(len(self._listed))

    def refresh(self) -> None:
        """Show what the state says, and which tries there are."""
        if self._state is None:
            return
        ui = self._ui
        ui.trySizeComboBox.setCurrentIndex(ui.trySizeComboBox.findData(self._state.tryVoxels))
        there = tries.tries()
        if [one.sr.GetID() for one in there] != [one.sr.GetID() for one in self._listed]:
            self._list(there)
        self.show_job()

    def show_job(self) -> None:
        """Show whether a try can be started, and what it would take."""
        ui = self._ui
        if self._runner.busy or self._state is None:
            ui.tryButton.enabled = False
            return
        try:
            task = self._task()
            spacing = geometry.spacing(geometry.ijk_to_ras(self._state.inputVolume))
            found = estimate(task, spacing, self._hardware, job_folder.free_space())
        except NotReady as missing:
            ui.tryButton.enabled = False
            ui.tryHintLabel.text = str(missing)
            return
        ui.tryButton.enabled = not found.problem
        ui.tryHintLabel.text = found.problem or _("{size} voxels of the scan, {time}").format(
            size=" × ".join(map(str, reversed(task.shape))), time=duration_text(found.seconds)
        )

    def use_settings(self) -> None:
        """Set the panel to what the chosen try was made with."""
        one = self._chosen()
        if one is None:
            return
        job = one.report.get("job", {})
        scale = str(job.get("scale", self._state.scale))
        was = self._state.StartModify()
        for name, value in tries.choices_of(one).items():
            setattr(self._state, name, value)
        if "," in scale:
            self._state.factorZ, self._state.factorY, self._state.factorX = map(int, scale.split(","))
            scale = PER_AXIS
        self._state.scale = scale
        self._state.EndModify(was)

    def remove(self) -> None:
        """Take the chosen try out of the scene."""
        one = self._chosen()
        if one is not None:
            self._overlay.hide()
            tries.remove(one)
            self._list(tries.tries())

    def hide(self) -> None:
        """Show the scan alone again."""
        self._overlay.hide()
        self._ui.triesList.setCurrentRow(-1)

    def _task(self) -> Task:
        return try_task(self._state, crosshair())

    def _list(self, there: list[tries.Try]) -> None:
        """Fill the list: the cubic cube first, for comparison, then the tries."""
        self._filling = True
        try:
            self._listed = there
            ui = self._ui
            ui.triesList.clear()
            if there:
                ui.triesList.addItem(_("Cubic"))
            for number, one in enumerate(there, 1):
                ui.triesList.addItem(f"{number}  {tries.title(one)}")
                ui.triesList.item(number).setToolTip(tries.details(one))
            ui.triesList.visible = bool(there)
            for button in (ui.useTryButton, ui.removeTryButton, ui.hideTriesButton):
                button.visible = bool(there)
        finally:
            self._filling = False
        self._last = there[-1] if there else None
        self._enable_buttons()

    def _row_chosen(self, row: int) -> None:
        if self._filling:
            return
        one = self._chosen()
        if one is not None:
            self._last = one
            self._overlay.show(one.sr, one.sr.GetNodeReference(SCAN_REFERENCE))
        elif row == 0 and self._last is not None and self._last.cubic is not None:
            self._overlay.show(self._last.cubic, self._last.sr.GetNodeReference(SCAN_REFERENCE))
        self._enable_buttons()

    def _chosen(self) -> tries.Try | None:
        row = self._ui.triesList.currentRow
        return self._listed[row - 1] if 1 <= row <= len(self._listed) else None

    def _enable_buttons(self) -> None:
        chosen = self._chosen() is not None
        self._ui.useTryButton.enabled = self._ui.removeTryButton.enabled = chosen
        self._ui.hideTriesButton.enabled = self._ui.triesList.currentRow >= 0

    def _size_chosen(self, index: int) -> None:
        if self._state is not None:
            self._state.tryVoxels = self._ui.trySizeComboBox.itemData(index)


def crosshair() -> tuple[float, float, float]:
    """Where the crosshair is, in the world's RAS, mm."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    return (0.0, 0.0, 0.0) if node is None else tuple(node.GetCrosshairRAS())
