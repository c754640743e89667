"""Placement of the views: one position, zoom and slice spacing for all views of a plane, kept from layout to layout."""

from __future__ import annotations

from collections.abc import Sequence

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from CTSuperResolutionPanel.compare.slice_view import SliceView

SETTLED_MS = 300
"""By then a new layout is on the screen. Views have any size before, and zoom depends on the size."""


class ViewPlacement(VTKObservationMixin):
    """Position and zoom of the views on the screen, and the zoom that each plane had when it was last there.

    Zoom is remembered as a multiple of what shows the whole first volume, so that a plane that was fitted to a narrow
    view is fitted to a wide one, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._planes: dict[str, list[SliceView]] = {}
        self._first: slicer.vtkMRMLScalarVolumeNode | None = None
        self._zooms: dict[str, float] = {}
        self._unsettled: dict[str, tuple[int, ...]] = {}
        self._sizes: list[tuple[int, ...]] = []
        self._waiting = False
        self._layouts = 0

    def take(self, views: Sequence[SliceView], volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Place the views of a new layout. The first view of each plane leads the others."""
        self.release()
        self._first = volumes[0]
        for view in views:
            self._planes.setdefault(view.cell.plane, []).append(view)
            self.addObserver(view.node, vtk.vtkCommand.ModifiedEvent, self._on_view_modified)
        for plane, (leader, *others) in self._planes.items():
            spacing = min(leader.slice_spacing(volume) for volume in volumes)
            for view in (leader, *others):
                view.set_spacing(spacing)
            if plane not in self._zooms or not leader.looks_into(self._first):
                leader.go_to(self._first)
                self._zooms[plane] = 1.0
            self._unsettled[plane] = (0, 0, 0)
        self._align()
        self._layouts += 1
        layout = self._layouts
        qt.QTimer.singleShot(SETTLED_MS, lambda: self._settled(layout))

    def release(self) -> None:
        """Remember the zooms, and leave the views alone."""
        self.removeObservers()
        for plane, (leader, *_others) in self._planes.items():
            if plane not in self._unsettled:
                self._zooms[plane] = leader.zoom() / leader.fitting_zoom(self._first)
        self._planes, self._unsettled = {}, {}

    def forget(self) -> None:
        """Start at the user's slices next time."""
        self._zooms = {}

    def _align(self) -> None:
        """Bring all views of a plane to the position of its first."""
        self._waiting = False
        self._sizes = self._sizes_now()
        for plane, (leader, *others) in self._planes.items():
            size = leader.node.GetDimensions()
            if self._unsettled.get(plane, size) != size:
                self._unsettled[plane] = size
                leader.set_zoom(self._zooms[plane] * leader.fitting_zoom(self._first))
            for view in others:
                view.follow(leader)

    def _settled(self, layout: int) -> None:
        """The layout has its sizes; from here on it is the user who zooms, and Slicer that keeps zooms."""
        if layout == self._layouts:
            self._unsettled = {}

    def _on_view_modified(self, _node: object, _event: str) -> None:
        """Views that are resized, maybe by different amounts, take one zoom again once Slicer is done with them."""
        if not self._waiting and self._sizes != self._sizes_now():
            self._waiting = True
            qt.QTimer.singleShot(0, self._align)

    def _sizes_now(self) -> list[tuple[int, ...]]:
        return [view.node.GetDimensions() for views in self._planes.values() for view in views]
