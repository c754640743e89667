"""qMRMLNodeComboBox: chooses a node of the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller
from typing import Any

import slicer
import vtk
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QSizePolicy, QWidget

from slicer_host.pythonqt.classes import register

from .observing import Observations
from .properties import Property, stored

BEFORE_AND_AFTER = (-10.0, 10.0)
"""Observer priorities of a node's removal: the list is late to notice it, and early to be done with it."""


_refilter, _refill = methodcaller("refilter"), methodcaller("refill")


@register
class qMRMLNodeComboBox(QWidget):
    """Lists the nodes of some classes, and actions to make, rename and delete one."""

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    nodeAddedByUser = Signal(object)

    nodeTypes = stored("QStringList", "nodeTypes", [], _refilter)
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True, _refilter)
    noneEnabled = stored(bool, "noneEnabled", False, _refill)
    noneDisplay = stored(str, "noneDisplay", "None", _refill)
    addEnabled = stored(bool, "addEnabled", True, _refill)
    removeEnabled = stored(bool, "removeEnabled", True, _refill)
    renameEnabled = stored(bool, "renameEnabled", False, _refill)
    baseName = stored(str, "baseName", "")

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._scene = self._current = self._requested = None
        self._nodes: list[Any] = []
        self._actions: list[tuple[str, Callable[[], Any]]] = []
        self._scene_watch, self._node_watch = Observations(), Observations()
        self._box = QComboBox(self)
        self._box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(self._activated)
        self.setEnabled(False)

    # --- the scene ---

    def mrmlScene(self) -> Any:
        """The scene, or None."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Take the nodes from a scene: the first is chosen, unless none is allowed or another was asked for before."""
        if scene is self._scene:
            return
        self._scene_watch.drop()
        self._scene = scene
        if scene is not None:
            late, early = BEFORE_AND_AFTER
            self._scene_watch.add(scene, scene.NodeAddedEvent, self._node_added, data=True)
            self._scene_watch.add(scene, scene.NodeAboutToBeRemovedEvent, self._node_leaving, data=True, priority=late)
            self._scene_watch.add(scene, scene.NodeRemovedEvent, self._node_removed, data=True, priority=early)
            for event in (scene.EndImportEvent, scene.EndCloseEvent):
                self._scene_watch.add(scene, event, self._scene_replaced)
        self.setEnabled(scene is not None)
        self._take_nodes()
        first = self._nodes[0] if self._nodes and not self.property("noneEnabled") else None
        self._choose(self._requested if self._requested in self._nodes else first)

    def _node_added(self, scene: Any, event: str, node: Any) -> None:
        if scene.IsImporting() or node is None or not self._is_of_type(node):
            return
        was_empty = self._box.count() == 0
        self._take_nodes()
        if was_empty and node in self._nodes and self._first_comes_by_itself():
            self._choose(node)

    def _node_leaving(self, scene: Any, event: str, node: Any) -> None:
        """A node that goes away leaves its place, and the choice, to the one below it."""
        if node not in self._nodes or scene.IsClosing():
            return
        place = self._nodes.index(node)
        self._nodes.remove(node)
        if node is self._current:
            self._choose(self._nodes[min(place, len(self._nodes) - 1)] if self._nodes else None)
        self.refill()

    def _node_removed(self, scene: Any, event: str, node: Any) -> None:
        if not scene.IsClosing() and node is not None and self._is_of_type(node):
            self.refilter()

    def _scene_replaced(self, scene: Any, event: str, data: Any) -> None:
        """After an import or a close all nodes are listed anew; with its row goes the choice, although the node stays.

        What listens is told of it at once, when the scene already says that it is no longer importing.
        """
        self._nodes = []
        self._choose(None)
        self._take_nodes()
        if self._first_comes_by_itself() and self._nodes:
            self._choose(self._nodes[0])

    def _first_comes_by_itself(self) -> bool:
        """Whether the box holds nothing but nodes, no None and no actions: then Qt chooses what comes first."""
        return not self.property("noneEnabled") and not self._actions

    def refilter(self) -> None:
        """Look through the scene again; the choice stays where it still fits."""
        self._take_nodes()
        if self._current is not None and self._current not in self._nodes:
            self._choose(None)

    def _take_nodes(self) -> None:
        of_type = [node for node in self._all_nodes() if self._is_of_type(node)]
        self._nodes = [node for node in of_type if not node.GetHideFromEditors()]
        self._node_watch.drop()
        for node in of_type:
            self._node_watch.add(node, vtk.vtkCommand.ModifiedEvent, self._node_modified)
        self.refill()

    def _all_nodes(self) -> Iterator[Any]:
        nodes = self._scene.GetNodes() if self._scene is not None else vtk.vtkCollection()
        nodes.InitTraversal()
        while (node := nodes.GetNextItemAsObject()) is not None:
            yield node

    def _is_of_type(self, node: Any) -> bool:
        children = self.__dict__.get("_showChildNodeTypes", True)
        kinds = self.__dict__.get("_nodeTypes", ())
        return any((node.IsA(kind) if children else node.GetClassName() == kind) for kind in kinds)

    def _node_modified(self, node: Any, event: str, data: Any) -> None:
        if self._scene.IsImporting() or self._scene.IsClosing():
            return
        if bool(node.GetHideFromEditors()) == (node in self._nodes):
            self.refilter()
        elif node in self._nodes:
            row = self._nodes.index(node) + self._first()
            if self._box.itemText(row) != (node.GetName() or ""):
                self._box.setItemText(row, node.GetName() or "")

    # --- the list ---

    def _first(self) -> int:
        return 1 if self.property("noneEnabled") else 0

    def refill(self) -> None:
        """Write the items anew: none, nodes, actions."""
        self._actions = self._wanted_actions() if self._scene is not None else []
        none = [self.property("noneDisplay")] if self.property("noneEnabled") else []
        self._box.blockSignals(True)
        self._box.clear()
        names = [node.GetName() or "" for node in self._nodes]
        self._box.addItems([*none, *names, *[text for text, _ in self._actions]])
        row = self._nodes.index(self._current) if self._current in self._nodes else -1
        self._box.setCurrentIndex(row + self._first())
        self._box.setPlaceholderText(f"Select a {self.nodeTypeLabel(next(iter(self.property('nodeTypes')), ''))}")
        self._box.blockSignals(False)

    def _wanted_actions(self) -> list[tuple[str, Callable[[], Any]]]:
        kinds = self.property("nodeTypes")
        label = self.nodeTypeLabel(kinds[0] if len(kinds) == 1 else "")
        wanted = []
        if self.property("renameEnabled"):
            wanted.append((f"Rename current {label}", self.renameCurrentNode))
        if self.property("addEnabled"):
            wanted += [(f"Create new {self.nodeTypeLabel(kind)}", partial(self.addNode, kind)) for kind in kinds]
        if self.property("removeEnabled"):
            wanted.append((f"Delete current {label}", self.removeCurrentNode))
        return wanted

    def _activated(self, row: int) -> None:
        place = row - self._first()
        if place < len(self._nodes):
            self._choose(self._nodes[place] if place >= 0 else None)
        else:
            action = self._actions[place - len(self._nodes)][1]
            self.refill()  # the box goes back to the node
            action()

    def _choose(self, node: Any) -> None:
        changed = node is not self._current
        self._current = node
        self.refill()
        if changed:
            self.currentNodeChanged[object].emit(node)
            self.currentNodeChanged[bool].emit(node is not None)
            self.currentNodeIDChanged.emit(self.property("currentNodeID"))

    # --- Slicer's methods ---

    def currentNode(self) -> Any:
        """The chosen node, or None."""
        return self._current

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node; one that is not listed, and None, are no choice."""
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise ValueError(f"setCurrentNode takes a node or None, not {node!r}; setCurrentNodeID takes an ID.")
        if self._scene is None:
            self._requested = node
        else:
            self._choose(node if node in self._nodes else None)

    def nodeFromIndex(self, index: int) -> Any:
        """The node at a place of the list, or None."""
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    def nodeCount(self) -> int:
        """How many nodes can be chosen."""
        return len(self._nodes)

    def nodeTypeLabel(self, kind: str) -> str:
        """What a class of nodes is called in the list."""
        label = self._scene.GetTypeDisplayNameByClassName(kind) if self._scene is not None and kind else ""
        return label or "node"

    def addNode(self, kind: str | None = None) -> Any:
        """Make a node of the first class, or of ``kind``; it becomes the choice."""
        kind = kind or self.property("nodeTypes")[0]
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        name = self.property("baseName") or (node.GetDefaultNodeNamePrefix() if not node.GetName() else "")
        if name:
            node.SetName(self._scene.GetUniqueNameByString(name))
        added = self._scene.AddNode(node)
        self.setCurrentNode(added)
        self.nodeAddedByUser.emit(added)
        return added

    def removeCurrentNode(self) -> None:
        """Delete the chosen node from the scene."""
        self._scene.RemoveNode(self._current)

    def renameCurrentNode(self) -> None:
        """Ask for another name."""
        if self._current is None:
            return
        name, given = QInputDialog.getText(self, "Rename", "New name:", text=self._current.GetName())
        if given and name:
            self._current.SetName(name)

    currentNodeID = Property(str, lambda self: self._current.GetID() if self._current is not None else "")
