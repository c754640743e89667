"""Compare section of the panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from CTSuperResolutionPanel.compare.added_row import AddedRow
from CTSuperResolutionPanel.compare.colors import show_legend
from CTSuperResolutionPanel.compare.comparability import find_problem
from CTSuperResolutionPanel.compare.comparison import Comparison
from CTSuperResolutionPanel.compare.difference_row import DifferenceRow
from CTSuperResolutionPanel.compare.error_row import ErrorRow
from CTSuperResolutionPanel.compare.flicker import FlickerKey
from CTSuperResolutionPanel.compare.icons import set_icons
from CTSuperResolutionPanel.compare.layouts import FLICKER, PLANES, SIDE_BY_SIDE, SWIPE, VOLUMES_3D, Arrangement
from CTSuperResolutionPanel.compare.profile_row import ProfileRow
from CTSuperResolutionPanel.compare.user_settings import has_our_layout, leave_our_layout
from CTSuperResolutionPanel.compare.window_presets import WindowPreset, window_presets
from CTSuperResolutionPanel.scene.observing import AFTER_SELECTORS, BEFORE_SELECTORS
from CTSuperResolutionPanel.scene.result_volumes import (
    ERROR_REFERENCE,
    MEASURED_REFERENCE,
    error_of,
    measured_of,
)

UI_FILE = Path(__file__).parents[2] / "Resources" / "UI" / "Compare.ui"

ALL_PLANES = "all"
"""The plane of the panel's state that stands for all three."""

OPENED_MS = 100
"""By then a section that was opened has its size."""


