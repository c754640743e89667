"""The scene with the real logics of Slicer's modules, as the application starts them."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

# Modules in the order in which Slicer starts them, with the class of their logic.
LOGICS = {
    "Units": "vtkSlicerUnitsLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
}

# What the subject hierarchy's plugins take up by themselves.
IN_SUBJECT_HIERARCHY = (
    "vtkMRMLVolumeNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLTextNode",
)


BEFORE_OTHERS = 10.0
"""Observer priority of what Slicer does before its widgets look at the scene again."""


class Scene:
    """The scene, the application's logic and the modules' logics; they live as long as this object."""

    def __init__(self, home: str, temporary: str):
        self.scene = slicer.vtkMRMLScene()
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetTemporaryPath(temporary)
        self.application_logic.SetHomeDirectory(home)
        self.application_logic.SetShareDirectory("share")
        self.application_logic.SetMRMLScene(self.scene)
        colors = slicer.vtkSlicerColorLogic()
        colors.SetMRMLApplicationLogic(self.application_logic)
        colors.SetMRMLScene(self.scene)
        self.application_logic.SetColorLogic(colors)
        self.application_logic.SetModuleLogic("Colors", colors)
        self.logics: dict[str, Any] = {"Colors": colors}
        for name, kind in LOGICS.items():
            logic = getattr(slicer, kind)()
            logic.SetMRMLApplicationLogic(self.application_logic)
            logic.SetMRMLScene(self.scene)
            self.application_logic.SetModuleLogic(name, logic)
            if name == "VolumeRendering":
                logic.SetModuleShareDirectory(f"{home}/share")  # its presets file is there, and empty
            self.logics[name] = logic
        self._default_nodes()
        self._watch_hierarchy()
        self._keep_imports_quiet()

    def _default_nodes(self) -> None:
        """Nodes that Slicer's scene always has."""
        for kind in ("vtkMRMLCrosshairNode",):
            if self.scene.GetFirstNodeByClass(kind) is None:
                node = self.scene.CreateNodeByClass(kind)
                node.UnRegister(None)
                node.SetSingletonTag("default")
                node.SetCrosshairName("default")
                self.scene.AddNode(node)

    def _watch_hierarchy(self) -> None:
        """Data nodes get an item in the subject hierarchy, as its plugins in Slicer do."""

        def add(scene: Any, event: str, node: Any) -> None:
            if node is not None and not scene.IsImporting():
                self._take_up(node)

        def add_imported(scene: Any, event: str) -> None:
            if scene.IsBatchProcessing():  # as a scene that is loaded in place of another; its items are not yet there
                return
            slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
            for index in range(scene.GetNumberOfNodes()):
                self._take_up(scene.GetNthNode(index))

        def remove(scene: Any, event: str, node: Any) -> None:
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            if node is None or scene.IsClosing() or not any(node.IsA(kind) for kind in IN_SUBJECT_HIERARCHY):
                return
            item = hierarchy.GetItemByDataNode(node)
            if item != hierarchy.GetInvalidItemID():
                hierarchy.RemoveItem(item, False, False)

        add.CallDataType = remove.CallDataType = vtk.VTK_OBJECT
        self.scene.AddObserver(self.scene.NodeAddedEvent, add)
        self.scene.AddObserver(self.scene.NodeAboutToBeRemovedEvent, remove)
        for event in (self.scene.EndImportEvent, self.scene.EndBatchProcessEvent):
            self.scene.AddObserver(event, add_imported, BEFORE_OTHERS)

    def _keep_imports_quiet(self) -> None:
        """Parameter nodes that an import writes over say nothing of it, as in Slicer 5.8; slicer-core's would."""

        def set_quiet(quiet: bool) -> None:
            nodes = self.scene.GetNodesByClass("vtkMRMLScriptedModuleNode")
            nodes.UnRegister(None)
            for index in range(nodes.GetNumberOfItems()):
                nodes.GetItemAsObject(index).SetDisableModifiedEvent(quiet)

        self.scene.AddObserver(self.scene.StartImportEvent, lambda *_: set_quiet(True))
        self.scene.AddObserver(self.scene.EndImportEvent, lambda *_: set_quiet(False), BEFORE_OTHERS)

    def _take_up(self, node: Any) -> None:
        if node.GetHideFromEditors() or not any(node.IsA(kind) for kind in IN_SUBJECT_HIERARCHY):
            return
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        if hierarchy.GetItemByDataNode(node) == hierarchy.GetInvalidItemID():
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
