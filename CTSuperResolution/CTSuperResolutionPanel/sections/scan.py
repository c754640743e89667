"""Scan section: the volume, how much finer, which part, which quality, and on which device."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.job.parameters import PRESET_NAMES
from CTSuperResolutionLib.job.priors import known_priors, prior_name
from CTSuperResolutionLib.job.refinement import COARSEST_MM, FINEST_MM, SCALES
from CTSuperResolutionPanel import install
from CTSuperResolutionPanel.install.interpreters import is_slicers
from CTSuperResolutionPanel.panel_state import BY_SPACING, PER_AXIS, PanelState
from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector
from CTSuperResolutionPanel.process.error_messages import tidy
from CTSuperResolutionPanel.process.hardware import Hardware
from CTSuperResolutionPanel.process.stepper import Stepper
from CTSuperResolutionPanel.scene import region_of_interest
from CTSuperResolutionPanel.scene.result_volumes import ROLE, role_of
from CTSuperResolutionPanel.scene.straightening import straighten
from CTSuperResolutionPanel.sections.advanced_parameters import AdvancedFields, parse_settings
from CTSuperResolutionPanel.sections.choices import insists, volume_problem, volume_remark

CHOOSE_FOLDER = "?"
"""What the list of priors holds for its last entry."""

REGION_BOX = "region"
"""The role of a box that the panel made itself."""


class ScanSection:
    """The upper part of the panel. Fields that the .ui connects to the state by name are not touched here.

    Args:
        ui: the widgets of the panel by name.
        hardware: what jobs are done on, which another Python may see otherwise.
        acquisitions: how the scans were acquired.
        before_install: called before what the background process has loaded may be replaced.
    """

    def __init__(
        self,
        ui: Any,
        hardware: Hardware,
        acquisitions: AcquisitionInspector,
        *,
        before_install: Callable[[], None],
    ) -> None:
        self._before_install = before_install
        self._ui = ui
        self._hardware = hardware
        self._acquisitions = acquisitions
        self._state: PanelState | None = None
        self._updating = False
        self._straightening: Stepper | None = None
        titles = {"isotropic": _("Isotropic (slices only)")}
        scales = [(titles.get(scale, f"{scale}×"), scale) for scale in SCALES]
        scales += [(_("Each axis by itself"), PER_AXIS), (_("Spacing in mm"), BY_SPACING)]
        self._combos = {
            "scale": (ui.scaleComboBox, scales),
            "preset": (ui.presetComboBox, [(_preset_title(name), name) for name in PRESET_NAMES]),
            "device": (
                ui.deviceComboBox,
                [(_("Automatic"), "auto"), (_("Processor (CPU)"), "cpu"), (_("NVIDIA GPU (CUDA)"), "cuda")],
            ),
            "prior": (ui.priorComboBox, [(_prior_title(name), name) for name in known_priors()]),
        }
        for name, (combo, entries) in self._combos.items():
            for title, value in entries:
                combo.addItem(title, value)
            combo.connect("activated(int)", lambda index, name=name: self._chosen(name, index))
        ui.priorComboBox.addItem(_("Choose a folder…"), CHOOSE_FOLDER)
        self.advanced = AdvancedFields(ui.advancedCollapsibleButton.layout(), self._settings_changed)
        ui.allowUnusualCheckBox.connect("toggled(bool)", self._insist)
        ui.straightenButton.connect("clicked(bool)", lambda checked: self.straighten())
        ui.fitRoiButton.connect("clicked(bool)", lambda checked: self.fit_roi())
        ui.pythonButton.connect("clicked(bool)", lambda checked: self.choose_python())
        ui.acquisitionLabel.visible = ui.problemLabel.visible = False
        ui.allowUnusualCheckBox.visible = ui.straightenButton.visible = False
        ui.axesWidget.visible = ui.spacingSpinBox.visible = False
        ui.spacingSpinBox.setRange(FINEST_MM, COARSEST_MM)
        ui.spacingSpinBox.connect("valueChanged(double)", self._spacing_changed)

    def set_state(self, state: PanelState | None) -> None:
        """Show and change that state from now on."""
        self._state = state
        if self._straightening is not None:
            self._straightening.stop()
            self._straightening = None

    def refresh(self) -> None:
        """Show what the state says."""
        state, ui = self._state, self._ui
        if state is None or self._updating:
            return
        self._updating = True
        try:
            if state.useRoi and state.roi is None and state.inputVolume is not None:
                box = region_of_interest.add(state.inputVolume)
                box.SetAttribute(ROLE, REGION_BOX)
                state.roi = box
            for name, (combo, _entries) in self._combos.items():
                self._select(name, combo)
            ui.spacingSpinBox.value = float(state.spacing)
            self.advanced.show(state.preset, parse_settings(state.settings))
        finally:
            self._updating = False
        ui.pythonButton.text = _python_title(install.chosen_python())
        ui.axesWidget.visible = state.scale == PER_AXIS
        ui.spacingSpinBox.visible = state.scale == BY_SPACING
        ui.roiSelector.enabled = state.useRoi
        ui.fitRoiButton.enabled = state.useRoi and state.roi is not None and state.inputVolume is not None
        _show_roi(state)
        problem = volume_remark(state)
        self._show_acquisition(state)
        ui.problemLabel.visible = problem is not None
        ui.problemLabel.text = "" if problem is None else problem.sentence
        ui.allowUnusualCheckBox.visible = problem is not None and problem.may_insist
        ui.straightenButton.visible = problem is not None and problem.may_straighten
        ui.straightenButton.enabled = self._straightening is None
        was = ui.allowUnusualCheckBox.blockSignals(True)
        ui.allowUnusualCheckBox.checked = insists(state)
        ui.allowUnusualCheckBox.blockSignals(was)

    def _show_acquisition(self, state: PanelState) -> None:
        """How thick the slices are, by header, measurement and setting."""
        label, volume = self._ui.acquisitionLabel, state.inputVolume
        label.visible = volume is not None and volume_problem(state) is None
        if not label.visible:
            return
        width = parse_settings(state.settings).get("slice_width")
        slices = self._acquisitions.thickness(volume, float(width) if width else None)
        line = tidy(slices.sentence)
        if self._acquisitions.inspects(volume):
            known = slices.header is not None or slices.given is not None
            line = _("{slices}, being measured…").format(slices=line) if known else _("Slices are being measured…")
        label.text = "<br>".join(filter(None, [line, slices.contradiction]))

    def fit_roi(self) -> None:
        """Put the box around the whole scan."""
        if self._state is not None:
            region_of_interest.fit(self._state.roi, self._state.inputVolume)

    def straighten(self) -> None:
        """Choose a straightened copy of the tilted scan, made without holding up the window."""
        state = self._state
        if state is None or state.inputVolume is None or self._straightening is not None:
            return
        self._straightening = Stepper(straighten(state.inputVolume), done=self._straightened, failed=self._not_straight)
        self._ui.straightenButton.enabled = False
        self._straightening.start()

    def _straightened(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._straightening = None
        if self._state is not None:
            self._state.inputVolume = node
            slicer.util.setSliceViewerLayers(background=node)
        self.refresh()

    def _not_straight(self, error: Exception) -> None:
        """The volume was changed meanwhile, or there is no memory for another one."""
        self._straightening = None
        self.refresh()
        self._ui.problemLabel.text = _("It could not be straightened: {reason}.").format(
            reason=str(error) or type(error).__name__
        )

    def choose_python(self) -> None:
        """Let the user choose what runs in the background."""
        self._before_install()
        python = install.change(slicer.util.mainWindow())
        if python is not None:
            self._hardware.inspect(python, again=True)
        self.refresh()

    def _select(self, name: str, combo: qt.QComboBox) -> None:
        value = getattr(self._state, name)
        index = combo.findData(value)
        if index < 0:  # a prior's folder, or a device such as cuda:1
            index = max(combo.count - 1, 0) if name == "prior" else combo.count
            combo.insertItem(index, prior_name(value) if name == "prior" else value, value)
        combo.setCurrentIndex(index)

    def _chosen(self, name: str, index: int) -> None:
        combo, _entries = self._combos[name]
        value = combo.itemData(index)
        if self._state is None:
            return
        if value == CHOOSE_FOLDER:
            value = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Folder of a prior"))
            if not value:
                self.refresh()
                return
            value = str(Path(value))
        setattr(self._state, name, value)

    def _insist(self, checked: bool) -> None:
        if self._state is not None:
            self._state.unusualVolume = self._state.inputVolume if checked else None

    def _spacing_changed(self, millimetres: float) -> None:
        if self._state is not None and not self._updating:
            self._state.spacing = f"{millimetres:g}"

    def _settings_changed(self) -> None:
        if self._state is not None:
            self._state.settings = json.dumps(self.advanced.settings())


def _preset_title(name: str) -> str:
    return {
        "preview": _("Preview – quickest"),
        "balanced": _("Balanced"),
        "best": _("Best – several times slower"),
        "paper": _("Paper – to compare with, slow"),
    }.get(name, name)


def _prior_title(name: str) -> str:
    return {"shipped": _("Shipped with the module")}.get(name, name)


def _python_title(python: Path) -> str:
    text = str(python)
    return _("Slicer's Python") if is_slicers(python) else text if len(text) <= 36 else f"…{text[-35:]}"


def _show_roi(state: PanelState) -> None:
    """The box is in the views only while it counts. One that the user made is the user's to show and hide."""
    display = state.roi.GetDisplayNode() if role_of(state.roi) == REGION_BOX else None
    if display is not None and bool(display.GetVisibility()) != state.useRoi:
        display.SetVisibility(state.useRoi)
