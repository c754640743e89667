"""Result volumes: read from a job's files, checked, and placed in the scene beside their scan."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionPanel.scene import nrrd, voxel_geometry
from CTSuperResolutionPanel.scene.result_folders import RESULTS, TRIES, put_into_folder
from CTSuperResolutionPanel.scene.scan_placement import ScanPlacement
from CTSuperResolutionPanel.scene.voxel_geometry import VoxelRanges

ROLE, REPORT, NOTE, REGION, NUMBER = (
    f"CTSuperResolution.{name}" for name in ("role", "report", "note", "region", "number")
)
"""Node attributes: what a volume is (one of the roles below), its whole report as JSON, the warning that goes with it,
the part of the scan it shows as JSON, and the number of a preview."""

SR, CUBIC, PREVIEW_SR, PREVIEW_CUBIC = "sr", "cubic", "preview-sr", "preview-cubic"
MEASURED = "measured"
"""What the scan alone supports: there is one where the job wrote it and is no preview."""

ERROR = "error"
"""How large the error may be: there is one where the job wrote it and is no preview."""

FILES = {MEASURED: "measured.nrrd", ERROR: "error_90.nrrd"}
"""What a job may write beside SR and CUBIC, by role."""

SCAN_REFERENCE = "CTSuperResolution.scan"
"""Node reference from a result to its scan."""

MEASURED_REFERENCE = "CTSuperResolution.measured"
"""Node reference from a super-resolved volume to what was measured."""

ERROR_REFERENCE = "CTSuperResolution.error"
"""Node reference from a super-resolved volume to how large its error may be."""

ERROR_WINDOW_LEVEL = (200.0, 100.0)
"""From no error to one of 200 HU."""

TOLERANCE_MM = 0.001
"""How far a voxel of a result may be from where the scan says; a file's header rounds to far less."""

DEFAULT_WINDOW_LEVEL = (400.0, 40.0)
"""Soft tissue, for a scan that is shown nowhere."""


class WrongResult(Exception):
    """The files are not the result of the job; the message is a sentence for the user."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where volumes that were made of a scan belong.

    Attributes:
        scan: that scan.
        matrix: 4 x 4, from their indices (x, y, z) to RAS.
        transform_id: of the transform above, if there is one.
        folder: beside the scan, one of the kinds of result folders.
    """

    scan: slicer.vtkMRMLScalarVolumeNode
    matrix: np.ndarray
    transform_id: str | None
    folder: str


@dataclass(frozen=True, eq=False)
class LoadedResult:
    """A result in memory.

    Attributes:
        images: by role.
        ranges: the part of the scan that they show.
        target: their voxels over that part.
        report: what the job says of them.
    """

    images: Mapping[str, vtk.vtkImageData]
    ranges: VoxelRanges
    target: TargetGrid
    report: Mapping[str, Any]


def load(
    folder: Path,
    report: Mapping[str, Any],
    ranges: VoxelRanges,
    target: TargetGrid,
    scan_matrix: np.ndarray,
) -> Generator[float, None, LoadedResult]:
    """Read and check the results of a job, by steps.

    Args:
        folder: where they are.
        report: what the job says of them.
        ranges: the part of the scan that the job was for.
        target: the voxels that the result has to have over that part.
        scan_matrix: 4 x 4, from the scan's indices (x, y, z) to RAS, as it was when the job began.

    Raises:
        WrongResult: they are damaged, or not where the scan is.
    """
    shape, starts = target.shape, [start for start, _stop in ranges]
    matrix = voxel_geometry.refined(voxel_geometry.part(scan_matrix, starts), target)
    images = {}
    try:
        more = {role: name for role, name in FILES.items() if name in report.get("files", ())}
        names = {role: f"{role}.nrrd" for role in (SR, CUBIC)} | more
        headers = {role: nrrd.read_header(folder / name) for role, name in names.items()}
        for header in headers.values():
            off = voxel_geometry.farthest(voxel_geometry.LPS @ header.ijk_to_lps, matrix, shape)
            if header.shape != shape or not off <= TOLERANCE_MM:
                raise WrongResult(
                    _("The result does not lie where the scan does, so nothing was loaded; report it with the log.")
                )
        for number, (role, header) in enumerate(headers.items()):
            images[role], array = new_image(header)
            for fraction in nrrd.read_into(folder / names[role], header, array):
                yield (number + fraction) / len(headers)
    except (OSError, nrrd.BadFile) as error:
        raise WrongResult(_("The result could not be read ({reason}); run it again.").format(reason=error)) from error
    return LoadedResult(images, ranges, target, report)


def new_image(header: nrrd.Header) -> tuple[vtk.vtkImageData, np.ndarray]:
    """An image of that shape and type, and its voxels (z, y, x) to fill."""
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(header.shape))
    image.AllocateScalars(get_vtk_array_type(header.dtype.newbyteorder("=")), 1)
    return image, vtk_to_numpy(image.GetPointData().GetScalars()).reshape(header.shape)


