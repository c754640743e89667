"""Folders in the subject hierarchy for what is made of a scan: one beside it for its results, in that one for tries,
and one for what few views of it show.
"""

from __future__ import annotations

from collections.abc import Iterator

import slicer
import vtk
from slicer.i18n import tr as _

FOLDER = "CTSuperResolution.folder"
"""Attribute of a folder of ours: RESULTS, TRIES or VIEWS."""

RESULTS, TRIES, VIEWS = "results", "tries", "views"


def put_into_folder(
    node: slicer.vtkMRMLNode, scan: slicer.vtkMRMLNode, *, scan_reference: str, kind: str = RESULTS
) -> None:
    """Put a volume into the folder of its scan, made where there is none.

    Args:
        node: the volume, which refers to its scan already.
        scan: what it was made from. Its folder is in the same study, or whatever the scan is in.
        scan_reference: role of the node reference from volumes to their scan.
        kind: of the folder.
    """
    hierarchy = _hierarchy()
    item, scan_item = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(scan)
    if not item or not scan_item:
        return
    place = hierarchy.GetItemParent(scan_item)
    beside, title = (VIEWS, _("{scan}, fewer views")) if kind == VIEWS else (RESULTS, _("{scan}, super-resolved"))
    name = title.format(scan=scan.GetName())
    folder = _find(place, beside, name, scan, scan_reference) or _make(place, beside, name)
    if kind == TRIES:
        folder = next(_folders(folder, TRIES), 0) or _make(folder, TRIES, _("Tries"))
    hierarchy.SetItemParent(item, folder)


def remove_empty_folders() -> None:
    """Take the folders away that hold nothing any more.

    Nor does one hold anything that holds the names of volumes only, which are what a saved scene has of volumes that
    were not saved with it.
    """
    hierarchy = _hierarchy()
    for kind in (TRIES, RESULTS, VIEWS):
        for folder in [*_folders(hierarchy.GetSceneItemID(), kind, recursive=True)]:
            for item in _children(folder):
                if hierarchy.GetItemDataNode(item) is None and not hierarchy.GetItemLevel(item):
                    hierarchy.RemoveItem(item)
            if not _children(folder):
                hierarchy.RemoveItem(folder)


def _find(place: int, kind: str, name: str, scan: slicer.vtkMRMLNode, scan_reference: str) -> int:
    """The folder of a scan's results: one that holds a volume of that scan, or an empty one of that name; 0 without."""
    hierarchy = _hierarchy()
    for folder in _folders(place, kind):
        nodes = [hierarchy.GetItemDataNode(item) for item in _children(folder, recursive=True)]
        nodes = [node for node in nodes if node is not None]
        if any(node.GetNodeReference(scan_reference) is scan for node in nodes):
            return folder
        if not nodes and hierarchy.GetItemName(folder) == name:
            return folder
    return 0


def _make(place: int, kind: str, name: str) -> int:
    hierarchy = _hierarchy()
    folder = hierarchy.CreateFolderItem(place, name)
    hierarchy.SetItemAttribute(folder, FOLDER, kind)
    return folder


def _folders(place: int, kind: str, *, recursive: bool = False) -> Iterator[int]:
    hierarchy = _hierarchy()
    for item in _children(place, recursive=recursive):
        if hierarchy.GetItemAttribute(item, FOLDER) == kind:
            yield item


def _children(item: int, *, recursive: bool = False) -> list[int]:
    ids = vtk.vtkIdList()
    _hierarchy().GetItemChildren(item, ids, recursive)
    return [ids.GetId(index) for index in range(ids.GetNumberOfIds())]


def _hierarchy() -> slicer.vtkMRMLSubjectHierarchyNode:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
