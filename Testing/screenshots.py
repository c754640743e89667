#!/usr/bin/env python3
"""Pictures of the panel at work: python3 Testing/run_in_venv.py python Testing/screenshots.py OUT_DIR

Loads the phantom that the module offers, previews, runs and compares by the panel's own buttons and with the real
background process, in the test host. Takes three minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from slicer_host import opengl, system_libraries
from studio import SIZE, SMALL, Studio

SCALE, PRESET = "4", "preview"
PLACE = -46.0, 2.0, -6.0  # RAS, mm: vessels in the left lung, beside the heart
OTHER_SETTINGS = {"pixel_width": 5.0}  # of the second preview


class PanelStudio(Studio):
    """The panel of CT Super-Resolution, and what its buttons start."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        super().__init__("CTSuperResolution", folder, size)
        logic = self.widget.logic
        self.state, self.runner = logic.getParameterNode(), logic.runner
        self.hardware, self.acquisitions, self.views = logic.hardware, logic.acquisitions, logic.views
        self.compare = self.children(self.ui.comparePlace)
        self.fewer_views = self.children(self.ui.fewerViewsPlace)

    def finish_job(self) -> None:
        """Wait for the end of a job, which has to be a good one."""
        self.wait(lambda: not self.runner.busy, "The end of the job")
        if not self.runner.message.startswith("Done"):
            sys.exit("\n".join([*self.runner.log, self.runner.message]))

    def open_only(self, *parts: Any) -> None:
        """Fold the other parts of the panel, as one does to see a part whole."""
        ui = self.ui
        for part in (
            ui.scanCollapsibleButton,
            ui.advancedCollapsibleButton,
            ui.previewsCollapsibleButton,
            ui.resultCollapsibleButton,
            self.compare.compareCollapsibleButton,
            self.fewer_views.fewerViewsCollapsibleButton,
        ):
            part.collapsed = part not in parts

    def go_to(self, place: tuple[float, float, float], field: float) -> None:
        """Put crosshair and slices at a place of the world, RAS, mm, and zoom in: mm from left to right."""
        slicer = self.slicer
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS(place)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            wide, high, deep = view.GetFieldOfView()
            view.SetFieldOfView(field, field * high / wide, deep)
            view.JumpSliceByCentering(*place)


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--small", action="store_true", help="in a window as on a small laptop, 1280 x 800 pixels")
    options = parser.parse_args()
    folder = options.folder
    problem = system_libraries.ensure() or opengl.missing()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    studio = PanelStudio(folder, SMALL if options.small else SIZE)
    for name, step in {
        "panel-run": load,
        "panel-region": choose_region,
        "panel-previews": run_previews,
        "panel-running": start,
        "panel-compare": look_at_result,
        "panel-swipe": show_swipe_view,
        "panel-planes": show_all_planes,
        "panel-added": show_added,
        "panel-error": show_error,
        "panel-fewer-views": reconstruct_few_views,
    }.items():
        step(studio)
        studio.take(name)
    return 0


def load(studio: PanelStudio) -> None:
    """The scan, and what to do with it."""
    from CTSuperResolutionPanel import sample_data

    slicer = studio.slicer
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    sample_data.download_phantom()
    studio.wait(lambda: slicer.mrmlScene.GetFirstNodeByName("Thorax phantom") is not None, "The phantom")
    studio.state.inputVolume = slicer.util.getNode("Thorax phantom")
    studio.state.scale, studio.state.preset = SCALE, PRESET
    studio.wait(lambda: studio.hardware.machine is not None, "A look at this computer")
    studio.panel.refresh()
    studio.wait(lambda: not studio.acquisitions.inspects(studio.state.inputVolume), "A look at the slices")
    studio.open_only(studio.ui.scanCollapsibleButton)
    studio.rest(0.5)  # views have their sizes only then
    slicer.util.resetSliceViews()


