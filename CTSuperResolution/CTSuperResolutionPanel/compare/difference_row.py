"""Difference row of the compare section: computes and shows the difference volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.compare.colors import COLORS, difference_table
from CTSuperResolutionPanel.compare.difference import Difference, find_difference, set_range
from CTSuperResolutionPanel.compare.display_link import display_node
from CTSuperResolutionPanel.process.stepper import Stepper
from CTSuperResolutionPanel.scene.voxel_geometry import ijk_to_ras


class DifferenceRow:
    """Button, range and legend of the difference. It is computed piece by piece, and again only when it must be.

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
        self._ui, self._on_ready, self._on_problem = ui, on_ready, on_problem
        self.node: slicer.vtkMRMLScalarVolumeNode | None = None
        self._stepper: Stepper | None = None
        self._computing: tuple | None = None
        self._made_from: dict[str, tuple] = {}
        ui.colorBar.setStyleSheet(_gradient())
        ui.rangeSpinBox.connect("valueChanged(int)", self._on_range)
        self._show_legend(False)

    @property
    def wanted(self) -> bool:
        """Whether the user asks for the difference."""
        return self._ui.differenceButton.checked

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Have the difference of the first two volumes ready soon, from earlier or anew."""
        first, second = volumes[:2]
        key = _state(first), _state(second)
        if self._stepper is not None and key == self._computing:
            return
        self.cancel()
        node = find_difference(first, second)
        if node is not None and self._made_from.get(node.GetID()) == key:
            self._ready(node)
            return
        try:
            work = Difference(first, second)
        except MemoryError:
            self._on_problem(_("There is not enough memory for the difference volume; close other volumes first."))
            return

        def done(_result: None) -> None:
            self._stepper = None
            target = node if node is not None and slicer.mrmlScene.IsNodePresent(node) else _new_node()
            work.write(target)
            self._made_from[target.GetID()] = key
            if target is not node:
                set_range(target, work.usual_range())
            self._ready(target)

        def failed(error: Exception) -> None:
            self._stepper = None
            self._on_problem(_("The difference could not be computed ({reason}).").format(reason=error))

        self._stepper = Stepper(work.steps(), done=done, failed=failed, progress=self._on_progress)
        self._computing = key
        self._stepper.start()

    def cancel(self) -> None:
        """Stop computing, and show no difference."""
        if self._stepper is not None:
            self._stepper.stop()
            self._stepper = None
        self.node = None
        self._show_legend(False)

    def _on_progress(self, done: float) -> None:
        button = self._ui.differenceButton
        button.toolButtonStyle = qt.Qt.ToolButtonTextOnly
        button.text = _("{percent} %").format(percent=round(100 * done))

    def _ready(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
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


def _new_node() -> slicer.vtkMRMLScalarVolumeNode:
    """A volume in diverging colours, still without an image: its histogram is not needed."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    display = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAutoWindowLevel(False)
    display.SetAndObserveColorNodeID(difference_table().GetID())
    node.SetAndObserveDisplayNodeID(display.GetID())
    return node


def _state(volume: slicer.vtkMRMLScalarVolumeNode) -> tuple:
    """What the difference depends on: changes with the voxels, the geometry and the transforms of the volume."""
    transforms = []
    transform = volume.GetParentTransformNode()
    while transform is not None:
        transforms.append((transform.GetID(), transform.GetTransformToWorldMTime()))
        transform = transform.GetParentTransformNode()
    return volume.GetID(), volume.GetImageData().GetMTime(), ijk_to_ras(volume).tobytes(), tuple(transforms)


def _gradient() -> str:
    """The legend's colours as a style sheet."""
    parts = np.linspace(0, 1, len(COLORS))
    stops = ", ".join(
        f"stop:{part:g} rgb({', '.join(str(round(255 * value)) for value in color)})"
        for part, color in zip(parts, COLORS, strict=True)
    )
    return f"background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {stops});"
