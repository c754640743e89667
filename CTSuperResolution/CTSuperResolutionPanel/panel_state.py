"""State of the panel: everything that the user chose, saved with the scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR
from CTSuperResolutionLib.job.refinement import MAX_FACTOR, OFFERED_MM
from CTSuperResolutionPanel.compare.layouts import PLANES, SIDE_BY_SIDE

PER_AXIS = "axes"
"""The scale for which the three factors count."""

BY_SPACING = "spacing"
"""The scale for which the spacing counts; the others are as a job has them."""

NAME_PROPERTY = "SlicerParameterName"
"""The property by which a widget says which choice it is for."""

Factor = Annotated[int, WithinRange(1, MAX_FACTOR)]


@parameterNodeWrapper
class Choices:
    """The panel's choices, kept in a parameter node.

    Attributes:
        inputVolume: the scan.
        unusualVolume: the scan that the user takes although it does not look like one.
        scale: "2", "4", "8", "isotropic", PER_AXIS or BY_SPACING. factorX, factorY, factorZ: for PER_AXIS, along the
            volume's columns, rows and slices. spacing: for BY_SPACING, mm: axes that are finer stay as they are.
        useRoi, roi: work only on a region, and where it is.
        preset, device, prior, seed: as a job has them.
        settings: JSON object of the parameters that differ from the preset.
        previewVoxels: about how many output voxels a preview has along each side.
        srVolume, cubicVolume: the last result.
        fewViews, fewViewsBeam, fewViewsPhotons, fewViewsVoxels, fewViewsMethods: how the CT is scanned again, as
            ``ctsr simulate`` has it; voxels along the longest side; names with commas between them.
        compareFirst, compareSecond, compareThird, compareKind, comparePlane: what is compared, and how.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    unusualVolume: vtkMRMLScalarVolumeNode
    scale: str = "4"
    factorX: Factor = 1
    factorY: Factor = 1
    factorZ: Factor = 4
    spacing: str = f"{OFFERED_MM:g}"
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
    fewViews: Annotated[int, WithinRange(2, 720)] = 36
    fewViewsBeam: str = "cone"
    fewViewsPhotons: str = "100000"
    fewViewsVoxels: int = 96
    fewViewsMethods: str = "fdk,asd-pocs,diffnr"
    compareFirst: vtkMRMLScalarVolumeNode
    compareSecond: vtkMRMLScalarVolumeNode
    compareThird: vtkMRMLScalarVolumeNode
    compareKind: str = SIDE_BY_SIDE
    comparePlane: str = PLANES[0]

    if TYPE_CHECKING:  # what the decorator adds
        parameterNode: Any

        def __init__(self, parameterNode: Any) -> None: ...
        def connectParametersToGui(self, mapping: Mapping[str, Any]) -> int: ...
        def disconnectGui(self, connection: int) -> None: ...
        def StartModify(self) -> int: ...
        def EndModify(self, was: int) -> None: ...
        def AddObserver(self, event: int, callback: Callable[..., None], priority: float = 0.0) -> int: ...
        def RemoveObserver(self, tag: int) -> None: ...


class PanelState(Choices):
    """The choices in a parameter node, and what connects them to the panel's widgets.

    Slicer keeps the values in this object and reads them again only when the node says that it was modified, which it
    does not when a scene is imported over it: a state lives from one import to the next. Up to Slicer 5.8, nothing
    but this class undoes a connection: ``connectGui`` loses its tag, and the node keeps the observer.
    """

    def __init__(self, parameterNode: Any) -> None:
        self._connections: list[int] = []
        self._observations: list[int] = []
        super().__init__(parameterNode)

    def AddObserver(self, event: int, callback: Callable[..., None], priority: float = 0.0) -> int:
        """Watch the node until the state is released."""
        tag = super().AddObserver(event, callback, priority)
        self._observations.append(tag)
        return tag

    def connect_widgets(self, ui: Any) -> None:
        """Connect the widgets that name a choice, both ways.

        Args:
            ui: widgets by name, as ``childWidgetVariables`` gives them.
        """
        named = {widget.property(NAME_PROPERTY): widget for widget in vars(ui).values()}
        mapping = {name: widget for name, widget in named.items() if name}
        self._connections.append(self.connectParametersToGui(mapping))

    def release(self) -> None:
        """Let go of the widgets and of the node."""
        for connection in self._connections:
            self.disconnectGui(connection)
        for tag in self._observations:
            self.RemoveObserver(tag)
        self._connections, self._observations = [], []
