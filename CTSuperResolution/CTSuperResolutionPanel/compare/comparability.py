"""Comparability of volumes, and what keeps some from being compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.compare.grids import world_bounds


def find_problem(volumes: Sequence[slicer.vtkMRMLNode | None]) -> str:
    """One sentence that says why these volumes cannot be compared and what to do; empty when they can."""
    chosen = [volume for volume in volumes if volume is not None]
    if len(chosen) < 2 or None in volumes[:2]:
        return _("Choose two volumes to compare.")
    for volume in chosen:
        if problem := _problem_of(volume):
            return problem
    if len({volume.GetID() for volume in chosen}) < len(chosen):
        return _("{name} is chosen twice; choose different volumes.").format(name=_repeated(chosen))
    first = chosen[0]
    for other in chosen[1:]:
        if not _overlap(first, other):
            return _(
                "{first} and {other} lie in different places, so that there is nothing to compare; choose volumes of "
                "the same scan, or register them first."
            ).format(first=first.GetName(), other=other.GetName())
    return ""


def _problem_of(volume: slicer.vtkMRMLNode) -> str:
    name = volume.GetName()
    if not volume.IsA("vtkMRMLScalarVolumeNode"):
        return _("{name} is not a volume; choose a CT volume.").format(name=name)
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        return _("{name} is a label map, which has no intensities to compare; choose a CT volume.").format(name=name)
    image = volume.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        return _("{name} holds no image; load it again or choose another volume.").format(name=name)
    if volume.IsA("vtkMRMLTensorVolumeNode") or image.GetNumberOfScalarComponents() != 1:
        return _("{name} has several values in every voxel; choose a volume with one, such as a CT.").format(name=name)
    return ""


def _overlap(first: slicer.vtkMRMLScalarVolumeNode, second: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether the boxes around two volumes share some space."""
    one, two = world_bounds(first), world_bounds(second)
    return bool(np.all(np.minimum(one[:, 1], two[:, 1]) > np.maximum(one[:, 0], two[:, 0])))


def _repeated(volumes: Sequence[slicer.vtkMRMLNode]) -> str:
    ids = [volume.GetID() for volume in volumes]
    return next(volume.GetName() for volume in volumes if ids.count(volume.GetID()) > 1)
