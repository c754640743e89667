"""qSlicerLayoutManager: makes a widget for every view node and places them as the layout says."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from slicer_host.errors import NotBuiltInHost
from slicer_host.pythonqt.classes import register

from .observing import Observations
from .plot_view import qMRMLPlotWidget
from .properties import Property
from .slice_widget import qMRMLSliceWidget
from .three_d_view import camera_for, qMRMLThreeDWidget

WIDGETS: dict[str, type] = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
    "vtkMRMLPlotViewNode": qMRMLPlotWidget,
}


@register
class qSlicerLayoutManager(QObject):
    """Views of the scene, placed in a viewport by the real layout node and its logic."""

    layoutChanged = Signal((int,), ())

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._scene = self._logic = self._application_logic = None
        self._widgets: dict[str, QWidget] = {}  # by node ID
        self._watch, self._shown, self._pauses = Observations(), (None, ""), 0
        self._slice_logics, self._view_logics = vtk.vtkCollection(), vtk.vtkCollection()
        self._viewport, self._content, self._store = QWidget(), None, QWidget()
        layout = QVBoxLayout(self._viewport)
        layout.setContentsMargins(0, 0, 0, 0)

    # --- the host's part ---

    def start(self, scene: Any, application_logic: Any) -> None:
        """Begin with a scene: default layouts, Slicer's first layout, and a widget for each view node."""
        self._scene, self._application_logic = scene, application_logic
        application_logic.SetSliceLogics(self._slice_logics)
        application_logic.SetViewLogics(self._view_logics)
        self._watch.add(scene, scene.NodeAddedEvent, self._node_added, data=True)
        self._watch.add(scene, scene.NodeRemovedEvent, self._node_removed, data=True)
        self._watch.add(scene, scene.EndBatchProcessEvent, self._update)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        self._watch.add(self._logic.GetLayoutNode(), vtk.vtkCommand.ModifiedEvent, self._update)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)

    def _node_added(self, scene: Any, event: str, node: Any) -> None:
        if node is not None and node.IsA("vtkMRMLAbstractViewNode"):
            self._widget_of(node)

    def _node_removed(self, scene: Any, event: str, node: Any) -> None:
        widget = self._widgets.pop(node.GetID(), None) if node is not None else None
        if widget is None:
            return
        if isinstance(widget, qMRMLSliceWidget):
            self._slice_logics.RemoveItem(widget.sliceLogic())
        widget.deleteLater()

    def _widget_of(self, node: Any) -> QWidget | None:
        kind = next((kind for kind in WIDGETS if node.IsA(kind)), None)
        if kind is None or node.GetID() in self._widgets:
            return self._widgets.get(node.GetID())
        widget = WIDGETS[kind](self._store)
        widget.setObjectName(f"{kind}Widget{node.GetLayoutName()}")
        self._widgets[node.GetID()] = widget
        widget.show_node(node, self._application_logic)
        if kind == "vtkMRMLSliceNode":
            self._slice_logics.AddItem(widget.sliceLogic())
        if kind == "vtkMRMLViewNode":
            self._view_logics.AddItem(widget.viewLogic())
            camera_for(node)
        return widget

    def _update(self, *unused: Any) -> None:
        """Place the views anew where the layout node asks for something else."""
        node = self._logic.GetLayoutNode()
        if node is None or self._scene.IsBatchProcessing():
            return
        wanted = (node.GetViewArrangement(), node.GetCurrentLayoutDescription() or "")
        if wanted == self._shown or not wanted[1]:
            return
        self._shown = wanted
        for widget in self._widgets.values():
            widget.setParent(self._store)
        if self._content is not None:
            self._content.setParent(None)  # its room is free at once
            self._content.deleteLater()
        self._content = self._placed(xml.fromstring(wanted[1]))
        self._viewport.layout().addWidget(self._content)
        self.layoutChanged[int].emit(wanted[0])

    def _placed(self, element: xml.Element) -> QWidget:
        """The widget of a layout or view element of the description."""
        if element.tag == "view":
            return self._view(element)
        items = element.findall("item")
        kind = element.get("type", "horizontal")
        if kind not in ("horizontal", "vertical"):
            raise NotBuiltInHost(f"A layout of type {kind}")
        splitter = QSplitter(Qt.Orientation.Horizontal if kind == "horizontal" else Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        for item in items:
            splitter.addWidget(self._placed(item[0]))
            splitter.setStretchFactor(splitter.count() - 1, int(item.get("splitSize") or 1) or 1)
        splitter.setSizes([int(item.get("splitSize") or 500) for item in items])
        return splitter

    def _view(self, element: xml.Element) -> QWidget:
        """The widget of a view; the layout logic has made its node."""
        kind, tag = element.get("class"), element.get("singletontag")
        node = self._scene.GetSingletonNode(tag, kind) if tag else self._scene.GetFirstNodeByClass(kind)
        widget = self._widget_of(node) if node is not None else None
        if widget is None:
            widget = QWidget()
        widget.show()
        return widget

    # --- Slicer's methods ---

    def _of(self, kind: str) -> list[QWidget]:
        return [widget for widget in self._widgets.values() if isinstance(widget, WIDGETS[kind])]

    def layoutLogic(self) -> Any:
        """The real vtkMRMLLayoutLogic."""
        return self._logic

    def setLayout(self, layout: int) -> None:
        """Show a layout by its number."""
        node = self._logic.GetLayoutNode()
        if not node.IsLayoutDescription(layout):
            raise ValueError(f"There is no layout {layout}; add its description to the layout node first.")
        node.SetViewArrangement(layout)
        self._update()

    def sliceViewNames(self) -> list[str]:
        """Names of all slice views, shown or not."""
        return [widget.mrmlSliceNode().GetLayoutName() for widget in self._of("vtkMRMLSliceNode")]

    def sliceWidget(self, name: str) -> QWidget | None:
        """The widget of a slice view, or None."""
        found = self._of("vtkMRMLSliceNode")
        return next((widget for widget in found if widget.mrmlSliceNode().GetLayoutName() == name), None)

    def _nth(self, kind: str, index: int) -> QWidget | None:
        found = self._of(kind)
        return found[index] if 0 <= index < len(found) else None

    def threeDWidget(self, index: int) -> QWidget | None:
        """A 3D view."""
        return self._nth("vtkMRMLViewNode", index)

    def plotWidget(self, index: int) -> QWidget | None:
        """A plot view."""
        return self._nth("vtkMRMLPlotViewNode", index)

    def mrmlSliceLogics(self) -> Any:
        """All slice logics."""
        return self._slice_logics

    def resetSliceViews(self) -> None:
        """Fit every slice view to its background."""
        for widget in self._of("vtkMRMLSliceNode"):
            widget.sliceLogic().FitSliceToBackground()

    def viewport(self) -> QWidget:
        """Where the views are placed."""
        return self._viewport

    def pauseRender(self) -> int:
        """Stop drawing all views until resumed as often."""
        return self._pause(1, "pauseRender")

    def resumeRender(self) -> int:
        """Undo one pause."""
        return self._pause(-1, "resumeRender")

    def _pause(self, step: int, method: str) -> int:
        self._pauses = max(0, self._pauses + step)
        for kind in ("vtkMRMLSliceNode", "vtkMRMLViewNode"):
            for widget in self._of(kind):
                getattr(widget.viewWidget(), method)()
        return self._pauses

    layout = Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: len(self._of("vtkMRMLViewNode")))
    plotViewCount = Property(int, lambda self: len(self._of("vtkMRMLPlotViewNode")))
