"""Profile row of the compare section: draws a line and plots the profile along it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.compare.profile import Profile


class ProfileRow:
    """Selector of the line and button that draws one.

    Args:
        ui: the panel's widgets.
        on_line_changed: called when another line, or none, is chosen.
    """

    def __init__(self, ui: Any, on_line_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._profile: Profile | None = None
        ui.lineSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: on_line_changed())
        ui.drawLineButton.connect("clicked()", self._draw)

    @property
    def wanted(self) -> bool:
        """Whether a line is chosen, and its plot needs room."""
        return self._ui.lineSelector.currentNode() is not None

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> slicer.vtkMRMLPlotChartNode:
        """Plot the chosen line through these volumes."""
        if self._profile is None:
            self._profile = Profile()
        self._profile.follow(self._ui.lineSelector.currentNode(), volumes)
        return self._profile.chart

    def stop(self) -> None:
        """Follow the line no more, and place no points any more."""
        if self._profile is not None:
            self._profile.stop()
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if self.wanted and interaction.GetCurrentInteractionMode() == interaction.Place:
            interaction.SwitchToViewTransformMode()

    def forget(self) -> None:
        """The scene closes: plot and table go with it."""
        self.stop()
        self._profile = None

    def _draw(self) -> None:
        scene, logic = slicer.mrmlScene, slicer.app.applicationLogic()
        line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", scene.GenerateUniqueName(_("Profile")))
        line.CreateDefaultDisplayNodes()
        self._ui.lineSelector.setCurrentNode(line)
        selection = logic.GetSelectionNode()
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsLineNode")
        selection.SetActivePlaceNodeID(line.GetID())
        logic.GetInteractionNode().SwitchToSinglePlaceMode()
