"""Swipe view: a divider across a slice view, the first volume left of it, the second right of it.

Slicer's slice logic reslices the volumes of a view in layers, each an RGBA image of the view's size. The swipe view
joins the left columns of one layer with the right columns of the other and hands the result to the view in place of
the blended layers. VTK asks each layer for its own columns only, so this costs no more than a plain view, and it
follows pan, zoom, scroll and window because the layers do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
import vtk
from slicer.util import VTKObservationMixin
from vtk.util.numpy_support import vtk_to_numpy

from CTSuperResolutionPanel.compare.divider import DividerDrag, pixel_ratio
from CTSuperResolutionPanel.compare.slice_view import SliceView

AFTER_OTHERS = -1.0
"""Observer priority that lets the slice widget connect its own image first."""

LINE = np.array([[0, 0, 0], [255, 205, 60], [0, 0, 0]], np.uint8)
"""Colours of the divider's columns: bright between two dark ones, so that it is seen on bone and on air."""

GRIP_SIZE = (17, 40)
"""Width and height of the handle in the middle of the divider, in pixels."""

ARROW = (3, 5)
"""Where the handle's arrows begin, from its side, and their length, in pixels."""


class SwipeImage:
    """The composed image: columns [0, divider) of the left image, columns [divider, width) of the right one."""

    def __init__(self) -> None:
        self._left, self._right = vtk.vtkImageClip(), vtk.vtkImageClip()
        self._joined = vtk.vtkImageAppend()
        self._joined.PreserveExtentsOn()  # later inputs lie over earlier ones

    def join(self, left: vtk.vtkAlgorithmOutput, right: vtk.vtkAlgorithmOutput) -> None:
        """Choose the two images, RGBA and of one size."""
        self._left.SetInputConnection(left)
        self._right.SetInputConnection(right)

    def place(self, divider: int, width: int, height: int, scale: int = 1) -> None:
        """Put the divider at a column of an image of this size, its line and its handle enlarged by a whole factor."""
        self._joined.RemoveAllInputs()
        for clip, first, last in ((self._left, 0, divider - 1), (self._right, divider, width - 1)):
            if first <= last:
                clip.SetOutputWholeExtent(first, last, 0, height - 1, 0, 0)
                self._joined.AddInputConnection(clip.GetOutputPort())
        line = np.broadcast_to(LINE, (height, 3, 3)).repeat(scale, axis=1)
        grip = _grip(height // scale).repeat(scale, axis=0).repeat(scale, axis=1)
        for tile in (line, grip):
            corner = divider - tile.shape[1] // 2, (height - tile.shape[0]) // 2
            if image := _tile(tile, corner, width):
                self._joined.AddInputData(image)

    def connection(self) -> vtk.vtkAlgorithmOutput:
        """The composed image as an input for other filters."""
        return self._joined.GetOutputPort()


class SwipeView(VTKObservationMixin):
    """Swipe over one slice view, whose layers are the left (background) and right (foreground) volume.

    Args:
        view: the view's node and logic.
        widget: the ``qMRMLSliceView`` that displays it.
        on_moved: called with the new position, 0 to 1, when the user drags the divider.
    """

    def __init__(self, view: SliceView, widget: slicer.qMRMLSliceView, on_moved: Callable[[float], None]) -> None:
        super().__init__()
        self._view, self._widget = view, widget
        self._position = 0.5
        self._image = SwipeImage()
        self._placed: tuple[int, int, int] | None = None
        self._drag = DividerDrag(widget, self._column, lambda column: on_moved(column / self._size()[0]))
        # the slice widget connects the plain image again whenever its logic changes
        self.addObserver(view.logic, vtk.vtkCommand.ModifiedEvent, self._connect, priority=AFTER_OTHERS)
        self.addObserver(view.node, vtk.vtkCommand.ModifiedEvent, self._place, priority=AFTER_OTHERS)
        self._place()
        self._connect()

    def move(self, position: float) -> None:
        """Put the divider at a part of the view's width, 0 to 1."""
        self._position = position
        self._place()
        self._widget.scheduleRender()

    def remove(self) -> None:
        """Give the view its plain image back."""
        self.removeObservers()
        self._drag.remove()
        self._widget.setImageDataConnection(self._view.logic.GetImageDataConnection())
        self._widget.scheduleRender()

    def _size(self) -> tuple[int, int]:
        width, height, _depth = self._view.node.GetDimensions()
        return width, height

    def _column(self) -> int:
        return round(self._position * self._size()[0])

    def _place(self, *_event: object) -> None:
        where = (self._column(), *self._size())
        if where != self._placed:
            self._placed = where
            self._image.place(*where, scale=pixel_ratio(self._widget))

    def _connect(self, *_event: object) -> None:
        logic = self._view.logic
        layers = [layer.GetImageDataConnection() for layer in (logic.GetBackgroundLayer(), logic.GetForegroundLayer())]
        if None in layers:  # a volume was removed: Slicer shows what is left
            self._widget.setImageDataConnection(logic.GetImageDataConnection())
            return
        self._image.join(*layers)
        self._widget.setImageDataConnection(self._image.connection())


def _grip(height: int) -> np.ndarray:
    """The handle: a bright plate with a dark arrow to each side, shape (rows, columns, 3)."""
    columns, rows = GRIP_SIZE
    rows = min(rows, height)
    grip = np.full((rows, columns, 3), LINE[1], np.uint8)
    grip[[0, -1]] = grip[:, [0, -1]] = 0
    row, column = np.indices((rows, columns))
    from_middle = np.minimum(column, columns - 1 - column) - ARROW[0]
    grip[(from_middle >= 0) & (from_middle < ARROW[1]) & (np.abs(row - rows // 2) <= from_middle)] = 0
    return grip


def _tile(rgb: np.ndarray, corner: tuple[int, int], width: int) -> vtk.vtkImageData | None:
    """An opaque RGBA image at a place of the view, cut at its left and right edge; None if nothing is left."""
    left, bottom = corner
    rgb = rgb[:, max(0, -left) : width - left]
    left = max(0, left)
    rows, columns = rgb.shape[:2]
    if columns == 0:
        return None
    image = vtk.vtkImageData()
    image.SetExtent(left, left + columns - 1, bottom, bottom + rows - 1, 0, 0)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 4)
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, 4)
    pixels[..., :3], pixels[..., 3] = rgb, 255
    return image