def choose_region(studio: PanelStudio) -> None:
    """A box, as it comes up."""
    studio.ui.useRoiCheckBox.click()


def run_previews(studio: PanelStudio) -> None:
    """Two previews at one place, the second with another setting."""
    ui, state = studio.ui, studio.state
    ui.useRoiCheckBox.click()
    studio.open_only(ui.scanCollapsibleButton, ui.previewsCollapsibleButton)
    studio.go_to(PLACE, 130.0)
    for settings in ({}, OTHER_SETTINGS):
        state.settings = json.dumps(settings)
        studio.rest(0.2)
        ui.previewButton.click()
        studio.finish_job()


def start(studio: PanelStudio) -> None:
    """A run of the whole scan, until it is half way."""
    ui, state = studio.ui, studio.state
    ui.hidePreviewsButton.click()
    state.settings = "{}"
    studio.open_only(ui.scanCollapsibleButton)
    studio.slicer.util.resetSliceViews()
    studio.rest(0.2)
    ui.applyButton.click()
    studio.wait(lambda: (studio.runner.progress.fraction or 0) > 0.4 or not studio.runner.busy, "Half of the job")


def look_at_result(studio: PanelStudio) -> None:
    """Cubic and super-resolved beside each other, as they come up; then in another plane, and closer."""
    studio.finish_job()
    studio.open_only(studio.ui.resultCollapsibleButton, studio.compare.compareCollapsibleButton)
    studio.compare.sagittalButton.click()
    studio.rest(0.5)
    studio.go_to(PLACE, 80.0)


def show_swipe_view(studio: PanelStudio) -> None:
    """One view with a divider, and the difference beside it."""
    studio.compare.axialButton.click()
    studio.compare.swipeButton.click()
    studio.compare.differenceButton.click()
    studio.wait(lambda: studio.compare.legend.visible, "The difference")
    studio.go_to(PLACE, 110.0)


def show_all_planes(studio: PanelStudio) -> None:
    """All three planes of both."""
    studio.compare.differenceButton.click()
    studio.compare.sideButton.click()
    studio.compare.allPlanesButton.click()
    studio.rest(0.5)
    studio.go_to(PLACE, 100.0)


def show_added(studio: PanelStudio) -> None:
    """What was added, in colours over the result."""
    studio.compare.axialButton.click()
    studio.compare.addedCheckBox.click()
    studio.wait(lambda: studio.slicer.mrmlScene.GetFirstNodeByName("Thorax phantom SR 4×, added"), "What was added")
    studio.go_to(PLACE, 110.0)


def show_error(studio: PanelStudio) -> None:
    """The slices made thinner alone, and how large the error may be, in colours over the result."""
    ui, compare = studio.ui, studio.compare
    compare.addedCheckBox.click()
    studio.state.scale, studio.state.settings = "4,1,1", json.dumps({"error": "yes"})
    studio.rest(0.2)
    ui.applyButton.click()
    studio.finish_job()
    compare.coronalButton.click()
    compare.errorCheckBox.click()
    studio.go_to(PLACE, 110.0)


def reconstruct_few_views(studio: PanelStudio) -> None:
    """The CT beside what two methods make of 24 views of it."""
    ui, compare = studio.fewer_views, studio.compare
    if compare.errorCheckBox.checked:
        compare.errorCheckBox.click()
    studio.open_only(ui.fewerViewsCollapsibleButton)
    ui.viewsSpinBox.value, studio.state.fewViewsVoxels = 24, 64
    studio.panel.refresh()
    ui.startButton.click()
    studio.wait(lambda: not studio.views.busy, "The reconstructions")
    if not studio.views.message.startswith("Done"):
        sys.exit("\n".join([*studio.views.log, studio.views.message]))
    studio.open_only(ui.fewerViewsCollapsibleButton)
    studio.rest(0.5)
    studio.go_to((0.0, 0.0, PLACE[2]), 220.0)


if __name__ == "__main__":
    sys.exit(main())
