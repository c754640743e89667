"""qMRMLSliceView: shows what the slice logic has resliced, painted without OpenGL."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from vtk.util.numpy_support import vtk_to_numpy

from slicer_host.pythonqt.classes import register

from . import drawing
from .observing import Observations


class RenderedView(QWidget):
    """What slice and 3D views share: a render window, its interactor, and pauses."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._window = drawing.new_window()
        self._renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.EnableRenderOff()
        self._interactor.Enable()
        self._pauses = 0

    def interactor(self) -> Any:
        """The interactor; events are sent to it by hand, as there is no window."""
        return self._interactor

    def renderWindow(self) -> Any:
        """The render window. It holds the renderers; whether it is ever drawn, drawing.py says."""
        return self._window

    def scheduleRender(self) -> None:
        """Draw soon."""
        self.update()

    def pauseRender(self) -> int:
        """Stop drawing until resumed as often."""
        self._pauses += 1
        return self._pauses

    def resumeRender(self) -> int:
        """Undo one pause."""
        self._pauses = max(0, self._pauses - 1)
        if not self._pauses:
            self.update()
        return self._pauses

    def isRenderPaused(self) -> bool:
        """Whether drawing waits."""
        return self._pauses > 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the interactor's size, which events are placed in."""
        super().resizeEvent(event)
        self._window.SetSize(max(1, self.width()), max(1, self.height()))
        self._interactor.UpdateSize(max(1, self.width()), max(1, self.height()))

    def sizeHint(self) -> QSize:
        """Room for a picture."""
        return QSize(200, 200)


@register
class qMRMLSliceView(RenderedView):
    """The picture of a slice."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._logic, self._connection, self._watch = None, None, Observations()
        self._managers = self._image = None
        self._corners = vtk.vtkCornerAnnotation()
        self._renderer.AddViewProp(self._corners)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetInteractor(self._interactor)

    def show_logic(self, logic: Any) -> None:
        """The host's way to say which slice is shown."""
        self._watch.drop()
        self._logic = logic
        self._style.SetSliceLogic(logic)
        if drawing.is_on():
            self._image = drawing.image_actor(self._renderer)
            self._managers = drawing.manage(self._renderer, logic.GetSliceNode(), self._style, self._changed)
        self._watch.add(logic, vtk.vtkCommand.ModifiedEvent, self._changed)

    def _changed(self, *unused: Any) -> None:
        if not self._pauses:
            self.update()

    def setImageDataConnection(self, connection: Any) -> None:
        """Show the picture of a pipeline; the bar above sets the logic's whenever that changes."""
        self._connection = connection
        if self._image is not None:
            self._image.SetVisibility(connection is not None)
            self._image.GetMapper().SetInputConnection(connection)
        self._changed()

    def mrmlSliceNode(self) -> Any:
        """The node of this view."""
        return self._logic.GetSliceNode() if self._logic else None

    def cornerAnnotation(self) -> Any:
        """The texts in the corners, which Slicer's Data Probe writes."""
        return self._corners

    def convertRASToXYZ(self, ras: Any) -> list[float]:
        """From patient to screen: pixels from the lower left, and the slice of a light box."""
        matrix = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.mrmlSliceNode().GetXYToRAS(), matrix)
        return list(matrix.MultiplyPoint([*ras, 1.0])[:3])

    def convertXYZToRAS(self, xyz: Any) -> list[float]:
        """From screen to patient."""
        return list(self.mrmlSliceNode().GetXYToRAS().MultiplyPoint([*xyz, 1.0])[:3])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The slice node has the size of its view."""
        super().resizeEvent(event)
        if self._logic is not None:
            self._logic.ResizeSliceNode(max(1, self.width()), max(1, self.height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the logic's picture."""
        painter = QPainter(self)
        if drawing.is_on():
            painter.drawImage(self.rect(), drawing.picture(self._window))
            return
        painter.fillRect(self.rect(), QColor("black"))
        pixels = image_pixels(self._connection)
        if pixels is None or self._pauses:
            return
        upright = np.ascontiguousarray(pixels[::-1])
        height, width = upright.shape[:2]
        painter.drawImage(self.rect(), QImage(upright.data, width, height, 4 * width, QImage.Format.Format_RGBA8888))
        self._paint_texts(painter)

    def _paint_texts(self, painter: QPainter) -> None:
        """The texts that scripts put into the view, placed in parts of its width and height."""
        props = self._renderer.GetViewProps()
        for index in range(props.GetNumberOfItems()):
            actor = props.GetItemAsObject(index)
            if not actor.IsA("vtkTextActor") or not actor.GetVisibility():
                continue
            style, (x, y, _z) = actor.GetTextProperty(), actor.GetPositionCoordinate().GetValue()
            painter.setPen(QColor.fromRgbF(*style.GetColor()))
            font = painter.font()
            font.setPixelSize(style.GetFontSize())
            painter.setFont(font)
            left = painter.fontMetrics().horizontalAdvance(actor.GetInput()) if style.GetJustification() == 2 else 0
            down = painter.fontMetrics().ascent() if style.GetVerticalJustification() == 2 else 0
            painter.drawText(round(x * self.width()) - left, round((1 - y) * self.height()) + down, actor.GetInput())


def image_pixels(connection: Any) -> np.ndarray | None:
    """A picture in VTK's pipeline: (height, width, 4) unsigned bytes, first row at the bottom; None where nothing."""
    if connection is None:
        return None
    connection.GetProducer().Update()
    image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(-1, height, width, 4)[0]
