"""Difference row of the compare section: shows the difference of the first two volumes, and its legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.compare.colors import difference_table, gradient, new_coloured_volume
from CTSuperResolutionPanel.compare.difference import Difference, set_range
from CTSuperResolutionPanel.compare.difference_maker import DifferenceMaker
from CTSuperResolutionPanel.compare.display_link import display_node

KIND = "difference"


class DifferenceRow:
    """Button, range and legend of the difference.

    Args:
        ui: the panel's widgets.
        on_ready: called with the difference volume when it is there.
        on_problem: called with a sentence for the user.

    Attributes:
        node: the difference volume now shown, if any.
    """

    def __init__(
        self,
        ui: Any,
        on_ready: Callable[[slicer.vtkMRMLScalarVolumeNode], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self._ui, self._on_ready = ui, on_ready
        self.node: slicer.vtkMRMLScalarVolumeNode | None = None
        new_node = lambda: new_coloured_volume(difference_table())  # noqa: E731
        self._maker = DifferenceMaker(KIND, new_node, self._ready, on_problem, self._on_progress)
        ui.colorBar.setStyleSheet(gradient())
        ui.rangeSpinBox.connect("valueChanged(int)", self._on_range)
        self._show_legend(False)

    @property
    def wanted(self) -> bool:
        """Whether the user asks for the difference."""
        return self._ui.differenceButton.checked

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Have the difference of the first two volumes ready soon, from earlier or anew."""
        self._maker.make(*volumes[:2])

    def cancel(self) -> None:
        """Stop computing, and show no difference."""
        self._maker.cancel()
        self.node = None
        self._show_legend(False)

    def _on_progress(self, done: float) -> None:
        button = self._ui.differenceButton
        button.toolButtonStyle = qt.Qt.ToolButtonTextOnly
        button.text = _("{percent} %").format(percent=round(100 * done))

    def _ready(self, node: slicer.vtkMRMLScalarVolumeNode, computed: Difference | None) -> None:
        if computed is not None:
            set_range(node, computed.usual_range())
        self.node = node
        was = self._ui.rangeSpinBox.blockSignals(True)
        self._ui.rangeSpinBox.value = round(display_node(node).GetWindow() / 2)
        self._ui.rangeSpinBox.blockSignals(was)
        self._show_legend(True)
        self._on_ready(node)

    def _on_range(self, limit: int) -> None:
        if self.node is not None and slicer.mrmlScene.IsNodePresent(self.node):
            set_range(self.node, limit)
        self._show_legend(self.node is not None)

    def _show_legend(self, visible: bool) -> None:
        ui = self._ui
        ui.differenceButton.toolButtonStyle = qt.Qt.ToolButtonIconOnly
        ui.differenceButton.text = _("Difference")
        ui.differenceRow.visible = visible
        ui.legendLow.text = _("−{limit} HU").format(limit=ui.rangeSpinBox.value)
        ui.legendHigh.text = _("+{limit} HU").format(limit=ui.rangeSpinBox.value)
