"""Panel: its sections, the state that they share, and the events that refresh them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from CTSuperResolutionPanel import install
from CTSuperResolutionPanel.compare.section import CompareSection
from CTSuperResolutionPanel.panel_state import PanelState
from CTSuperResolutionPanel.process import job_folder
from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector
from CTSuperResolutionPanel.process.hardware import Hardware
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.runner import Runner
from CTSuperResolutionPanel.process.views_run import ViewsRun
from CTSuperResolutionPanel.scene.result_volumes import CUBIC, SCAN_REFERENCE, SR, report_of, role_of
from CTSuperResolutionPanel.sections.choices import volume_problem
from CTSuperResolutionPanel.sections.fewer_views import FewerViewsSection
from CTSuperResolutionPanel.sections.previews import PreviewsSection
from CTSuperResolutionPanel.sections.result import ResultSection
from CTSuperResolutionPanel.sections.run import RunSection
from CTSuperResolutionPanel.sections.scan import ScanSection

REFRESH_MS = 30
"""A dragged box or a turned wheel changes the state many times in a row: look once."""


class Panel(VTKObservationMixin):
    """All sections.

    Args:
        ui: the widgets of the panel by name.
        runner: does the work.
        hardware: what it is done on.
        acquisitions: how the scans were acquired.
        views: reconstructs them from few views.

    Attributes:
        entered: the module is shown.
    """

    def __init__(
        self, ui: Any, runner: Runner, hardware: Hardware, acquisitions: AcquisitionInspector, views: ViewsRun
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._ui = ui
        self._runner = runner
        self._hardware = hardware
        self._acquisitions = acquisitions
        self._state: PanelState | None = None
        self._importing = False
        self.entered = False
        self._refresh = qt.QTimer()
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(REFRESH_MS)
        self._refresh.connect("timeout()", self.refresh)
        self.scan = ScanSection(ui, hardware, acquisitions, before_install=runner.let_go)
        self.run = RunSection(ui, runner, hardware, acquisitions)
        self.previews = PreviewsSection(ui, runner, hardware, acquisitions)
        self.result = ResultSection(ui)
        self.compare = CompareSection(ui.comparePlace.layout(), None)
        self.fewer_views = FewerViewsSection(ui.fewerViewsPlace.layout(), views, self.compare.show)
        runner.on_change(self._job_changed)
        runner.on_loaded(self._job_done)
        hardware.on_change(self.refresh_soon)
        acquisitions.on_change(self.refresh_soon)
        job_folder.delete_left_behind()

    def set_state(self, state: PanelState | None) -> None:
        """Show and change that state from now on; None while there is no scene."""
        if state is not None and self._state is not None and state.parameterNode is self._state.parameterNode:
            return
        self.compare.set_state(None)
        self._take(state)

    def scene_imports(self) -> None:
        """More comes into the scene. Until it is there, the selectors lose their nodes, and that is no choice."""
        self._importing = True
        self._let_go()

    def scene_imported(self, find_state: Callable[[], PanelState]) -> None:
        """More came into the scene, perhaps with other choices for the same node. What is shown in the views stays."""
        self._importing = False
        if self._state is None:
            if self.entered:
                self.set_state(find_state())
            return
        state = find_state()
        if state.parameterNode is not self._state.parameterNode:
            self.set_state(None)
        self._take(state)
        self.previews.scene_imported()

    def _take(self, state: PanelState | None) -> None:
        self._let_go()
        self._state = state
        for section in (self.scan, self.run, self.previews, self.result, self.fewer_views):
            section.set_state(state)
        self.compare.replace_state(state)
        if state is None:
            return
        if state.inputVolume is None:
            state.inputVolume = _first_scan()
        state.connect_widgets(self._ui)
        self.addObserver(state, vtk.vtkCommand.ModifiedEvent, self._state_changed)
        self.refresh()

    def _let_go(self) -> None:
        """Neither the state nor what it depends on is followed any more."""
        self._refresh.stop()
        self.removeObservers()
        if self._state is not None:
            self._state.release()

    def enter(self) -> None:
        """The module is shown."""
        self.entered = True
        # What is free on a GPU depends on what else uses it.
        self._hardware.inspect(install.chosen_python(), again=bool(self._hardware.gpus))
        self.run.enter()
        self.compare.enter()
        self.refresh()

    def exit(self) -> None:
        """Another module is shown: the views are the user's again. A job goes on."""
        self.entered = False
        self.run.exit()
        self.previews.exit()
        self.compare.exit()

    def cleanup(self) -> None:
        """The panel goes."""
        self.run.exit()
        self.result.stop()
        self.set_state(None)
        self.compare.cleanup()

    def refresh_soon(self) -> None:
        """Look again, once the event loop has come round."""
        self._refresh.start()

    def refresh(self) -> None:
        """Show what the state, the scene and the runner say."""
        if self._state is None or self._importing:
            return
        self._inspect(self._state)
        self.scan.refresh()
        self._observe_nodes(self._state)
        self.run.refresh()
        self.previews.refresh()
        self.result.refresh()
        self.fewer_views.refresh()

    def _inspect(self, state: PanelState) -> None:
        """Have the chosen volume looked at, once it is known that the background process can work at all."""
        volume = state.inputVolume
        if volume is None or volume_problem(state) is not None:
            self._acquisitions.stop()
        elif self.entered and self._hardware.machine is not None and not self._runner.busy:
            self._acquisitions.inspect(volume, install.chosen_python())

    def _state_changed(self, caller: object, event: object) -> None:
        self.refresh_soon()

    def _observe_nodes(self, state: PanelState) -> None:
        """What the estimate depends on besides the state."""
        scene, modified = slicer.mrmlScene, vtk.vtkCommand.ModifiedEvent
        transformed = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        wanted = [(state.inputVolume, event) for event in (modified, transformed)]
        wanted += [(state.inputVolume, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)]
        wanted += [(state.roi, event) for event in (modified, transformed)]
        wanted += [(scene.GetFirstNodeByClass("vtkMRMLCrosshairNode"), modified)]
        wanted += [(scene, scene.NodeRemovedEvent), (scene, scene.NodeAddedEvent)]
        for node, event in wanted:
            if node is not None and not self.hasObserver(node, event, self._state_changed):
                self.addObserver(node, event, self._state_changed)

    def _job_changed(self) -> None:
        self.run.show_job()
        self.previews.show_job()

    def _job_done(self, task: PanelTask, placed: dict[str, slicer.vtkMRMLScalarVolumeNode]) -> None:
        if not task.sketch:
            self.run.finished(task, report_of(placed[SR]), placed[SR].GetNodeReference(SCAN_REFERENCE))
        self._hardware.inspect(install.chosen_python(), again=self._hardware.machine is None)
        if task.preview:
            self.compare.stop()
            self.previews.finished(placed, show=self.entered, sketch=task.sketch)
            return
        if self._state is not None:
            self._state.srVolume, self._state.cubicVolume = placed[SR], placed[CUBIC]
        self.compare.show(placed[CUBIC], placed[SR])
        if not self.entered:
            slicer.util.showStatusMessage(_("{name} is ready.").format(name=placed[SR].GetName()), 10_000)


def _first_scan() -> slicer.vtkMRMLScalarVolumeNode | None:
    """The first volume in the scene that is neither a label map nor a result."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not role_of(node):
            return node
    return None
