"""Error row of the compare section: how large the error of a result may be, in colours over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer

from CTSuperResolutionPanel.compare.colors import color_errors, error_table, hide_legend
from CTSuperResolutionPanel.compare.user_settings import DisplaySettings
from CTSuperResolutionPanel.scene.result_volumes import error_of

LEAST_RANGE = 200
"""Where the colours end, HU, or at twice the threshold."""


class ErrorRow:
    """Check box and threshold of the colours.

    Args:
        ui: the panel's widgets.
        lay_over: called with a result and the volume of its error, in its colours.
    """

    def __init__(
        self, ui: Any, lay_over: Callable[[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode], None]
    ) -> None:
        self._ui, self._lay_over = ui, lay_over
        self._shown: dict[slicer.vtkMRMLScalarVolumeNode, str | None] = {}  # with the ids of their own colours
        self._before: DisplaySettings | None = None
        ui.errorThresholdSpinBox.connect("valueChanged(int)", lambda _value: self._color())
        self.refresh([])

    @property
    def wanted(self) -> bool:
        """Whether the user asks for the colours."""
        return self._ui.errorCheckBox.checked

    def refresh(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode | None]) -> None:
        """Show the row where one of the chosen volumes is a result of which it is known."""
        known = any(volume is not None and error_of(volume) is not None for volume in volumes)
        self._ui.errorRow.visible = known
        self._ui.errorThresholdSpinBox.visible = known and self.wanted

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Lay it over those of these volumes of which it is known."""
        self.cancel()
        found = [(volume, error) for volume in volumes if (error := error_of(volume)) is not None]
        self._shown = {error: error.GetDisplayNode().GetColorNodeID() for _volume, error in found}
        self._before = DisplaySettings([*self._shown])
        self._color()
        for volume, error in found:
            self._lay_over(volume, error)

    def cancel(self) -> None:
        """Show no legend, and the volumes in their own colours again."""
        for node, color_id in self._shown.items():
            if slicer.mrmlScene.IsNodePresent(node):
                hide_legend(node)
                node.GetDisplayNode().SetAndObserveColorNodeID(color_id)
        if self._before is not None:
            self._before.restore()
        self._shown, self._before = {}, None

    def _color(self) -> None:
        threshold = self._ui.errorThresholdSpinBox.value
        limit = max(LEAST_RANGE, 2 * threshold)
        if self._shown:
            color_errors(error_table(), threshold / limit)
        for node in self._shown:
            display = node.GetDisplayNode()
            display.SetAndObserveColorNodeID(error_table().GetID())
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(limit, limit / 2)
