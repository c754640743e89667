"""CT Super-Resolution: pick a scan and a scale, press Apply, keep working, compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from CTSuperResolutionPanel.panel import Panel
    from CTSuperResolutionPanel.panel_state import PanelState


class CTSuperResolution(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: qt.QObject) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("CT Super-Resolution")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        parent.dependencies = ["Colors", "Markups", "SubjectHierarchy", "VolumeRendering", "Volumes"]
        parent.contributors = ["CTSuperResolution contributors"]
        parent.helpText = _(
            "Makes a finer volume of a CT: zero-shot, with a diffusion prior for its projections and signed 3D "
            "Gaussians, in a background process. After Noh, Oh and Jeong, <i>Zero-shot CT Super-Resolution using "
            "Diffusion-based 2D Projection Priors and Signed 3D Gaussians</i>, "
            '<a href="https://arxiv.org/abs/2508.15151">arXiv 2508.15151</a>.<br><br>'
            "Choose a volume, a scale and a quality, press Apply and keep working; super-resolved and cubic open side "
            "by side. “Try here” does a small cube in seconds.<br><br>"
            "<b>For research. Not for diagnosis.</b> The result holds structure that the scan did not measure."
        )
        parent.acknowledgementText = _("Cite the paper above when you use the method.")
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Offer scans to try the module with, in the Sample Data module."""
    from CTSuperResolutionPanel import sample_data

    sample_data.register()


class CTSuperResolutionWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Hands the panel its place and the state that the scene has."""

    def __init__(self, parent: qt.QWidget | None = None) -> None:
        self.panel: Panel | None = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Called when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        from CTSuperResolutionPanel.panel import Panel
        from CTSuperResolutionPanel.scene.observing import AFTER_SELECTORS

        self.logic = CTSuperResolutionLogic()
        ui_widget = slicer.util.loadUI(self.resourcePath("UI/CTSuperResolution.ui"))
        self.layout.addWidget(ui_widget)
        ui_widget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(ui_widget)
        self.panel = Panel(self.ui, self.logic.runner, self.logic.hardware, self.logic.acquisitions, self.logic.views)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport, priority=AFTER_SELECTORS)
        slicer.app.connect("aboutToQuit()", self.cleanup)
        self.panel.set_state(self.logic.getParameterNode())
        if self.parent.isEntered:  # reloaded while it is shown: nobody calls enter()
            self.panel.enter()

    def onReload(self) -> None:
        """Called by the developer's button: what the module is made of is to be read anew, too."""
        parts = ("CTSuperResolutionPanel", "CTSuperResolutionLib")
        for name in [name for name in sys.modules if name.split(".")[0] in parts]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def cleanup(self) -> None:
        """Called when the module is reloaded, and perhaps twice when Slicer quits."""
        if self.panel is None:
            return
        slicer.app.disconnect("aboutToQuit()", self.cleanup)
        self.removeObservers()
        self.logic.shut_down()
        self.panel.cleanup()
        self.panel = None

    def enter(self) -> None:
        """Called whenever the module is shown."""
        if self.panel is not None:
            self.panel.set_state(self.logic.getParameterNode())
            self.panel.enter()

    def exit(self) -> None:
        """Called whenever another module is shown, even after cleanup()."""
        if self.panel is not None:
            self.panel.exit()

    def onSceneStartClose(self, caller: object, event: object) -> None:
        """The state goes with the scene."""
        if self.panel is not None:
            self.panel.set_state(None)

    def onSceneEndClose(self, caller: object, event: object) -> None:
        """A new scene has a state of its own, perhaps in the same node."""
        if self.panel is not None:
            self.panel.set_state(None)
            if self.panel.entered:
                self.panel.set_state(self.logic.getParameterNode())

    def onSceneStartImport(self, caller: object, event: object) -> None:
        """The state's node may be written over, without a word."""
        if self.panel is not None:
            self.panel.scene_imports()

    def onSceneEndImport(self, caller: object, event: object) -> None:
        """More is in the scene now, perhaps a state."""
        if self.panel is not None:
            self.panel.scene_imported(self.logic.getParameterNode)


class CTSuperResolutionLogic(ScriptedLoadableModuleLogic):
    """Runs jobs, with the panel or without it."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        from CTSuperResolutionPanel import install
        from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector
        from CTSuperResolutionPanel.process.hardware import Hardware
        from CTSuperResolutionPanel.process.runner import Runner
        from CTSuperResolutionPanel.process.views_run import ViewsRun

        def find_python() -> Path | None:
            return install.ensure(slicer.util.mainWindow())

        self.acquisitions = AcquisitionInspector()
        self.runner = Runner(
            find_python,
            forget_python=install.forget,
            entries_of=self.acquisitions.entries,
        )
        self.views = ViewsRun(find_python)
        self.hardware = Hardware()

    def getParameterNode(self) -> PanelState:
        """The choices that are saved with the scene."""
        from CTSuperResolutionPanel.panel_state import PanelState

        return PanelState(super().getParameterNode())

    def shut_down(self) -> None:
        """Stop what runs in the background and leave nothing behind."""
        self.runner.shut_down()
        self.views.shut_down()
        self.acquisitions.stop()
        self.hardware.stop()


class CTSuperResolutionTest(ScriptedLoadableModuleTest):
    """The self test: a small phantom from the scene to its results."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all of it."""
        from CTSuperResolutionPanel import self_test

        self.setUp()
        self.delayDisplay(_("Super-resolving a phantom"))
        self_test.super_resolve_phantom(self)
        self.delayDisplay(_("Test passed"))
