"""qMRMLSliceWidget and its controller: a slice view with its bar above."""

from __future__ import annotations

from functools import partial
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from slicer_host.pythonqt.classes import register

from .ctk_sliders import ctkSliderWidget
from .mrml_widget import qMRMLWidget
from .node_combo_box import qMRMLNodeComboBox
from .observing import Observations
from .slice_view import qMRMLSliceView

LEAST_WIDTH = 280
"""Of a bar, pixels, about: three beside each other and a wide panel make the window wider than a laptop's screen."""

LAYERS = {"Background": "vtkMRMLVolumeNode", "Foreground": "vtkMRMLVolumeNode", "Label": "vtkMRMLLabelMapVolumeNode"}
"""Layers of a slice view and the nodes that each can show."""


class LayerSelectors:
    """The node selectors behind the pin of a slice view, one for each layer. Nobody sees them, and they matter.

    What one of them chooses is set in the view, and in all views that are linked to it: where its volume is deleted,
    the next one; where a scene is imported, none.
    """

    def __init__(self, parent: QWidget, logic: Any):
        self._logic, self._watch = logic, Observations()
        self._boxes = {layer: qMRMLNodeComboBox(parent) for layer in LAYERS}
        for layer, box in self._boxes.items():
            box.hide()
            for name, value in {"nodeTypes": [LAYERS[layer]], "noneEnabled": True, "addEnabled": False}.items():
                box.setProperty(name, value)
            box.setProperty("removeEnabled", False)
            box.setProperty("renameEnabled", True)
            box.setMRMLScene(logic.GetMRMLScene())
            box.currentNodeChanged[object].connect(partial(self._chosen, layer))
        scene = logic.GetMRMLScene()
        self._watch.add(scene, scene.EndBatchProcessEvent, self._follow)
        self._watch.add(logic.GetSliceCompositeNode(), vtk.vtkCommand.ModifiedEvent, self._follow)
        self._follow()

    def _follow(self, *unused: Any) -> None:
        """Show what the view shows; while a scene is loaded, its volumes may not exist yet."""
        layers, scene = self._logic.GetSliceCompositeNode(), self._logic.GetMRMLScene()
        if layers is None or scene is None or scene.IsBatchProcessing():
            return
        for layer, box in self._boxes.items():
            name = getattr(layers, f"Get{layer}VolumeID")()
            was = box.blockSignals(True)
            box.setCurrentNode(scene.GetNodeByID(name) if name else None)
            box.blockSignals(was)

    def _chosen(self, layer: str, node: Any) -> None:
        layers = self._logic.GetSliceCompositeNode()
        if layers is not None:
            self._logic.StartSliceCompositeNodeInteraction(getattr(layers, f"{layer}VolumeFlag"))
            getattr(layers, f"Set{layer}VolumeID")(node.GetID() if node is not None else None)
            self._logic.EndSliceCompositeNodeInteraction()


@register
class qMRMLSliceControllerWidget(qMRMLWidget):
    """The bar of a slice view: its name and the slider of its offset."""

    imageDataConnectionChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._logic, self._watch, self._own, self._connection, self._title = None, Observations(), False, None, None
        self._name, self._slider = QLabel(self), ctkSliderWidget(self)
        self._name.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._name.setMinimumWidth(24)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._name)
        layout.addWidget(self._slider, 1)
        self._slider.valueChanged.connect(self._slid)

    def minimumSizeHint(self) -> QSize:
        """As wide as all that Slicer has in such a bar."""
        return QSize(LEAST_WIDTH, super().minimumSizeHint().height())

    def show_logic(self, logic: Any) -> None:
        """The host's way to say which view this is the bar of."""
        self._logic, self._selectors = logic, LayerSelectors(self, logic)
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


@register
class qMRMLSliceWidget(qMRMLWidget):
    """A slice view with its bar."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._controller, self._view = qMRMLSliceControllerWidget(self), qMRMLSliceView(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)
        self._controller.imageDataConnectionChanged.connect(self._view.setImageDataConnection)
        self._logic, self._overlay = None, vtk.vtkCornerAnnotation()

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

    def overlayCornerAnnotation(self) -> Any:
        """The texts in the corners of a view that shows several slices at once, which the host's do not."""
        return self._overlay

    def sliceController(self) -> qMRMLSliceControllerWidget:
        """The bar."""
        return self._controller

    controllerWidget = sliceController
