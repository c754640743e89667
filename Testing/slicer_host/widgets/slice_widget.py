"""qMRMLSliceWidget and its controller: a slice view with its bar above."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from slicer_host.pythonqt.classes import register

from .ctk_sliders import ctkSliderWidget
from .mrml_widget import qMRMLWidget
from .observing import Observations
from .properties import Property
from .slice_view import qMRMLSliceView


@register
class qMRMLSliceControllerWidget(qMRMLWidget):
    """The bar of a slice view: its name and the slider of its offset."""

    imageDataConnectionChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._logic, self._watch, self._own, self._connection, self._title = None, Observations(), False, None, None
        self._name, self._slider = QLabel(self), ctkSliderWidget(self)
        self._slider.setSpinBoxVisible(True)
        self._name.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._name.setMinimumWidth(24)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._name)
        layout.addWidget(self._slider, 1)
        self._slider.valueChanged.connect(self._slid)

    def show_logic(self, logic: Any) -> None:
        """The host's way to say which view this is the bar of."""
        self._logic = logic
        self._watch.drop()
        self._watch.add(logic, vtk.vtkCommand.ModifiedEvent, self._changed)
        self._watch.add(logic.GetSliceNode(), vtk.vtkCommand.ModifiedEvent, self._changed)
        self._changed()

    def imageDataConnection(self) -> Any:
        """The picture that the view was given last."""
        return self._connection

    def setImageDataConnection(self, connection: Any) -> None:
        """Give the view a picture; nothing is done where it is the one given last."""
        if connection is not self._connection:
            self._connection = connection
            self.imageDataConnectionChanged.emit(connection)

    def _changed(self, *unused: Any) -> None:
        self.setImageDataConnection(self._logic.GetImageDataConnection())
        node = self._logic.GetSliceNode()
        if node is None or self._own:
            return
        self._own = True
        low_high, step = [0.0, 1.0], vtk.reference(1.0)
        if self._logic.GetSliceOffsetRangeResolution(low_high, step) and low_high[1] > low_high[0]:
            self._slider.setProperty("singleStep", float(step) or 1.0)
            self._slider.setProperty("minimum", low_high[0])
            self._slider.setProperty("maximum", low_high[1])
        self._slider.setValue(self._logic.GetSliceOffset())
        title = (node.GetLayoutLabel() or "", QColor.fromRgbF(*node.GetLayoutColor()).name())
        if title != self._title:
            self._title = title
            self._name.setText(title[0])
            self._name.setStyleSheet(f"background: {title[1]}; padding: 2px")
        self._own = False

    def _slid(self, value: float) -> None:
        if not self._own and self._logic is not None:
            self._logic.StartSliceOffsetInteraction()
            self._logic.SetSliceOffset(value)
            self._logic.EndSliceOffsetInteraction()

    def mrmlSliceNode(self) -> Any:
        """The node of the view."""
        return self._logic.GetSliceNode() if self._logic else None

    def mrmlSliceCompositeNode(self) -> Any:
        """The node that says which volumes are shown."""
        return self._logic.GetSliceCompositeNode() if self._logic else None

    def sliceLogic(self) -> Any:
        """The logic of the view."""
        return self._logic

    def sliceOffsetSlider(self) -> ctkSliderWidget:
        """The slider."""
        return self._slider

    def setSliceLink(self, linked: bool) -> None:
        """Link this view to the others of its group."""
        for composite in self._group():
            composite.SetLinkedControl(linked)

    def setHotLinked(self, hot: bool) -> None:
        """Follow also while the mouse is dragged."""
        for composite in self._group():
            composite.SetHotLinkedControl(hot)

    def _group(self) -> list:
        """The composite nodes of the views in this view's group."""
        scene, group = self._logic.GetMRMLScene(), self._logic.GetSliceNode().GetViewGroup()
        logics = self._logic.GetMRMLApplicationLogic().GetSliceLogics()
        found = [logics.GetItemAsObject(index) for index in range(logics.GetNumberOfItems())]
        return [
            item.GetSliceCompositeNode()
            for item in found
            if scene is item.GetMRMLScene() and item.GetSliceNode().GetViewGroup() == group
        ]

    def fitSliceToBackground(self) -> None:
        """Show all of the background volume."""
        self._logic.FitSliceToBackground()

    def setSliceVisible(self, visible: bool) -> None:
        """Show the slice in 3D."""
        self._logic.GetSliceNode().SetSliceVisible(visible)


@register
class qMRMLSliceWidget(qMRMLWidget):
    """A slice view with its bar."""

    nodeAboutToBeEdited = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._controller, self._view = qMRMLSliceControllerWidget(self), qMRMLSliceView(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)
        self._controller.imageDataConnectionChanged.connect(self._view.setImageDataConnection)
        self._logic = None

    def show_node(self, node: Any, application_logic: Any) -> None:
        """The host's way to make the logic of a slice node and show it."""
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(node.GetScene())
        self._logic.SetSliceNode(node)
        self.setMRMLScene(node.GetScene())
        self._view.show_logic(self._logic)
        self._controller.show_logic(self._logic)

    def sliceLogic(self) -> Any:
        """The real vtkMRMLSliceLogic of this view."""
        return self._logic

    def mrmlSliceNode(self) -> Any:
        """The node of this view."""
        return self._logic.GetSliceNode() if self._logic else None

    mrmlAbstractViewNode = mrmlSliceNode

    def mrmlSliceCompositeNode(self) -> Any:
        """The node that says which volumes are shown."""
        return self._logic.GetSliceCompositeNode() if self._logic else None

    def sliceView(self) -> qMRMLSliceView:
        """The picture."""
        return self._view

    viewWidget = sliceView

    def sliceController(self) -> qMRMLSliceControllerWidget:
        """The bar."""
        return self._controller

    controllerWidget = sliceController

    def interactorStyle(self) -> Any:
        """What handles the mouse."""
        return self._view.interactorStyle()

    def fitSliceToBackground(self) -> None:
        """Show all of the background volume."""
        self._logic.FitSliceToBackground()

    def imageDataConnection(self) -> Any:
        """The picture that the view was given last."""
        return self._controller.imageDataConnection()

    def setImageDataConnection(self, connection: Any) -> None:
        """Give the view a picture."""
        self._controller.setImageDataConnection(connection)

    def setSliceOrientation(self, orientation: str) -> None:
        """Axial, Sagittal, Coronal or another of the node's orientations."""
        self.mrmlSliceNode().SetOrientation(orientation)

    def _of_node(self, name: str) -> Any:
        return getattr(self.mrmlSliceNode(), name)()

    sliceViewName = Property(str, lambda self: self._of_node("GetLayoutName"))
    sliceViewLabel = Property(
        str,
        lambda self: self._of_node("GetLayoutLabel"),
        lambda self, value: self.mrmlSliceNode().SetLayoutLabel(value),
    )
    sliceOrientation = Property(str, lambda self: self._of_node("GetOrientation"), setSliceOrientation)