class CompareSection(VTKObservationMixin):
    """Chooses volumes, starts and stops the comparison, and sets how it looks.

    Args:
        parent_layout: where the section is added.
        state: the panel's parameter node wrapper, of which it uses ``compareFirst``, ``compareSecond``,
            ``compareThird``, ``compareKind`` and ``comparePlane``.

    Attributes:
        widget: the section.
    """

    def __init__(self, parent_layout: qt.QBoxLayout, state: Any) -> None:
        super().__init__()
        self.widget = slicer.util.loadUI(str(UI_FILE))
        parent_layout.addWidget(self.widget)
        ui = self._ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)
        set_icons(ui)
        self._comparison = Comparison(self._stop, self._on_divider_moved)
        self._key = FlickerKey(self.widget, self._comparison.flicker)
        self._difference = DifferenceRow(ui, self._on_difference_ready, self._say)
        self._added = AddedRow(ui, self._lay_over, self._comparison.show_without_added, self._say)
        self._error = ErrorRow(ui, self._lay_over)
        self._profile = ProfileRow(ui, self._update_views)
        self._selectors = {
            "compareFirst": ui.firstSelector,
            "compareSecond": ui.secondSelector,
            "compareThird": ui.thirdSelector,
        }
        self._kinds = {
            SIDE_BY_SIDE: ui.sideButton,
            SWIPE: ui.swipeButton,
            FLICKER: ui.flickerButton,
            VOLUMES_3D: ui.renderingButton,
        }
        self._planes = {
            **dict(zip(PLANES, (ui.axialButton, ui.coronalButton, ui.sagittalButton), strict=True)),
            ALL_PLANES: ui.allPlanesButton,
        }
        self._entered = self._resume = self._importing = False
        self._state: Any = None
        self._line: slicer.vtkMRMLMarkupsLineNode | None = None
        self._notice = ""
        self._reveal = qt.QTimer()
        self._reveal.setSingleShot(True)
        self._reveal.setInterval(OPENED_MS)
        self._reveal.connect("timeout()", lambda: scroll_to(self.widget))
        self._connect()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self._on_node_removed, priority=BEFORE_SELECTORS)
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_closes)
        self.addObserver(scene, scene.StartImportEvent, self._on_scene_imports)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_imported, priority=AFTER_SELECTORS)
        self.set_state(state)

    def show(
        self,
        first: slicer.vtkMRMLScalarVolumeNode,
        second: slicer.vtkMRMLScalarVolumeNode,
        third: slicer.vtkMRMLScalarVolumeNode | None = None,
    ) -> None:
        """Compare these volumes as if the user had pressed the button; if the module is not open, when it is."""
        self._choose([first, second, third])
        self._ui.compareCollapsibleButton.collapsed = False
        if self._entered:
            self._start()
        else:
            self._resume = True

    def stop(self) -> None:
        """End the comparison; the user's views and settings come back."""
        self._resume = False
        self._stop()

    def enter(self) -> None:
        """The module is opened: resume what was compared when it was left."""
        self._entered = True
        if self._resume and not find_problem(self._chosen()):
            self._start(resume=True)
        self._resume = False

    def exit(self) -> None:
        """The module is left: give the user's layout and settings back, and come back to this in ``enter``."""
        self._resume = self._comparison.running
        self._stop()
        self._entered = False

    def cleanup(self) -> None:
        """The panel is destroyed."""
        self.exit()
        self._reveal.stop()
        self.removeObservers()
        self.widget.setMRMLScene(None)

    def set_state(self, state: Any) -> None:
        """Take the choices from another parameter node; None where there is none."""
        self.stop()
        self.replace_state(state)

    def replace_state(self, state: Any) -> None:
        """As :meth:`set_state`, but what is being compared stays, and is written into the node."""
        self._state = None  # nothing is written while it is read
        if state is not None and not self._comparison.running:
            self._choose([getattr(state, name) for name in self._selectors])
            self._kinds.get(state.compareKind, self._ui.sideButton).checked = True
            self._planes.get(state.comparePlane, self._ui.axialButton).checked = True
        self._state = state
        if self._comparison.running:
            self._write_choices()
        self._update_panel()

    def _connect(self) -> None:
        ui = self._ui
        for selector in self._selectors.values():
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_volume_chosen)
        ui.swapButton.connect("clicked()", self._on_swap)
        ui.compareButton.connect("clicked(bool)", self._on_compare)
        for button in (*self._kinds.values(), *self._planes.values()):
            button.connect("clicked()", self._update_views)
        ui.dividerSlider.connect("valueChanged(int)", lambda value: self._comparison.move_divider(value / 1000))
        ui.exchangeButton.connect("clicked()", self._comparison.flicker)
        ui.smoothCheckBox.connect("toggled(bool)", self._comparison.displays.set_interpolation)
        ui.crosshairCheckBox.connect("toggled(bool)", self._comparison.set_crosshair)
        ui.differenceButton.connect("toggled(bool)", lambda _checked: self._update_views())
        for switch, other in ((ui.addedCheckBox, ui.errorCheckBox), (ui.errorCheckBox, ui.addedCheckBox)):
            switch.connect("toggled(bool)", lambda checked, other=other: self._on_colours(checked, other))
        for preset in window_presets():
            ui.windowButtons.layout().addWidget(self._window_button(preset))

    def _window_button(self, preset: WindowPreset) -> qt.QToolButton:
        button = qt.QToolButton()
        button.text = preset.name
        button.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
        button.toolTip = _("Window {window:g} HU wide, centre at {level:g} HU").format(
            window=preset.window, level=preset.level
        )
        button.connect("clicked()", lambda: self._comparison.displays.set_window(preset.window, preset.level))
        return button

    def _chosen(self) -> list[slicer.vtkMRMLScalarVolumeNode | None]:
        """The chosen volumes; the third only if there is one."""
        first, second, third = (selector.currentNode() for selector in self._selectors.values())
        return [first, second] if third is None else [first, second, third]

    def _choose(self, volumes: list[slicer.vtkMRMLScalarVolumeNode | None]) -> None:
        """Set the selectors, and act once."""
        for selector, volume in zip(self._selectors.values(), volumes, strict=True):
            choose_quietly(selector, volume)
        self._on_volume_chosen()

    def _write_choices(self) -> None:
        """Put what is chosen into the state, where there is one."""
        if self._state is not None:
            for name, selector in self._selectors.items():
                setattr(self._state, name, selector.currentNode())
            self._state.compareKind = self._checked(self._kinds)
            self._state.comparePlane = self._checked(self._planes)

    def _on_volume_chosen(self, _node: slicer.vtkMRMLNode | None = None) -> None:
        if self._importing:
            return
        self._write_choices()
        if self._comparison.running:
            if find_problem(self._chosen()):
                self._stop()
            else:
                self._update_views()
        self._update_panel()

    def _on_swap(self) -> None:
        first, second, third = (selector.currentNode() for selector in self._selectors.values())
        self._choose([second, first, third])

    def _on_compare(self, checked: bool) -> None:
        if checked:
            self._start()
        else:
            self.stop()

    def _start(self, *, resume: bool = False) -> None:
        """Begin where the user's own views are, or where the comparison was left."""
        self._notice = ""
        if find_problem(self._chosen()):
            self._update_panel()
            return
        if not self._comparison.running:
            if not resume:
                self._comparison.forget_place()
            self._update_views(start=True)
            self._comparison.set_crosshair(self._ui.crosshairCheckBox.checked)
            self._key.start()
            self._reveal.start()
        self._update_panel()

    def _stop(self) -> None:
        self._key.stop()
        self._difference.cancel()
        self._added.cancel()
        self._error.cancel()
        self._profile.stop()
        self._comparison.stop()
        self._update_panel()

    def _update_views(self, *, start: bool = False) -> None:
        """Show what is chosen in the views, if they show a comparison at all."""
        if self._importing:
            return
        self._write_choices()
        if start or self._comparison.running:
            volumes = self._chosen()
            self._comparison.show(volumes, self._arrangement(len(volumes)))
            self._comparison.displays.set_interpolation(self._ui.smoothCheckBox.checked)
            if self._profile.wanted:
                self._comparison.show_chart(self._profile.show(with_measured(volumes)))
            else:
                self._profile.stop()
            if self._difference.wanted:
                self._difference.show(volumes)
            else:
                self._difference.cancel()
                self._comparison.set_difference(None)
            self._comparison.clear()
            for row in (self._added, self._error):
                if row.wanted:
                    row.show(volumes)
                else:
                    row.cancel()
        self._update_panel()

    def _arrangement(self, volumes: int) -> Arrangement:
        plane = self._checked(self._planes)
        return Arrangement(
            kind=self._checked(self._kinds),
            planes=PLANES if plane == ALL_PLANES else (plane,),
            volumes=volumes,
            difference=self._difference.wanted,
            profile=self._profile.wanted,
        )

    def _checked(self, buttons: dict[str, qt.QToolButton]) -> str:
        return next(name for name, button in buttons.items() if button.checked)

    def _on_difference_ready(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._comparison.set_difference(node)
        show_legend(node, self._comparison.difference_view_ids())
        self._reveal.start()

    def _lay_over(self, result: slicer.vtkMRMLScalarVolumeNode, colours: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._comparison.lay_over(result, colours)
        if views := self._comparison.views_with(colours):
            show_legend(colours, views)

    def _on_colours(self, checked: bool, other: qt.QCheckBox) -> None:
        """Of two volumes that can lie over a result one does."""
        if checked and other.checked:
            other.checked = False  # which shows what is chosen now
        else:
            self._update_views()

    def _on_divider_moved(self, position: float) -> None:
        self._ui.dividerSlider.value = round(1000 * position)

    def _on_scene_closes(self, _scene: object, _event: str) -> None:
        self.stop()
        self._comparison.forget_place()
        self._profile.forget()

    def _on_scene_imports(self, _scene: object, _event: str) -> None:
        """From here to the end of the import what the selectors say is no choice: they lose their nodes."""
        self._importing = True
        self._line = self._ui.lineSelector.currentNode()

    def _on_scene_imported(self, _scene: object, _event: str) -> None:
        """More is there. A comparison goes on in the views that Slicer emptied, unless the scene brought its own."""
        running = self._comparison.running and has_our_layout()
        if running:
            for selector, volume in zip(self._selectors.values(), [*self._comparison.volumes, None], strict=False):
                choose_quietly(selector, volume)
            choose_quietly(self._ui.lineSelector, self._line)
            self._comparison.refill()
        self._importing, self._line = False, None
        if not running:
            if self._comparison.running:
                self._stop()
            self.replace_state(self._state)
            leave_our_layout()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_removed(self, _scene: object, _event: str, node: slicer.vtkMRMLNode) -> None:
        """Let go of a node before it is gone; the selectors would choose another one in its place."""
        if self._comparison.running and node in self._chosen()[:2]:
            self._stop()
            self._say(_("{name} was deleted, so the comparison ended.").format(name=node.GetName()))
        for selector in self._selectors.values():
            if selector.currentNode() is node:
                selector.setCurrentNode(None)
        if node is self._difference.node:
            self._ui.differenceButton.checked = False
        for reference, find, switch, made in (
            (MEASURED_REFERENCE, measured_of, self._ui.addedCheckBox, self._added.nodes),
            (ERROR_REFERENCE, error_of, self._ui.errorCheckBox, []),
        ):
            of_node = [volume for volume in self._chosen() if volume is not None and find(volume) is node]
            for volume in of_node:
                volume.SetNodeReferenceID(reference, None)
            if of_node or node in made:
                switch.checked = False
                self._update_views()

    def _update_panel(self) -> None:
        """Enable what can be used, and say why the rest cannot."""
        ui, running = self._ui, self._comparison.running
        problem = find_problem(self._chosen())
        ui.compareButton.checked = running
        ui.compareButton.text = _("Back to my views") if running else _("Compare")
        ui.compareButton.enabled = running or not problem
        for widget in (ui.controls, ui.pixelControls, ui.profileControls):
            widget.enabled = running
        self._added.refresh(self._chosen(), running)
        self._error.refresh(self._chosen())
        ui.addedRow.enabled = ui.errorRow.enabled = running
        in_3d = ui.renderingButton.checked
        ui.addedCheckBox.enabled = ui.errorCheckBox.enabled = not (in_3d or ui.swipeButton.checked)
        ui.planeButtons.enabled = not in_3d
        ui.differenceButton.enabled = not in_3d
        for widget in (ui.dividerLabel, ui.dividerSlider):
            widget.visible = ui.swipeButton.checked
        ui.messageLabel.text = self._notice or problem
        ui.messageLabel.visible = bool(ui.messageLabel.text)

    def _say(self, notice: str) -> None:
        """Tell what happened, until the next start."""
        self._notice = notice
        self._update_panel()


def scroll_to(widget: qt.QWidget) -> None:
    """Bring a part of the module's panel into view, where it is scrolled."""
    area = widget.parentWidget()
    while area is not None and not area.inherits("QScrollArea"):
        area = area.parentWidget()
    if area is not None:
        area.ensureWidgetVisible(widget, 0, 0)


def with_measured(volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Volumes, and what was measured of the first that is known to have something added, where there is room for it."""
    measured = [found for volume in volumes if (found := measured_of(volume)) is not None and found not in volumes]
    return [*volumes, *measured[:1]]


def choose_quietly(selector: slicer.qMRMLNodeComboBox, node: slicer.vtkMRMLNode | None) -> None:
    """Set a selector without a word to those who listen."""
    was = selector.blockSignals(True)
    selector.setCurrentNode(node)
    selector.blockSignals(was)
