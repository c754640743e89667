"""Added row of the compare section: what a result has beyond what was measured, in colours over it, or taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.compare.colors import (
    added_table,
    cut_out,
    gradient,
    hide_legend,
    new_coloured_volume,
)
from CTSuperResolutionPanel.compare.difference import Difference, set_range
from CTSuperResolutionPanel.compare.difference_maker import DifferenceMaker
from CTSuperResolutionPanel.compare.held_key import HeldKey
from CTSuperResolutionPanel.scene.result_volumes import measured_of

KIND = "added"

KEY = "W"
"""Held, the results are shown without what was added. Not used by Slicer's views."""


class AddedRow:
    """Check box, threshold, range and legend of what was added, and the button and key that take it away.

    Args:
        ui: the panel's widgets.
        on_ready: called with a result and its added volume when that is there.
        on_without: called with whether the results are to be shown without what was added.
        on_problem: called with a sentence for the user.
    """

    def __init__(
        self,
        ui: Any,
        on_ready: Callable[[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode], None],
        on_without: Callable[[bool], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self._ui, self._on_ready, self._on_problem = ui, on_ready, on_problem
        self._key = HeldKey(KEY, ui.addedRow, on_without)
        self._makers: dict[str, DifferenceMaker] = {}
        self.nodes: list[slicer.vtkMRMLScalarVolumeNode] = []
        ui.withoutButton.connect("pressed()", lambda: on_without(True))
        ui.withoutButton.connect("released()", lambda: on_without(False))
        for spin_box in (ui.thresholdSpinBox, ui.addedRangeSpinBox):
            spin_box.connect("valueChanged(int)", lambda _value: self._color())
        self._color()
        self.refresh([], False)

    @property
    def wanted(self) -> bool:
        """Whether the user asks for the colours."""
        return self._ui.addedCheckBox.checked

    def refresh(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode | None], running: bool) -> None:
        """Show the row where one of the chosen volumes is a result of which it is known what was measured.

        There the key is alive as well, while volumes are compared.
        """
        known = any(volume is not None and measured_of(volume) is not None for volume in volumes)
        self._ui.addedRow.visible = known
        if known and running:
            self._key.start()
        else:
            self._key.stop()
        self._ui.addedLegend.visible = self._ui.thresholdSpinBox.visible = known and self.wanted
        self._ui.addedRangeSpinBox.visible = known and self.wanted

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Have what was added to these volumes ready soon, from earlier or anew."""
        self.nodes = [node for node in self.nodes if slicer.mrmlScene.IsNodePresent(node)]
        for volume in volumes:
            measured = measured_of(volume)
            if measured is None:
                continue
            if volume.GetID() not in self._makers:
                new_node = partial(new_coloured_volume, added_table())
                ready = partial(self._ready, volume)
                self._makers[volume.GetID()] = DifferenceMaker(KIND, new_node, ready, self._on_problem)
            name = _("{result}, added").format(result=volume.GetName())
            self._makers[volume.GetID()].make(measured, volume, name)

    def cancel(self) -> None:
        """Stop computing, and show no legend."""
        for maker in self._makers.values():
            maker.cancel()
        for node in self.nodes:
            if slicer.mrmlScene.IsNodePresent(node):
                hide_legend(node)

    def _ready(
        self, volume: slicer.vtkMRMLScalarVolumeNode, node: slicer.vtkMRMLScalarVolumeNode, _computed: Difference | None
    ) -> None:
        if node not in self.nodes:
            self.nodes.append(node)
        self._color()
        self._on_ready(volume, node)

    def _color(self) -> None:
        """Have the colours begin at the threshold and end at the range, which is never below it."""
        ui = self._ui
        threshold, limit = ui.thresholdSpinBox.value, max(ui.addedRangeSpinBox.value, ui.thresholdSpinBox.value)
        if self.nodes:
            cut_out(added_table(), threshold / limit)
        for node in self.nodes:
            if slicer.mrmlScene.IsNodePresent(node):
                set_range(node, limit)
        ui.addedBar.setStyleSheet(gradient(threshold / limit))
        # The unit once: beside both numbers there is no room for it twice.
        ui.addedLow.text, ui.addedHigh.text = f"−{limit}", _("+{limit} HU").format(limit=limit)
