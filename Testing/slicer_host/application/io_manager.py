"""Loading and saving nodes and scenes through their real storage nodes."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from PySide6.QtCore import QObject

from slicer_host.pythonqt.classes import register

EXTENSIONS = {
    "SceneFile": (".mrml", ".mrb"),
    "TransformFile": (".h5", ".tfm", ".mat"),
    "MarkupsFile": (".mrk.json", ".fcsv", ".json"),
    "ModelFile": (".vtk", ".vtp", ".stl", ".obj", ".ply"),
    "TableFile": (".csv", ".tsv"),
    "SegmentationFile": (".seg.nrrd",),
    "TextFile": (".txt",),
    "ColorTableFile": (".ctbl",),
    "VolumeFile": (".nrrd", ".nhdr", ".mha", ".mhd", ".nii.gz", ".nii", ".dcm", ".hdr"),
}
NODES = {
    "TransformFile": ("vtkMRMLTransformNode", "vtkMRMLLinearTransformNode", "vtkMRMLTransformStorageNode"),
    "ModelFile": ("vtkMRMLModelNode", "vtkMRMLModelNode", "vtkMRMLModelStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
    "TextFile": ("vtkMRMLTextNode", "vtkMRMLTextNode", "vtkMRMLTextStorageNode"),
}


@register
class qSlicerIOManager(QObject):
    """slicer.app.ioManager() and coreIOManager()."""

    def __init__(self, scene: Any, logics: dict[str, Any], application_logic: Any, parent: QObject | None = None):
        super().__init__(parent)
        self._scene, self._logics, self._application_logic = scene, logics, application_logic

    def fileType(self, path: str) -> str:
        """As in VolumeFile, by the file's ending."""
        for kind in ("SegmentationFile", *EXTENSIONS):
            if path.lower().endswith(EXTENSIONS[kind]):
                return kind
        return "NoFile"

    def fileWriterFileType(self, node: Any, extension: str = "") -> str:
        """What a node is saved as."""
        if node.IsA("vtkMRMLVolumeNode"):
            return "VolumeFile"
        if node.IsA("vtkMRMLMarkupsNode"):
            return "MarkupsFile"
        return next((kind for kind, (base, _, _) in NODES.items() if node.IsA(base)), "NodeFile")

    def loadNodes(self, kind: str, properties: dict, nodes: Any = None, messages: Any = None) -> bool:
        """Load a file; the nodes are added to the collection."""
        path = properties["fileName"]
        if kind == "SceneFile":
            return self.loadScene(path, properties.get("clear", False), messages)
        node = None
        if os.path.exists(path):
            node = self._load_volume(path, properties) if kind == "VolumeFile" else self._load(kind, path)
        if node is None:
            return False
        if properties.get("name"):
            node.SetName(properties["name"])
        if nodes is not None:
            nodes.AddItem(node)
        return True

    def _load_volume(self, path: str, properties: dict) -> Any:
        options = 0
        options |= 1 if properties.get("labelmap") else 0
        options |= 2 if properties.get("center") else 0
        options |= 4 if properties.get("singleFile") else 0
        options |= 0 if properties.get("autoWindowLevel", True) else 16
        options |= 32 if properties.get("discardOrientation") else 0
        name = properties.get("name") or os.path.basename(path).split(".")[0]
        node = self._logics["Volumes"].AddArchetypeVolume(path, name, options)
        if node is not None and properties.get("show", True) and not properties.get("labelmap"):
            selection = self._application_logic.GetSelectionNode()
            selection.SetActiveVolumeID(node.GetID())
            self._application_logic.PropagateVolumeSelection()
        return node

    def _load(self, kind: str, path: str) -> Any:
        name = self._scene.GenerateUniqueName(os.path.basename(path).split(".")[0])
        if kind == "MarkupsFile":
            identifier = self._logics["Markups"].LoadMarkups(path, name)
            return self._scene.GetNodeByID(identifier) if identifier else None
        if kind not in NODES:
            return None
        node = self._scene.AddNewNodeByClass(NODES[kind][1], name)
        storage = self._scene.AddNewNodeByClass(NODES[kind][2])
        storage.SetFileName(path)
        if not storage.ReadData(node):
            self._scene.RemoveNode(node)
            self._scene.RemoveNode(storage)
            return None
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node

    def saveNodes(self, kind: str, properties: dict, messages: Any = None) -> bool:
        """Save a node or the scene."""
        path = properties["fileName"]
        if kind == "SceneFile":
            return self.saveScene(path, None, messages)
        node = self._scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        storage.SetUseCompression(properties.get("useCompression", storage.GetUseCompression()))
        return bool(storage.WriteData(node))

    def fileWriterExtensions(self, node: Any) -> list[str]:
        """Formats a node can be written in, as in 'NRRD (.nrrd)'."""
        storage = node.CreateDefaultStorageNode()
        if storage is None:
            return []
        storage.UnRegister(None)
        kinds = storage.GetSupportedWriteFileTypes()
        known = [kinds.GetValue(index) for index in range(kinds.GetNumberOfValues())]
        # The storage node of volumes learns its formats from ITK only when it first writes.
        return known or [f"{ending[1:]} ({ending})" for ending in EXTENSIONS.get(self.fileWriterFileType(node), ())]

    def extractKnownExtension(self, path: str, node: Any) -> str:
        """The ending of a file's name that is one of the node's formats."""
        known = [item.split("(")[-1].rstrip(")") for item in self.fileWriterExtensions(node)]
        fitting = [extension for extension in known if path.lower().endswith(extension)]
        return max(fitting, key=len, default="." + path.rsplit(".", 1)[-1])

    def exportNodes(self, identifiers: Any, paths: Any, properties: dict, harden: bool, messages: Any = None) -> bool:
        """Write nodes without changing their own storage nodes."""
        done = True
        for identifier, path in zip(identifiers, paths, strict=True):
            node = self._scene.GetNodeByID(identifier)
            copy = node
            if harden and node.GetParentTransformNode() is not None:
                copy = self._scene.CopyNode(node)
                copy.SetAndObserveTransformNodeID(node.GetTransformNodeID())
                copy.HardenTransform()
            storage = copy.CreateDefaultStorageNode()
            storage.UnRegister(None)
            self._scene.AddNode(storage)
            storage.SetFileName(path)
            done = bool(storage.WriteData(copy)) and done
            self._scene.RemoveNode(storage)
            if copy is not node:
                self._scene.RemoveNode(copy)
        return done

    def loadScene(self, path: str, clear: bool = True, messages: Any = None) -> bool:
        """Load a scene, in place of the present one or into it."""
        if not os.path.exists(path):
            return False
        if path.lower().endswith(".mrb"):
            if clear:
                self._scene.Clear(0)
            folder = tempfile.mkdtemp(dir=self._application_logic.GetTemporaryPath())
            return bool(self._application_logic.OpenSlicerDataBundle(path, folder))
        self._scene.SetURL(path)
        return bool(self._scene.Connect() if clear else self._scene.Import())

    def saveScene(self, path: str, picture: Any = None, messages: Any = None) -> bool:
        """Save a scene: .mrml, .mrb, or into a folder."""
        if path.lower().endswith(".mrml"):
            self._scene.SetURL(path)
            return bool(self._scene.Commit())
        if path.lower().endswith(".mrb"):
            return bool(self._scene.WriteToMRB(path))
        return bool(self._application_logic.SaveSceneToSlicerDataBundleDirectory(path, None))
