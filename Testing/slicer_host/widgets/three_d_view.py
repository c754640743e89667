"""3D views and their cameras: nodes and logics are real, and drawn where the host draws."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from slicer_host.pythonqt.classes import register

from . import drawing
from .mrml_widget import qMRMLWidget
from .slice_view import RenderedView


def paint_title(widget: QWidget, node: Any) -> None:
    """Paint the name of the view's node, in place of its picture."""
    painter = QPainter(widget)
    painter.fillRect(widget.rect(), 0x1E2430)
    painter.setPen(0xFFC0C8D8)
    painter.drawText(widget.rect().adjusted(6, 6, -6, -6), 0, node.GetName() if node else "")


@register
class qMRMLThreeDView(RenderedView):
    """A 3D view: its camera and nodes, and a picture where views are drawn."""

    _node: Any = None
    _managers: Any = None

    def mrmlViewNode(self) -> Any:
        """The node of this view."""
        return self._node

    def setMRMLViewNode(self, node: Any) -> None:
        """Show another view node."""
        self._node = node
        if drawing.is_on():
            self._managers = drawing.manage(self._renderer, node, None, self._changed)

    def _changed(self, *unused: Any) -> None:
        if not self._pauses:
            self.update()

    def cameraNode(self) -> Any:
        """The camera node that looks into this view, or None."""
        scene = self._node.GetScene()
        found = [
            scene.GetNthNodeByClass(index, "vtkMRMLCameraNode")
            for index in range(scene.GetNumberOfNodesByClass("vtkMRMLCameraNode"))
        ]
        return next((camera for camera in found if camera.GetLayoutName() == self._node.GetLayoutName()), None)

    def resetFocalPoint(self) -> None:
        """Look at the middle of everything that is drawn."""
        box = vtk.vtkBoundingBox(self._renderer.ComputeVisiblePropBounds())
        if box.IsValid():
            middle = [0.0, 0.0, 0.0]
            box.GetCenter(middle)
            self._renderer.GetActiveCamera().SetFocalPoint(middle)
            self._renderer.ResetCameraClippingRange()
        self.update()

    def resetCamera(self, *unused: Any) -> None:
        """Show everything that is drawn."""
        self._renderer.ResetCamera()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture, or no more than a name."""
        if drawing.is_on():
            QPainter(self).drawImage(self.rect(), drawing.picture(self._window))
        else:
            paint_title(self, self._node)


@register
class qMRMLThreeDWidget(qMRMLWidget):
    """A 3D view with its logic."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._view, self._logic = qMRMLThreeDView(self), None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def show_node(self, node: Any, application_logic: Any) -> None:
        """The host's way to make the logic of a view node and show it."""
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(node.GetScene())
        self._logic.AddViewNode(node.GetLayoutName())
        self.setMRMLScene(node.GetScene())
        self._view.setMRMLViewNode(node)

    def threeDView(self) -> qMRMLThreeDView:
        """The view."""
        return self._view

    viewWidget = threeDView

    def mrmlViewNode(self) -> Any:
        """The node of this view."""
        return self._view.mrmlViewNode()

    mrmlAbstractViewNode = mrmlViewNode

    def viewLogic(self) -> Any:
        """The logic of this view."""
        return self._logic


def camera_for(node: Any) -> None:
    """Give a 3D view its camera node, as Slicer's cameras module does."""
    scene = node.GetScene()
    found = [
        scene.GetNthNodeByClass(index, "vtkMRMLCameraNode")
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLCameraNode"))
    ]
    if not any(camera.GetLayoutName() == node.GetLayoutName() for camera in found):
        camera = slicer.vtkMRMLCameraNode()
        camera.SetName(scene.GenerateUniqueName("Camera"))
        scene.AddNode(camera).SetLayoutName(node.GetLayoutName())
