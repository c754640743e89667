"""Comparison on the screen: takes the views over, fills them, and restores what was there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import slicer
import vtk
from slicer.util import VTKObservationMixin

from CTSuperResolutionPanel.compare.captions import Captions
from CTSuperResolutionPanel.compare.display_link import DisplayLink
from CTSuperResolutionPanel.compare.flicker import rotated
from CTSuperResolutionPanel.compare.layouts import (
    COLORS,
    DIFFERENCE,
    PLOT_VIEW,
    SWIPE,
    VOLUMES_3D,
    Arrangement,
    is_our_layout,
)
from CTSuperResolutionPanel.compare.profile import rgb
from CTSuperResolutionPanel.compare.rendering import Renderings, link_cameras
from CTSuperResolutionPanel.compare.slice_view import SliceView
from CTSuperResolutionPanel.compare.swipe_view import SwipeView
from CTSuperResolutionPanel.compare.user_settings import (
    DisplaySettings,
    UserSettings,
    crosshair_node,
    layout_node,
    show_arrangement,
)
from CTSuperResolutionPanel.compare.view_placement import ViewPlacement
from CTSuperResolutionPanel.scene.result_volumes import measured_of

LEAST_WIDTH = 160
"""Of a slice view, pixels. Slicer takes that of all that is in the view's bar, and with three beside each other the
window would be wider than a laptop's screen."""

OVER_OPACITY = 0.7
"""Of the colours over a result, where there are any."""


