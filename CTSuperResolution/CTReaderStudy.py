"""CT Reader Study: design a study of readers, read it, analyse it."""

from __future__ import annotations

import sys
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

if TYPE_CHECKING:
    from CTReaderStudyPanel.panel import Panel


class CTReaderStudy(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: qt.QObject) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("CT Reader Study")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        parent.dependencies = ["Markups", "SubjectHierarchy", "Volumes"]
        parent.contributors = ["CTSuperResolution contributors"]
        parent.helpText = _(
            "Blinded studies of readers: is one kind of CT image better than another, and by how much?<br><br>"
            "<b>Read</b> shows a study's cases one by one and takes your answers by keys. <b>Analyse</b> makes the "
            "report. <b>Design</b> makes a study of a folder of cases."
        )
        parent.acknowledgementText = _("Part of CT Super-Resolution. For research, not for diagnosis.")


class CTReaderStudyWidget(ScriptedLoadableModuleWidget):
    """Hands the panel its place."""

    def __init__(self, parent: qt.QWidget | None = None) -> None:
        self.panel: Panel | None = None
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Called when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        from CTReaderStudyPanel.panel import Panel

        self.logic = CTReaderStudyLogic()
        ui_widget = slicer.util.loadUI(self.resourcePath("UI/CTReaderStudy.ui"))
        self.layout.addWidget(ui_widget)
        ui_widget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(ui_widget)
        self.panel = Panel(self.ui)
        slicer.app.connect("aboutToQuit()", self.cleanup)

    def onReload(self) -> None:
        """Called by the developer's button: what the module is made of is to be read anew, too."""
        for name in [name for name in sys.modules if name.split(".")[0] == "CTReaderStudyPanel"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def cleanup(self) -> None:
        """Called when the module is reloaded, and perhaps twice when Slicer quits."""
        if self.panel is None:
            return
        slicer.app.disconnect("aboutToQuit()", self.cleanup)
        self.panel.cleanup()
        self.panel = None

    def exit(self) -> None:
        """Called whenever another module is shown, even after cleanup()."""
        if self.panel is not None:
            self.panel.exit()


class CTReaderStudyLogic(ScriptedLoadableModuleLogic):
    """All work is the library's and the panel's."""


class CTReaderStudyTest(ScriptedLoadableModuleTest):
    """The self test: the module opens with an empty scene."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all of it."""
        self.setUp()
        slicer.util.selectModule("CTReaderStudy")
        self.assertIsNotNone(slicer.util.getModuleWidget("CTReaderStudy").panel)
        self.delayDisplay(_("Test passed"))
