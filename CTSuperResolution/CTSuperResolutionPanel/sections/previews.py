"""Previews section, “Try here”: a small cube around the crosshair with the present settings, and the last ones to flip
between.
"""

from __future__ import annotations

import json
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionPanel.panel_state import BY_SPACING, PER_AXIS, PanelState
from CTSuperResolutionPanel.process import job_folder
from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector
from CTSuperResolutionPanel.process.hardware import Hardware
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.runner import Runner
from CTSuperResolutionPanel.scene import previews, voxel_geometry
from CTSuperResolutionPanel.scene.previews import Preview, find_previews
from CTSuperResolutionPanel.scene.result_folders import remove_empty_folders
from CTSuperResolutionPanel.scene.result_volumes import SCAN_REFERENCE, SR, factors_text
from CTSuperResolutionPanel.scene.slice_overlay import SliceOverlay
from CTSuperResolutionPanel.scene.voxel_geometry import triple
from CTSuperResolutionPanel.sections.advanced_parameters import settings_text
from CTSuperResolutionPanel.sections.choices import NotReady, looking, preview_task, sketch_task
from CTSuperResolutionPanel.sections.estimate import estimate

SIDES = (64, 96, 128)
"""Output voxels along each side of a preview."""


class PreviewsSection:
    """The part of the panel for previews.

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
        self._listed: list[Preview] = []
        self._filling = False
        self._overlay = SliceOverlay()
        self._sketched: PanelTask | None = None
        for side, title in zip(SIDES, (_("Small cube"), _("Medium cube"), _("Large cube")), strict=True):
            ui.previewSizeComboBox.addItem(title, side)
        ui.previewSizeComboBox.connect("activated(int)", self._size_chosen)
        ui.previewButton.connect("clicked(bool)", lambda checked: self.start())
        ui.sketchCheckBox.connect("toggled(bool)", lambda checked: self._sketch())
        ui.previewsList.connect("currentRowChanged(int)", self._row_chosen)
        ui.usePreviewButton.connect("clicked(bool)", lambda checked: self.use_settings())
        ui.keepPreviewButton.connect("clicked(bool)", self.keep)
        ui.removePreviewButton.connect("clicked(bool)", lambda checked: self.remove())
        ui.hidePreviewsButton.connect("clicked(bool)", lambda checked: self.hide())

    def set_state(self, state: PanelState | None) -> None:
        """Work with that state from now on."""
        self._state = state
        if state is None:
            self._overlay.forget()
            self._list([])

    def scene_imported(self) -> None:
        """A preview that was shown over the scan is shown again: an import empties the views."""
        self._overlay.show_again()
        self.refresh()
        # Of previews that were not saved. Slicer sorts the subject hierarchy only after this.
        qt.QTimer.singleShot(0, remove_empty_folders)

    def exit(self) -> None:
        """Give the views back as they were."""
        self.hide()

    def start(self) -> None:
        """Do a cube around the crosshair."""
        if self._state is None:
            return
        try:
            self._runner.start(preview_task(self._state, crosshair()))
        except (NotReady, JobError) as error:
            self._ui.previewHintLabel.text = f"<b>{error}</b>"

    def finished(self, placed: dict[str, slicer.vtkMRMLScalarVolumeNode], *, show: bool, sketch: bool) -> None:
        """Take up new volumes, and show them if the views are ours to change."""
        previews.add(placed, sketch=sketch)
        self._list(find_previews())
        if show:
            self._ui.previewsList.setCurrentRow(len(self._listed))
        self._remove_sketches(but=placed[SR])

    def _remove_sketches(self, but: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Of sketches the last one stays, and those that the user keeps."""
        old = [one for one in self._listed if one.is_sketch and not one.kept and one.sr is not but]
        for one in old:
            previews.remove(one)
        if old:
            self._list(find_previews())

    def _sketch(self) -> None:
        """Sketch what the state says, where the user wants that and it was not done already."""
        if self._state is None or not self._ui.sketchCheckBox.checked:
            self._sketched = None
            return
        try:
            task = sketch_task(self._state, crosshair())
        except NotReady:
            return  # the hint says so
        free = self._runner.sketching or not self._runner.busy
        if free and task != self._sketched and not self._acquisitions.inspects(self._state.inputVolume):
            self._sketched = task
            self._runner.start(task)

    def refresh(self) -> None:
        """Show what the state says, and which previews there are."""
        if self._state is None:
            return
        ui = self._ui
        ui.previewSizeComboBox.setCurrentIndex(ui.previewSizeComboBox.findData(self._state.previewVoxels))
        there = find_previews()
        if [preview.sr.GetID() for preview in there] != [preview.sr.GetID() for preview in self._listed]:
            self._list(there)
        self._sketch()
        self.show_job()

    def show_job(self) -> None:
        """Show whether a preview can be started, and what it would take."""
        ui = self._ui
        if (self._runner.busy and not self._runner.sketching) or self._state is None:
            ui.previewButton.enabled = False
            return
        try:
            task = preview_task(self._state, crosshair())
            volume = self._state.inputVolume
            if self._acquisitions.inspects(volume):
                raise looking()
            spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume))
            found = estimate(task, voxel_geometry.shape(volume), spacing, self._hardware, job_folder.free_space())
        except NotReady as missing:
            ui.previewButton.enabled = False
            ui.previewHintLabel.text = str(missing)
            return
        ui.previewButton.enabled = not found.problem
        ui.previewHintLabel.text = found.problem or _("{size} voxels of the scan, {time}").format(
            size=" × ".join(map(str, reversed(task.shape))), time=found.duration
        )

    def use_settings(self) -> None:
        """Set the panel to what the chosen preview was made with."""
        state, preview = self._state, self._chosen()
        if state is None or preview is None:
            return
        job = preview.report.get("job", {})
        scale = str(job.get("scale") or state.scale)
        was = state.StartModify()
        for name, value in choices_of(preview).items():
            setattr(state, name, value)
        if "," in scale:
            state.factorZ, state.factorY, state.factorX = map(int, scale.split(","))
            scale = PER_AXIS
        elif job.get("spacing"):
            state.spacing = f"{job['spacing']:g}"
            scale = BY_SPACING
        state.scale = scale
        state.EndModify(was)

    def keep(self, kept: bool) -> None:
        """Have the chosen preview saved with the scene, or not."""
        preview = self._chosen()
        if preview is not None:
            previews.keep(preview, kept)
            row = self._ui.previewsList.currentRow
            self._ui.previewsList.item(row).setText(row_text(row, preview))

    def remove(self) -> None:
        """Take the chosen preview out of the scene."""
        preview = self._chosen()
        if preview is not None:
            self._overlay.hide()
            previews.remove(preview)
            self._list(find_previews())

    def hide(self) -> None:
        """Show the scan alone again."""
        self._overlay.hide()
        self._ui.previewsList.setCurrentRow(-1)

    def _list(self, there: list[Preview]) -> None:
        """Fill the list: the cubic cube first, for comparison, then the previews. What is chosen stays chosen."""
        chosen, on_cubic = self._chosen(), self._ui.previewsList.currentRow == 0
        self._filling = True
        try:
            self._listed = there
            ui = self._ui
            ui.previewsList.clear()
            if there:
                ui.previewsList.addItem(_("Cubic"))
            for number, preview in enumerate(there, 1):
                ui.previewsList.addItem(row_text(number, preview))
                ui.previewsList.item(number).setToolTip(details(preview))
                if chosen is not None and preview.sr is chosen.sr:
                    ui.previewsList.setCurrentRow(number)
            if on_cubic and there:
                ui.previewsList.setCurrentRow(0)
            ui.previewsList.visible = bool(there)
            for button in (ui.usePreviewButton, ui.keepPreviewButton, ui.removePreviewButton, ui.hidePreviewsButton):
                button.visible = bool(there)
        finally:
            self._filling = False
        self._last = there[-1] if there else None
        self._enable_buttons()

    def _row_chosen(self, row: int) -> None:
        if self._filling:
            return
        preview = self._chosen()
        if preview is not None:
            self._last = preview
            self._overlay.show(preview.sr, preview.sr.GetNodeReference(SCAN_REFERENCE))
        elif row == 0 and self._last is not None and self._last.cubic is not None:
            self._overlay.show(self._last.cubic, self._last.sr.GetNodeReference(SCAN_REFERENCE))
        self._enable_buttons()

    def _chosen(self) -> Preview | None:
        row = self._ui.previewsList.currentRow
        return self._listed[row - 1] if 1 <= row <= len(self._listed) else None

    def _enable_buttons(self) -> None:
        chosen = self._chosen()
        for button in (self._ui.keepPreviewButton, self._ui.removePreviewButton):
            button.enabled = chosen is not None
        # Of a sketch they would be those of the sketch, and the panel has what it was made for.
        self._ui.usePreviewButton.enabled = chosen is not None and not chosen.is_sketch
        self._ui.keepPreviewButton.checked = chosen is not None and chosen.kept
        self._ui.hidePreviewsButton.enabled = self._ui.previewsList.currentRow >= 0

    def _size_chosen(self, index: int) -> None:
        if self._state is not None:
            self._state.previewVoxels = self._ui.previewSizeComboBox.itemData(index)