class Comparison(VTKObservationMixin):
    """Two or three volumes in linked views.

    Args:
        on_ended: called when the comparison ended because the user chose another layout.
        on_divider_moved: called with the divider's new position, 0 to 1, when the user drags it in a view.

    Attributes:
        volumes: what is compared; empty when nothing is.
        displays: keeps the volumes' window and interpolation the same.
    """

    def __init__(self, on_ended: Callable[[], None], on_divider_moved: Callable[[float], None]) -> None:
        super().__init__()
        self._on_ended, self._on_divider_moved = on_ended, on_divider_moved
        self.volumes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self.displays = DisplayLink()
        self._arrangement = Arrangement()
        self._difference: slicer.vtkMRMLScalarVolumeNode | None = None
        self._over: dict[str, slicer.vtkMRMLScalarVolumeNode] = {}  # by the result's id
        self._without = False
        self._turns, self._position = 0, 0.5
        self._views: list[SliceView] = []
        self._swipe_views: list[SwipeView] = []
        self._captions: dict[str, Captions] = {}
        self._placement = ViewPlacement()
        self._renderings = Renderings()
        self._user: UserSettings | None = None
        self._users_displays: DisplaySettings | None = None
        self._own_displays: tuple[list[str], DisplaySettings] | None = None
        self._camera_placed = False
        self._busy = False

    @property
    def running(self) -> bool:
        """Whether the views show a comparison now."""
        return bool(self.volumes)

    def show(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode], arrangement: Arrangement) -> None:
        """Show these volumes in this arrangement, instead of what was shown."""
        self._busy = True  # the layout changes by our own doing
        try:
            if not self.running:
                self._user = UserSettings()
                self._observe()
            if [*volumes] != self.volumes:
                self._take_volumes([*volumes])
            self._arrange(arrangement)
        finally:
            self._busy = False

    def stop(self) -> None:
        """Give the user's layout and settings back."""
        if not self.running:
            return
        self._busy = True
        try:
            self.removeObservers()
            self._undecorate()
            self._placement.release()
            self._replace_views([])
            self._renderings.hide()
            self.displays.disconnect()
            existing = [volume for volume in self.volumes if slicer.mrmlScene.IsNodePresent(volume)]
            self._own_displays = [volume.GetID() for volume in existing], DisplaySettings(existing)
            self.volumes, self._difference, self._over, self._without = [], None, {}, False
            for settings in (self._users_displays, self._user):
                if settings is not None:
                    settings.restore()
        finally:
            self._busy = False

    def forget_place(self) -> None:
        """Start at the user's slices next time, and not where the last comparison was."""
        self._placement.forget()
        self._camera_placed = False

    def flicker(self) -> None:
        """Let every volume move up one place."""
        if self.running:
            self._turns += 1
            self._fill()

    def move_divider(self, position: float) -> None:
        """Put the dividers at a part of the views' width, 0 to 1."""
        self._position = position
        for swipe_view in self._swipe_views:
            swipe_view.move(position)

    def refill(self) -> None:
        """Show the volumes again in views that were emptied."""
        if self.running:
            self._fill()

    def set_difference(self, volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """What the views for the difference show."""
        self._difference = volume
        self._fill()

    def lay_over(self, result: slicer.vtkMRMLScalarVolumeNode, colours: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Have a volume lie over a result, in its colours."""
        self._over[result.GetID()] = colours
        self.refill()

    def clear(self) -> None:
        """Have nothing lie over any result."""
        self._over = {}
        self.refill()

    def show_without_added(self, without: bool) -> None:
        """Show what was measured in the place of results."""
        if self._without != without:
            self._without = without
            self.refill()

    def views_with(self, colours: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
        """Ids of the views that have this over a result."""
        return [view.node.GetID() for view in self._views if view.layers.GetForegroundVolumeID() == colours.GetID()]

    def difference_view_ids(self) -> list[str]:
        """Ids of the views that show the difference."""
        return [view.node.GetID() for view in self._views if view.cell.content == DIFFERENCE]

    def set_crosshair(self, visible: bool) -> None:
        """Show the crosshair in all views or in none."""
        node = crosshair_node()
        node.SetCrosshairMode(node.ShowBasic if visible else node.NoCrosshair)

    def show_chart(self, chart: slicer.vtkMRMLPlotChartNode) -> None:
        """Show a plot below the views, where the arrangement has room for one."""
        view = slicer.mrmlScene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
        if view is not None:
            view.SetSaveWithScene(False)
            view.SetPlotChartNodeID(chart.GetID())

    def _take_volumes(self, volumes: list[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Link other volumes, in the window that is on the screen or that they had when they were last compared."""
        window = self.displays.window()
        self.displays.disconnect()
        if self._users_displays:
            self._users_displays.restore()
        self.volumes, self._turns = volumes, 0
        measured = [found for volume in volumes if (found := measured_of(volume)) and found not in volumes]
        self._users_displays = DisplaySettings([*volumes, *measured])
        if self._own_displays and self._own_displays[0] == [volume.GetID() for volume in volumes]:
            self._own_displays[1].restore()
        self.displays.connect([*volumes, *measured])
        if window is not None:
            self.displays.set_window(*window)

    def _arrange(self, arrangement: Arrangement) -> None:
        self._undecorate()
        self._placement.release()
        self._arrangement = arrangement
        show_arrangement(arrangement)
        if arrangement.kind == VOLUMES_3D:
            self._replace_views([])
            self._show_renderings()
            return
        self._renderings.hide()
        self._replace_views([SliceView(cell) for cell in arrangement.cells()])
        self._fill()
        self._placement.take(self._views, self.volumes)
        self._decorate()

    def _replace_views(self, views: list[SliceView]) -> None:
        """Have other slice views. Those that go are emptied: where one still shows a volume that is deleted, Slicer
        shows the next volume in it and in all that are linked to it.
        """
        kept = {view.cell.view for view in views}
        for view in self._views:
            if view.cell.view not in kept:
                view.show(None)
        self._views = views
        for view in views:
            view.prepare()
            slicer.app.layoutManager().sliceWidget(view.cell.view).minimumWidth = LEAST_WIDTH

    def _fill(self) -> None:
        """Put the volumes into the views, by their places after flickering."""
        volumes = rotated(self.volumes, self._turns)
        shown = [self._shown(volume) for volume in volumes]
        for view in self._views:
            if view.cell.content == DIFFERENCE:
                view.show(self._difference)
            elif self._arrangement.kind == SWIPE:
                view.show(shown[0], shown[1])
            else:
                over = self._over.get(shown[view.cell.content].GetID())
                view.show(shown[view.cell.content], over, opacity=OVER_OPACITY if over else 0.0)
        self._write_captions()

    def _shown(self, volume: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
        """The volume itself, or what was measured of it."""
        return (measured_of(volume) if self._without else None) or volume

    def _decorate(self) -> None:
        """Add dividers and names to the views."""
        layouts = slicer.app.layoutManager()
        for view in self._views:
            widget = layouts.sliceWidget(view.cell.view).sliceView()
            self._captions[view.cell.view] = Captions(widget)
            if self._arrangement.kind == SWIPE and view.cell.content != DIFFERENCE:
                swipe_view = SwipeView(view, widget, self._on_divider_moved)
                swipe_view.move(self._position)
                self._swipe_views.append(swipe_view)
        self._write_captions()

    def _undecorate(self) -> None:
        for swipe_view in self._swipe_views:
            swipe_view.remove()
        for captions in self._captions.values():
            captions.remove()
        self._swipe_views, self._captions = [], {}

    def _write_captions(self) -> None:
        """Name what each view shows; a volume keeps its colour wherever it moves."""
        volumes = rotated(self.volumes, self._turns)
        for cell in self._arrangement.cells():
            captions = self._captions.get(cell.view)
            if captions is None:
                continue
            if cell.content == DIFFERENCE:
                shown = [self._difference] if self._difference else []
            elif self._arrangement.kind == SWIPE:
                shown = volumes[:2]
            else:
                shown = [volumes[cell.content]]
            captions.write([(self._shown(volume).GetName(), self._color(volume)) for volume in shown])

    def _color(self, volume: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float, float]:
        place = self.volumes.index(volume) if volume in self.volumes else DIFFERENCE
        return rgb(COLORS[place])

    def _show_renderings(self) -> None:
        layouts = slicer.app.layoutManager()
        cells = self._arrangement.cells()
        widgets = [layouts.threeDWidget(index) for index in range(layouts.threeDViewCount)]
        by_name = {widget.mrmlViewNode().GetLayoutName(): widget.threeDView() for widget in widgets}
        views = [by_name[cell.view] for cell in cells]
        self._renderings.show(self.volumes, cells)
        link_cameras(cells, views, reset=not self._camera_placed)
        self._camera_placed = True
        self._captions = {cell.view: Captions(view) for cell, view in zip(cells, views, strict=True)}
        self._write_captions()

    def _observe(self) -> None:
        self.addObserver(layout_node(), vtk.vtkCommand.ModifiedEvent, self._on_layout_modified)

    def _on_layout_modified(self, layout: slicer.vtkMRMLLayoutNode, _event: str) -> None:
        if not self._busy and not is_our_layout(layout.GetViewArrangement()):
            self.stop()
            self._on_ended()
