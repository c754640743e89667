"""Suitability of a volume for super-resolution, and what speaks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from CTSuperResolutionLib.volume.checks import (
    MIN_CONTRAST_HU,
    MIN_SIDE,
    SPACING_RANGE_MM,
    VALUE_RANGE,
)
from CTSuperResolutionLib.volume.geometry import grid_geometry
from CTSuperResolutionPanel.scene import straightening, voxel_geometry
from CTSuperResolutionPanel.scene.result_volumes import role_of


@dataclass(frozen=True)
class Facts:
    """What matters of a volume node.

    Attributes:
        kind: its MRML class. components: values in a voxel.
        shape: voxels (z, y, x). spacing: mm (z, y, x). straight: its axes are at right angles.
        low, high: its least and largest value, NaN where any value is.
        linear: the transforms above it are linear, at least over its voxels.
        tilt: degrees by which its slices are displaced sideways, as by a tilted gantry; None where that is not what
            keeps its axes from being straight.
        modality: of its DICOM series, "" where it has none.
        role: what it is among the results of this module, "" where it is none.
    """

    kind: str
    components: int
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    straight: bool
    low: float
    high: float
    linear: bool
    tilt: float | None
    modality: str
    role: str


@dataclass(frozen=True)
class Problem:
    """Why a volume is not usable, in a sentence, and whether the user may insist, or have it straightened."""

    sentence: str
    may_insist: bool = False
    may_straighten: bool = False


def facts_of(volume: slicer.vtkMRMLVolumeNode) -> Facts:
    """Look at a node. The range of its values is known to VTK once it has been shown."""
    image = volume.GetImageData()
    shape, spacing = voxel_geometry.shape(volume), voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume))
    matrix = voxel_geometry.stated_grid(volume)
    straight = matrix is None or grid_geometry(matrix[:3, :3], matrix[:3, 3], shape) is not None
    scalars = None if image is None else image.GetPointData().GetScalars()
    low, high = (0.0, 0.0) if scalars is None else image.GetScalarRange()
    if scalars is not None and _nan_finder.finds(scalars):
        low = high = math.nan
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volume)
    return Facts(
        kind=volume.GetClassName(),
        components=0 if image is None else image.GetNumberOfScalarComponents(),
        shape=shape,
        spacing=spacing,
        straight=straight,
        low=low,
        high=high,
        linear=matrix is not None,
        tilt=None if straight or matrix is None else straightening.tilt(matrix, shape),
        modality=hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else "",
        role=role_of(volume),
    )


class _NanFinder:
    """Looks for NaN, which VTK leaves out of the range of values, once per change of a volume however often asked."""

    def __init__(self) -> None:
        self._seen, self._found = -1, False

    def finds(self, scalars: vtk.vtkDataArray) -> bool:
        """Whether any value is NaN. The least value then is, too, and is soon found."""
        if scalars.GetDataType() not in (vtk.VTK_FLOAT, vtk.VTK_DOUBLE) or scalars.GetNumberOfValues() == 0:
            return False
        time = scalars.GetMTime()  # no two changes in VTK have the same
        if time != self._seen:
            with np.errstate(invalid="ignore"):
                self._seen, self._found = time, bool(np.isnan(vtk_to_numpy(scalars).min()))
        return self._found


_nan_finder = _NanFinder()


def find_problem(facts: Facts) -> Problem | None:
    """What speaks against a volume; None where nothing does."""
    hard = _impossible(facts)
    if hard:
        return Problem(hard, may_straighten=facts.tilt is not None and hard == _not_straight(facts))
    soft = _unlike_a_scan(facts)
    return Problem(soft, may_insist=True) if soft else None


def _impossible(facts: Facts) -> str:
    if facts.kind != "vtkMRMLScalarVolumeNode":
        return _("This is no scan but a label map or vector volume; choose a CT.")
    if min(facts.shape) == 0:
        return _("This volume has no image; choose another one.")
    if facts.components != 1:
        return _("This volume has {count} values in every voxel; choose a CT.").format(count=facts.components)
    if min(facts.shape) == 1:
        return _("This volume is a single slice; choose one with at least {least}.").format(least=MIN_SIDE)
    if min(facts.shape) < MIN_SIDE:
        return _("This volume has {size} voxels, and {least} are the least along any axis.").format(
            size=" × ".join(map(str, reversed(facts.shape))), least=MIN_SIDE
        )
    if not all(math.isfinite(s) and s > 0 for s in facts.spacing):
        return _("This volume has an impossible voxel spacing; set its true one in the Volumes module.")
    if not facts.straight:
        return _not_straight(facts)
    if not facts.linear:
        return _("This volume is under a non-linear transform; harden or remove that.")
    if not all(map(math.isfinite, (facts.low, facts.high))):
        return _("Some voxels are NaN or infinite; set them to -1024 HU (air).")
    return ""


def _not_straight(facts: Facts) -> str:
    if facts.tilt is None:
        return _("The voxel axes are not at right angles; resample the volume to a straight grid.")
    return _("The slices are tilted by {angle:.1f} degrees (gantry tilt); press Straighten.").format(angle=facts.tilt)


def _unlike_a_scan(facts: Facts) -> str:
    if facts.role:
        return _("This volume is a result of this module; choose the scan it was made from.")
    span = _("its values run from {low:.4g} to {high:.4g}").format(low=facts.low, high=facts.high)
    if facts.modality not in ("", "CT"):
        return _("This does not look like CT: its DICOM modality is {modality}.").format(modality=facts.modality)
    least, most = SPACING_RANGE_MM
    if not all(least <= s <= most for s in facts.spacing):
        return _("This does not look like CT: its voxel spacing is {spacing} mm.").format(
            spacing=" × ".join(f"{s:g}" for s in reversed(facts.spacing))
        )
    if facts.high - facts.low < MIN_CONTRAST_HU:
        return _("This does not look like CT in Hounsfield units: {span} (normalised?).").format(span=span)
    if facts.low >= 0:
        return _("This does not look like CT in Hounsfield units: {span}, none is negative.").format(span=span)
    if facts.low < VALUE_RANGE[0] or facts.high > VALUE_RANGE[1]:
        return _("This does not look like CT in Hounsfield units: {span}.").format(span=span)
    return ""
