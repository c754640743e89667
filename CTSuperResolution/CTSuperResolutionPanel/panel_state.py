"""State of the panel: everything that the user chose, saved with the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from CTSuperResolutionLib.job.method import MAX_FACTOR
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR
from CTSuperResolutionPanel.compare.layouts import PLANES, SIDE_BY_SIDE

PER_AXIS = "axes"
"""The scale for which the three factors count; the others are as a job has them."""

Factor = Annotated[int, WithinRange(1, MAX_FACTOR)]


@parameterNodeWrapper
class PanelState:
    """The panel's choices.

    Attributes:
        inputVolume: the scan.
        unusualVolume: the scan that the user takes although it does not look like one.
        scale: "2", "4", "8", "isotropic" or PER_AXIS. factorX, factorY, factorZ: for PER_AXIS, along the volume's
            columns, rows and slices.
        useRoi, roi: work only on a region, and where it is.
        preset, device, prior, seed: as a job has them.
        settings: JSON object of the parameters that differ from the preset.
        previewVoxels: about how many output voxels a preview has along each side.
        srVolume, cubicVolume: the last result.
        compareFirst, compareSecond, compareThird, compareKind, comparePlane: what is compared, and how.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    unusualVolume: vtkMRMLScalarVolumeNode
    scale: str = "4"
    factorX: Factor = 1
    factorY: Factor = 1
    factorZ: Factor = 4
    useRoi: bool = False
    roi: vtkMRMLMarkupsROINode
    preset: str = DEFAULT_PRESET
    device: str = "auto"
    prior: str = DEFAULT_PRIOR
    seed: int = 0
    settings: str = "{}"
    previewVoxels: int = 96
    srVolume: vtkMRMLScalarVolumeNode
    cubicVolume: vtkMRMLScalarVolumeNode
    compareFirst: vtkMRMLScalarVolumeNode
    compareSecond: vtkMRMLScalarVolumeNode
    compareThird: vtkMRMLScalarVolumeNode
    compareKind: str = SIDE_BY_SIDE
    comparePlane: str = PLANES[0]

    if TYPE_CHECKING:  # what the decorator adds
        parameterNode: Any

        def __init__(self, parameterNode: Any) -> None: ...
        def connectGui(self, widgets: Any) -> int: ...
        def disconnectGui(self, connection: int | None) -> None: ...
        def StartModify(self) -> int: ...
        def EndModify(self, was: int) -> None: ...
