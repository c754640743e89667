"""Reconstructions from few views in the scene, each with the CT that was scanned on the same voxels, its truth."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from CTSuperResolutionPanel.scene import nrrd
from CTSuperResolutionPanel.scene.result_volumes import (
    SCAN_REFERENCE,
    Place,
    WrongResult,
    new_image,
    new_volume,
    report_of,
    role_of,
)

RECONSTRUCTION, TRUTH = "few-views", "few-views-truth"
"""Roles of the volumes."""

TRUTH_REFERENCE = "CTSuperResolution.truth"
"""Node reference from a reconstruction to its truth."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One in the scene. The user may have removed its truth."""

    node: slicer.vtkMRMLScalarVolumeNode
    truth: slicer.vtkMRMLScalarVolumeNode | None

    @property
    def method(self) -> str:
        """The library's name of what made it."""
        return str(self.report.get("job", {}).get("method", ""))

    @property
    def views(self) -> str:
        """How it was scanned, in two words or three."""
        return views_text(self.report)

    @property
    def scores(self) -> Mapping[str, float]:
        """``psnr_db`` and ``ssim_3d`` against the truth, from −1000 to 1000 HU."""
        found = self.report.get("scores", {}).get(self.method, {})
        return found if isinstance(found, Mapping) else {}

    @property
    def seconds(self) -> float | None:
        """What the method took, without loading and writing; None where that is not known."""
        stages = self.report.get("stages", {})
        found = [stages[name]["seconds"] for name in ("filter", "fit") if name in stages]
        return sum(found) if found else None

    @property
    def report(self) -> dict[str, Any]:
        """What the library says of it."""
        return report_of(self.node)


def find_reconstructions() -> list[Reconstruction]:
    """The reconstructions in the scene, oldest first."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [Reconstruction(n, n.GetNodeReference(TRUTH_REFERENCE)) for n in nodes if role_of(n) == RECONSTRUCTION]


def load(files: Mapping[str, Path], shape: tuple[int, int, int]) -> Generator[float, None, dict[str, vtk.vtkImageData]]:
    """Read volumes by name, by steps.

    Args:
        files: where they are. shape: voxels that each has to have, (z, y, x).

    Raises:
        WrongResult: one is damaged, or has other voxels.
    """
    images = {}
    try:
        headers = {name: nrrd.read_header(path) for name, path in files.items()}
        for number, (name, header) in enumerate(headers.items()):
            if header.shape != shape:
                raise WrongResult(_("A reconstruction has other voxels than were asked for; report it with the log."))
            images[name], array = new_image(header)
            for fraction in nrrd.read_into(files[name], header, array):
                yield (number + fraction) / len(headers)
    except (OSError, nrrd.BadFile) as error:
        raise WrongResult(_("A result could not be read ({reason}); run it again.").format(reason=error)) from error
    return images


def place_truth(
    image: vtk.vtkImageData, scan_name: str, millimetres: float, place: Place
) -> slicer.vtkMRMLScalarVolumeNode:
    """The volume of a truth: a new one, or that of an earlier task that is the same."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if role_of(node) == TRUTH and node.GetNodeReference(SCAN_REFERENCE) is place.scan and _same(node, image, place):
            return node
    name = _("{scan} at {size:.3g} mm").format(scan=scan_name, size=millimetres)
    return new_volume(TRUTH, name, image, {}, place)


def place_reconstruction(
    image: vtk.vtkImageData,
    report: Mapping[str, Any],
    truth: slicer.vtkMRMLScalarVolumeNode,
    scan_name: str,
    place: Place,
) -> slicer.vtkMRMLScalarVolumeNode:
    """A new volume of a reconstruction."""
    method = method_title(str(report.get("job", {}).get("method", "")))
    name = _("{scan} {views} {method}").format(scan=scan_name, views=views_text(report), method=method)
    node = new_volume(RECONSTRUCTION, name, image, report, place)
    node.SetNodeReferenceID(TRUTH_REFERENCE, truth.GetID())
    return node


def method_title(name: str) -> str:
    """What a method of reconstruction is called in the panel."""
    titles = {"fdk": "FDK", "sart": "SART", "asd-pocs": "ASD-POCS", "gaussians": _("Gaussians"), "naf": "NAF",
              "diffnr": "DiffNR"}  # fmt: skip
    return titles.get(name, name)


def views_text(report: Mapping[str, Any]) -> str:
    """How many views there were, and that they were parallel where they were."""
    scan = report.get("scan", {})
    pattern = _("{count} parallel views") if scan.get("beam") == "parallel" else _("{count} views")
    return pattern.format(count=scan.get("views", 0))


def _same(node: slicer.vtkMRMLScalarVolumeNode, image: vtk.vtkImageData, place: Place) -> bool:
    """Whether a volume has these voxels in this place."""
    held = node.GetImageData()
    if held is None or held.GetDimensions() != image.GetDimensions() or node.GetTransformNodeID() != place.transform_id:
        return False
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    if not np.allclose(slicer.util.arrayFromVTKMatrix(matrix), place.matrix, atol=1e-6):
        return False
    return np.array_equal(*(vtk_to_numpy(each.GetPointData().GetScalars()) for each in (held, image)))
