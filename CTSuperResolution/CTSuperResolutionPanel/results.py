"""From result files to volumes in the scene, next to the scan they are from."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

from CTSuperResolutionPanel import geometry, nrrd
from CTSuperResolutionPanel.task import Task

ROLE, REPORT, NOTE, REGION = (f"CTSuperResolution.{name}" for name in ("role", "report", "note", "region"))
"""Node attributes: what a volume is (one of the roles below), its whole report as JSON, the warning that goes with it,
and the part of the scan it shows as JSON."""

SR, CUBIC, TRY_SR, TRY_CUBIC = "sr", "cubic", "try-sr", "try-cubic"

SCAN_REFERENCE = "CTSuperResolution.scan"
"""Node reference from a result to its scan."""

TOLERANCE_MM = 0.001
"""How far a voxel of a result may be from where the scan says; a file's header rounds to far less."""

DEFAULT_WINDOW_LEVEL = (400.0, 40.0)
"""Soft tissue, for a scan that is shown nowhere."""


class WrongResult(Exception):
    """The files are not the result of the job; the message is a sentence for the user."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A result in memory: images by role, how many times finer than the scan they are (z, y, x), and the report."""

    images: Mapping[str, vtk.vtkImageData]
    factors: tuple[int, int, int]
    report: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """Where a scan was when its job began: voxels (z, y, x), and 4 x 4 matrices from indices (x, y, z) to RAS without
    and with the transforms above it.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: np.ndarray
    ijk_to_world: np.ndarray

    @classmethod
    def of(cls, scan: slicer.vtkMRMLScalarVolumeNode) -> Whereabouts:
        """Where a scan is now, under linear transforms."""
        matrix, above = geometry.ijk_to_ras(scan), geometry.ras_to_world(scan)
        return cls(geometry.shape(scan), matrix, matrix if above is None else above @ matrix)


def load(
    folder: Path, report: Mapping[str, Any], task: Task, scan_matrix: np.ndarray
) -> Generator[float, None, Loaded]:
    """Read and check the results of a job, by steps.

    Args:
        folder: where they are.
        report: what the job says of them.
        task: the job.
        scan_matrix: 4 x 4, from the scan's indices (x, y, z) to RAS, as it was when the job began.

    Raises:
        WrongResult: they are damaged, or not where the scan is.
    """
    factors = task.method.refinement(geometry.spacing(scan_matrix))
    shape = tuple(n * s for n, s in zip(task.shape, factors, strict=True))
    matrix = geometry.refined(scan_matrix, [start for start, _stop in task.ranges], factors)
    images = {}
    try:
        headers = {role: nrrd.read_header(folder / f"{role}.nrrd") for role in (SR, CUBIC)}
        for header in headers.values():
            off = geometry.farthest(geometry.LPS @ header.ijk_to_lps, matrix, shape)
            if header.shape != shape or not off <= TOLERANCE_MM:
                raise WrongResult(
                    _("The result does not lie where the scan does, so nothing was loaded; report it with the log.")
                )
        for number, (role, header) in enumerate(headers.items()):
            images[role], array = new_image(header)
            for fraction in nrrd.read_into(folder / f"{role}.nrrd", header, array):
                yield (number + fraction) / len(headers)
    except (OSError, nrrd.BadFile) as error:
        raise WrongResult(_("The result could not be read ({reason}); run it again.").format(reason=error)) from error
    return Loaded(images, factors, report)


def new_image(header: nrrd.Header) -> tuple[vtk.vtkImageData, np.ndarray]:
    """An image of that shape and type, and its voxels (z, y, x) to fill."""
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(header.shape))
    image.AllocateScalars(get_vtk_array_type(header.dtype.newbyteorder("=")), 1)
    return image, vtk_to_numpy(image.GetPointData().GetScalars()).reshape(header.shape)


def place(
    loaded: Loaded, task: Task, scan: slicer.vtkMRMLScalarVolumeNode, was: Whereabouts
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Put a result into the scene, as the scan is: same study, transform, window and colours.

    A scan that was moved meanwhile has its result where it is now; one that has other voxels now, where it was.

    Returns:
        The new volumes by role, SR and CUBIC, of tries, too.
    """
    region = json.dumps(task.ranges)
    kept = geometry.shape(scan) == was.shape
    matrix = geometry.refined(
        geometry.ijk_to_ras(scan) if kept else was.ijk_to_world, [start for start, _stop in task.ranges], loaded.factors
    )
    placed = {}
    for role, image in loaded.images.items():
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(_name(role, task, loaded.report))
        )
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        _show_as(node, scan)
        node.SetAndObserveImageData(image)
        node.SetAndObserveTransformNodeID(scan.GetTransformNodeID() if kept else None)
        node.SetNodeReferenceID(SCAN_REFERENCE, scan.GetID())
        node.SetAttribute(ROLE, f"try-{role}" if task.trial else role)
        node.SetAttribute(REPORT, json.dumps(loaded.report))
        node.SetAttribute(NOTE, str(loaded.report.get("note", "")))
        node.SetAttribute(REGION, region)
        _put_beside(node, scan)
        placed[role] = node
    return placed


def report_of(node: slicer.vtkMRMLNode | None) -> dict[str, Any]:
    """The report that a result carries; empty for any other node."""
    try:
        found = json.loads(node.GetAttribute(REPORT) or "{}") if node is not None else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def role_of(node: slicer.vtkMRMLNode | None) -> str:
    """What a node is: one of the roles, or "" for what is not ours."""
    return (node.GetAttribute(ROLE) or "") if node is not None else ""


def _name(role: str, task: Task, report: Mapping[str, Any]) -> str:
    kind = _("SR") if role == SR else _("cubic")
    scale = factors_text(report.get("scale", ()))
    pattern = _("{scan} {kind} {scale} (try)") if task.trial else _("{scan} {kind} {scale}")
    return pattern.format(scan=task.volume_name, kind=kind, scale=scale)


def factors_text(factors: object) -> str:
    """Factors (z, y, x) as a person writes them: 4×, or 1×1×4 in the order x, y, z."""
    factors = list(factors)
    return f"{factors[0]}×" if len(set(factors)) == 1 else "×".join(map(str, reversed(factors)))


def _show_as(node: slicer.vtkMRMLScalarVolumeNode, scan: slicer.vtkMRMLScalarVolumeNode) -> None:
    """The scan's window, level and colours. Set before there is an image, whose histogram would take a while."""
    shown = scan.GetDisplayNode()
    display = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAutoWindowLevel(False)
    if shown is not None and shown.IsA("vtkMRMLScalarVolumeDisplayNode"):
        display.SetWindowLevel(shown.GetWindow(), shown.GetLevel())
        display.SetAndObserveColorNodeID(shown.GetColorNodeID())
        display.SetInterpolate(shown.GetInterpolate())
    else:
        display.SetWindowLevel(*DEFAULT_WINDOW_LEVEL)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    node.SetAndObserveDisplayNodeID(display.GetID())


def _put_beside(node: slicer.vtkMRMLNode, scan: slicer.vtkMRMLNode) -> None:
    """Under the scan's study, or whatever it is under."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    scan_item = hierarchy.GetItemByDataNode(scan)
    item = hierarchy.GetItemByDataNode(node)
    if item and scan_item:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(scan_item))
