"""Fewer views section: what a scan with few views would show of the CT, by several methods, with figures."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionLib.reconstruction.methods import METHODS
from CTSuperResolutionLib.reconstruction.simulated_scan import BEAMS
from CTSuperResolutionPanel.panel_state import PanelState
from CTSuperResolutionPanel.process.error_messages import in_panel_words
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.process.views_run import ViewsRun, expected_seconds
from CTSuperResolutionPanel.process.views_task import SIMULATE, ViewsTask
from CTSuperResolutionPanel.scene.reconstructions import Reconstruction, find_reconstructions, method_title
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement
from CTSuperResolutionPanel.sections.choices import NotReady, views_task
from CTSuperResolutionPanel.sections.estimate import duration_text
from CTSuperResolutionPanel.sections.process_log import show_log
from CTSuperResolutionPanel.sections.task_progress import TaskProgress
from CTSuperResolutionPanel.sections.wrapped_text import set_wrapped_text

UI_FILE = Path(__file__).parents[2] / "Resources" / "UI" / "FewerViews.ui"

VOXELS = (64, 96, 128)
"""Along the longest side."""

PHOTONS = ("100000", "10000", "1000", "0")

ROW_HEIGHT, MOST_ROWS, FRAME = 22, 6, 8
"""Of the table: pixels of a row, rows that are seen at once, and pixels around them."""

MOST_COMPARED = 2
"""Reconstructions beside the CT: the comparison has three places."""


class FewerViewsSection:
    """The part of the panel for reconstructions from few views.

    Args:
        parent_layout: where the section is added.
        run: does the work.
        compare: shows the CT and one or two of its reconstructions.

    Attributes:
        widget: the section.
    """

    def __init__(self, parent_layout: qt.QBoxLayout, run: ViewsRun, compare: Callable[..., None]) -> None:
        self.widget = slicer.util.loadUI(str(UI_FILE))
        parent_layout.addWidget(self.widget)
        ui = self._ui = slicer.util.childWidgetVariables(self.widget)
        self._run, self._compare = run, compare
        self._state: PanelState | None = None
        self._task: ViewsTask | None = None
        self._listed: list[Reconstruction] = []
        self._combos: dict[str, Any] = {
            "fewViewsBeam": ui.beamComboBox,
            "fewViewsPhotons": ui.photonsComboBox,
            "fewViewsVoxels": ui.voxelsComboBox,
        }
        offered: dict[str, Sequence[str | int]] = {
            "fewViewsBeam": BEAMS, "fewViewsPhotons": PHOTONS, "fewViewsVoxels": VOXELS
        }  # fmt: skip
        for name, combo in self._combos.items():
            for value in offered[name]:
                combo.addItem(_title(name, value), value)
            combo.connect("activated(int)", lambda index, name=name: self._chosen(name, index))
        self._boxes = {name: qt.QCheckBox(method_title(name)) for name in METHODS}
        for number, (name, box) in enumerate(self._boxes.items()):
            box.objectName = f"{name}CheckBox"
            box.toolTip = _tool_tip(name)
            box.connect("clicked(bool)", lambda checked: self._methods_chosen())
            ui.methodsPlace.layout().addWidget(box, number // 3, number % 3)
        table = ui.reconstructionsTable
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels([_("Scan"), _("Method"), _("PSNR, dB"), _("SSIM"), _("Time")])
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", self._enable_compare)
        self._progress = TaskProgress(
            ui.startButton,
            ui.progressBar,
            start=_("Scan and reconstruct"),
            start_tip=_("Scan the CT with these views and reconstruct it, in the background."),
            cancel_tip=_("Stop the work; nothing of it is kept."),
        )
        ui.startButton.connect("clicked(bool)", lambda checked: self.start())
        ui.compareButton.connect("clicked(bool)", lambda checked: self.compare_chosen())
        ui.logButton.connect("toggled(bool)", lambda shown: show_log(ui, run.log))
        run.on_change(self.show_run)
        run.on_placed(self._placed)
        self._list([])
        self.show_run()

    def set_state(self, state: PanelState | None) -> None:
        """Show and change that state from now on."""
        self._state = state
        if state is None:
            self._task = None
            self._list([])
        else:
            state.connect_widgets(self._ui)

    def start(self) -> None:
        """Begin what the panel describes, or cancel what runs."""
        if self._run.busy:
            self._run.cancel()
            return
        self.refresh()
        if self._task is not None:
            self._run.start(self._task)

    def refresh(self) -> None:
        """Show what the state comes to, and which reconstructions there are."""
        state, ui = self._state, self._ui
        if state is None:
            return
        for name, combo in self._combos.items():
            combo.setCurrentIndex(combo.findData(getattr(state, name)))
        for name, box in self._boxes.items():
            box.checked = name in state.fewViewsMethods.split(",")
        self._task, line = None, ""
        try:
            task = views_task(state)
            grid = task.grid(ScanPlacement.of(state.inputVolume))
            size = " × ".join(map(str, reversed(grid.shape)))
            duration = duration_text(sum(expected_seconds(task, grid).values()))
            line = _("{size} voxels of {spacing:.3g} mm · {duration}").format(
                size=size, spacing=grid.millimetres, duration=duration
            )
            self._task = task
        except NotReady as missing:
            line = f"<b>{html.escape(str(missing))}</b>"
        except JobError as error:
            line = f"<b>{html.escape(in_panel_words(error))}</b>"
        set_wrapped_text(ui.estimateLabel, line)
        there = find_reconstructions()
        if [each.node.GetID() for each in there] != [each.node.GetID() for each in self._listed]:
            self._list(there)
        self._enable_compare()
        self.show_run()

    def show_run(self) -> None:
        """Show how far the work is."""
        ui, run = self._ui, self._run
        self._progress.show_button(run.state, busy=run.busy, ready=self._task is not None)
        self._progress.show_bar(
            run.state, busy=run.busy, fraction=run.fraction, doing=self._doing(), remaining=run.remaining
        )
        failed = run.state is RunnerState.FAILED
        ui.messageLabel.text = f"<b>{html.escape(run.message)}</b>" if failed else run.message
        ui.messageLabel.visible = bool(run.message)
        ui.logButton.visible = bool(run.log)
        show_log(ui, run.log)

    def compare_chosen(self) -> None:
        """Show the rows that are chosen beside the CT that they were made of."""
        chosen = self._comparable()
        if chosen:
            self._compare(chosen[0].truth, *(each.node for each in chosen))

    def _doing(self) -> str:
        """The step, and its stage."""
        run = self._run
        if run.step == SIMULATE:
            return _("Scanning")
        return ", ".join([method_title(run.step), *([_stage_title(run.stage)] if run.stage else [])])

    def _placed(self, new: list[Reconstruction]) -> None:
        """Take up new ones: the best two are chosen, and compared."""
        self._list(find_reconstructions())
        best = sorted(new, key=lambda each: -each.scores.get("psnr_db", 0.0))[:MOST_COMPARED]
        ids = {each.node.GetID() for each in best}
        table = self._ui.reconstructionsTable
        for row, each in enumerate(self._listed):
            if each.node.GetID() in ids:
                for column in range(table.columnCount):
                    table.item(row, column).setSelected(True)
        self.compare_chosen()

    def _list(self, there: list[Reconstruction]) -> None:
        """Fill the table."""
        self._listed = there
        ui, table = self._ui, self._ui.reconstructionsTable
        table.clearSelection()
        table.setRowCount(len(there))
        for row, each in enumerate(there):
            for column, text in enumerate(_cells(each)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(each.node.GetName())
                table.setItem(row, column, item)
        # As high as it has rows, and no higher than a few: the button below stays near.
        table.setFixedHeight(ROW_HEIGHT * (1 + min(len(there), MOST_ROWS)) + FRAME)
        table.visible = ui.compareButton.visible = bool(there)
        self._enable_compare()

    def _rows(self) -> list[Reconstruction]:
        """What is chosen in the table."""
        rows = {item.row() for item in self._ui.reconstructionsTable.selectedItems()}
        return [each for row, each in enumerate(self._listed) if row in rows]

    def _comparable(self) -> list[Reconstruction]:
        """What is chosen, where it can be compared."""
        chosen, scene = self._rows(), slicer.mrmlScene
        nodes = [node for each in chosen for node in (each.node, each.truth)]
        whole = all(node is not None and scene.IsNodePresent(node) for node in nodes)
        return chosen if whole and len(chosen) <= MOST_COMPARED else []

    def _enable_compare(self) -> None:
        self._ui.compareButton.enabled = bool(self._comparable())

    def _chosen(self, name: str, index: int) -> None:
        if self._state is not None:
            setattr(self._state, name, self._combos[name].itemData(index))

    def _methods_chosen(self) -> None:
        if self._state is not None:
            self._state.fewViewsMethods = ",".join(name for name, box in self._boxes.items() if box.checked)


def _cells(each: Reconstruction) -> Sequence[str]:
    """A row of the table."""
    psnr, ssim = (each.scores.get(name) for name in ("psnr_db", "ssim_3d"))
    return (
        each.views,
        method_title(each.method),
        "–" if psnr is None else f"{psnr:.2f}",
        "–" if ssim is None else f"{ssim:.3f}",
        "–" if each.seconds is None else _seconds_text(each.seconds),
    )


def _seconds_text(seconds: float) -> str:
    return _("{count:.1f} s").format(count=seconds) if seconds < 60 else clock_text(seconds)


def _title(name: str, value: str | int) -> str:
    """An entry of a list."""
    if name == "fewViewsVoxels":
        return _("{count} voxels along the longest side").format(count=value)
    return {
        "cone": _("Cone beam"),
        "parallel": _("Parallel beam"),
        "100000": _("100,000 photons a pixel and view"),
        "10000": _("10,000 – a tenth"),
        "1000": _("1,000 – a hundredth"),
        "0": _("No noise at all"),
    }[str(value)]


def _tool_tip(method: str) -> str:
    return {
        "fdk": _("Filtered backprojection: at once, with streaks."),
        "sart": _("Iterative: the volume is brought to agree with view after view."),
        "asd-pocs": _("As SART, with as little variation between neighbours as the views allow."),
        "gaussians": _("A field of 3D Gaussians, fitted to the views."),
        "naf": _("A small neural network, fitted to the views ray by ray: slow without a GPU."),
        "diffnr": _("Gaussians whose slices a trained network repairs during the fit. It may invent structure."),
    }.get(method, METHODS[method])


def _stage_title(stage: str) -> str:
    """What a stage of a reconstruction is called."""
    return {
        "load": _("reading"),
        "filter": _("filtering"),
        "fit": _("fitting"),
        "repair": _("repairing slices"),
        "compare": _("comparing"),
        "write": _("writing"),
    }.get(stage, stage)