def place(
    loaded: LoadedResult,
    scan: slicer.vtkMRMLScalarVolumeNode,
    placement: ScanPlacement,
    *,
    scan_name: str,
    preview: bool,
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Put a result into the scene, as the scan is: same transform, window and colours, and beside it in a folder.

    A scan that was moved meanwhile has its result where it is now; one that has other voxels now, where it was. A
    preview is not saved with the scene, until somebody says so.

    Args:
        loaded: the result.
        scan: what it was made from.
        placement: where that was when the job began.
        scan_name: what it was called then.
        preview: the result is a preview.

    Returns:
        The new volumes by role, SR and CUBIC, of previews, too; MEASURED and ERROR where there are, which no preview
        has.
    """
    region = json.dumps(loaded.ranges)
    whole, transform_id = placement.now(scan)
    starts = [start for start, _stop in loaded.ranges]
    matrix = voxel_geometry.refined(voxel_geometry.part(whole, starts), loaded.target)
    there = Place(scan, matrix, transform_id, TRIES if preview else RESULTS)
    number = _next_number() if preview else None
    placed = {}
    for role, image in loaded.images.items():
        if preview and role in FILES:
            continue
        name = _name(role, scan_name, loaded.report, number)
        node = new_volume(f"preview-{role}" if preview else role, name, image, loaded.report, there)
        if role == ERROR:
            node.GetDisplayNode().SetWindowLevel(*ERROR_WINDOW_LEVEL)
        node.SetAttribute(REGION, region)
        if number is not None:
            node.SetAttribute(NUMBER, str(number))
            set_saved(node, False)
        placed[role] = node
    if MEASURED in placed:
        placed[SR].SetNodeReferenceID(MEASURED_REFERENCE, placed[MEASURED].GetID())
    if ERROR in placed:
        placed[SR].SetNodeReferenceID(ERROR_REFERENCE, placed[ERROR].GetID())
    return placed


def new_volume(
    role: str, name: str, image: vtk.vtkImageData, report: Mapping[str, Any], place: Place
) -> slicer.vtkMRMLScalarVolumeNode:
    """A new volume in the scene, shown as its scan is and in a folder beside it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(place.matrix))
    show_as(node, place.scan)
    node.SetAndObserveImageData(image)
    node.SetAndObserveTransformNodeID(place.transform_id)
    node.SetNodeReferenceID(SCAN_REFERENCE, place.scan.GetID())
    node.SetAttribute(ROLE, role)
    node.SetAttribute(REPORT, json.dumps(report))
    node.SetAttribute(NOTE, str(report.get("note", "")))
    put_into_folder(node, place.scan, scan_reference=SCAN_REFERENCE, kind=place.folder)
    return node


def measured_of(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """What was measured of a super-resolved volume, where that is in the scene and holds an image."""
    return _referenced(node, MEASURED_REFERENCE)


def error_of(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """How large the error of a super-resolved volume may be, where that is in the scene and holds an image."""
    return _referenced(node, ERROR_REFERENCE)


def _referenced(node: slicer.vtkMRMLNode, reference: str) -> slicer.vtkMRMLScalarVolumeNode | None:
    found = node.GetNodeReference(reference)
    return found if found is not None and found.GetImageData() is not None else None


def set_saved(node: slicer.vtkMRMLScalarVolumeNode, saved: bool) -> None:
    """Have a volume saved with the scene, or not."""
    for each in (node, node.GetDisplayNode()):
        if each is not None:
            each.SetSaveWithScene(saved)


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


def _name(role: str, scan_name: str, report: Mapping[str, Any], number: int | None) -> str:
    kind = {SR: _("SR"), CUBIC: _("cubic"), MEASURED: _("measured"), ERROR: _("error ±")}[role]
    scale = factors_text(report.get("scale", ()))
    pattern = _("{scan} {kind} {scale}") if number is None else _("{scan} try {number} {kind} {scale}")
    return pattern.format(scan=scan_name, kind=kind, scale=scale, number=number)


def _next_number() -> int:
    """The number of the next preview: one that no volume in the scene has, so that none is mistaken for another."""
    numbers = [node.GetAttribute(NUMBER) for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    return 1 + max((int(number) for number in numbers if number and number.isdigit()), default=0)


def factors_text(factors: Sequence[float]) -> str:
    """Factors (z, y, x) as a person writes them: 4×, or 1×1×6.41 in the order x, y, z."""
    texts = [f"{factor:.3g}" for factor in reversed(factors)]
    return f"{texts[0]}×" if len(set(texts)) == 1 else "×".join(texts)


def show_as(node: slicer.vtkMRMLScalarVolumeNode, scan: slicer.vtkMRMLScalarVolumeNode) -> None:
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