def crosshair() -> tuple[float, float, float]:
    """Where the crosshair is, in the world's RAS, mm."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    return (0.0, 0.0, 0.0) if node is None else triple(node.GetCrosshairRAS())


def title(preview: Preview) -> str:
    """A preview in a few words: scale, preset and what was set otherwise."""
    job = preview.report.get("job", {})
    parts = [factors_text(preview.report.get("scale", ())), str(job.get("preset", ""))]
    if job.get("seed"):
        parts.append(_("seed {seed}").format(seed=job["seed"]))
    if job.get("prior", "shipped") != "shipped":
        parts.append(_("prior {name}").format(name=job["prior"]))
    changed = settings_text(job.get("settings", {}))
    return " · ".join(filter(None, [*parts, changed]))


def row_text(number: int, preview: Preview) -> str:
    """A preview's row in the list."""
    text = f"{number}  {title(preview)}"
    text = _("{title} · sketch").format(title=text) if preview.is_sketch else text
    return _("{title} · kept").format(title=text) if preview.kept else text


def details(preview: Preview) -> str:
    """More of a preview: how large, how long, how well it agrees with the scan."""
    report = preview.report
    size = " × ".join(str(n) for n in reversed(voxel_geometry.shape(preview.sr)))
    lines = [_("{size} voxels, {seconds:.0f} s").format(size=size, seconds=float(report.get("seconds") or 0))]
    agreement = report.get("consistency", {}).get(SR, {}).get("rms_hu")
    if agreement is not None:
        lines.append(_("degraded again, it differs from the scan by {rms:.1f} HU (rms)").format(rms=agreement))
    return "\n".join([title(preview), *lines])


def choices_of(preview: Preview) -> dict[str, Any]:
    """The fields of the panel's state that would make this preview again; the scale is left to the caller."""
    job = preview.report.get("job", {})
    found = {name: job[name] for name in ("preset", "seed") if name in job}
    return found | {"settings": json.dumps(job.get("settings", {}))}
