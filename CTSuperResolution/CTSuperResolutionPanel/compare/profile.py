"""Profile along a line drawn in the views, through all compared volumes, as a plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin
from vtk.util.numpy_support import numpy_to_vtk

from CTSuperResolutionPanel.compare.grids import ijk_to_world, world_to_voxels
from CTSuperResolutionPanel.compare.layouts import COLORS

FEWEST, MOST = 50, 2000
"""Points along a line."""

LINE_EVENTS = (
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)
VOLUME_EVENTS = (
    slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)
DISTANCE = "mm"
"""Name of the table's column of distances."""


def sample(volume: slicer.vtkMRMLScalarVolumeNode, points: np.ndarray) -> np.ndarray:
    """Values of a volume at points in world mm, shape (n, 3), interpolated linearly along all three axes.

    Returns:
        Float64, shape (n,); NaN for points farther out than the centres of the outermost voxels.
    """
    array = slicer.util.arrayFromVolume(volume)
    position = world_to_voxels(volume, np.asarray(points, float))[:, ::-1]  # z, y, x as the array
    last = np.array(array.shape) - 1
    inside = np.all((position > -1e-6) & (position < last + 1e-6), axis=1)
    position = np.clip(position, 0, last)
    low = np.minimum(position.astype(int), np.maximum(last - 1, 0))
    high = np.minimum(low + 1, last)
    part = position - low
    values = np.zeros(len(position))
    for corner in np.ndindex(2, 2, 2):
        index = tuple(np.where(corner, high, low).T)
        values += array[index] * np.prod(np.where(corner, part, 1 - part), axis=1)
    return np.where(inside, values, np.nan)


def line_points(start: np.ndarray, end: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points along a line, at most half a voxel of this spacing (mm) apart.

    Returns:
        Distances from the start in mm, shape (n,), and the points in mm, shape (n, 3).
    """
    length = float(np.linalg.norm(end - start))
    count = int(np.clip(np.ceil(2 * length / spacing) + 1, FEWEST, MOST))
    part = np.linspace(0, 1, count)
    return part * length, start + part[:, None] * (end - start)


class Profile(VTKObservationMixin):
    """The plot of a line through some volumes; follows the line and the volumes as they change.

    Attributes:
        chart: the plot chart node to show.
    """

    def __init__(self) -> None:
        super().__init__()
        scene = slicer.mrmlScene
        self._table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(_("CT profile")))
        self.chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", self._table.GetName())
        self.chart.SetXAxisTitle(_("Distance [mm]"))
        self.chart.SetYAxisTitle(_("HU"))
        self._series: list[slicer.vtkMRMLPlotSeriesNode] = []
        self._line: slicer.vtkMRMLMarkupsLineNode | None = None
        self._volumes: list[slicer.vtkMRMLScalarVolumeNode] = []

    def follow(
        self, line: slicer.vtkMRMLMarkupsLineNode | None, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]
    ) -> None:
        """Plot this line through these volumes, and again whenever one of them changes."""
        self.removeObservers()
        self._line, self._volumes = line, list(volumes)
        self._make_series()
        if line is not None:
            for event in LINE_EVENTS:
                self.addObserver(line, event, self._update)
            for volume in volumes:
                for event in VOLUME_EVENTS:
                    self.addObserver(volume, event, self._update)
        self._update()

    def stop(self) -> None:
        """Follow nothing any more. Table and chart stay in the scene, for the user to export."""
        self.removeObservers()
        self._line, self._volumes = None, []

    def _make_series(self) -> None:
        """One curve for every volume, in the colour of its views."""
        scene = slicer.mrmlScene
        self.chart.RemoveAllPlotSeriesNodeIDs()
        while len(self._series) < len(self._volumes):
            self._series.append(scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode"))
        for series in self._series[len(self._volumes) :]:
            scene.RemoveNode(series)
        del self._series[len(self._volumes) :]
        for place, (series, volume) in enumerate(zip(self._series, self._volumes, strict=True)):
            series.SetName(volume.GetName())
            series.SetAndObserveTableNodeID(self._table.GetID())
            series.SetXColumnName(DISTANCE)
            series.SetYColumnName(_column(place, volume))
            series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
            series.SetLineWidth(2)
            series.SetColor(*rgb(COLORS[place]))
            self.chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def _update(self, *_event: object) -> None:
        distance, columns = np.empty(0), [np.empty(0) for _volume in self._volumes]
        if self._line is not None and self._line.GetNumberOfDefinedControlPoints() == 2:
            start, end = (np.array(self._line.GetNthControlPointPositionWorld(point)) for point in (0, 1))
            distance, points = line_points(start, end, min(_smallest_spacing(volume) for volume in self._volumes))
            columns = [sample(volume, points) for volume in self._volumes]
        table = vtk.vtkTable()
        names = [_column(place, volume) for place, volume in enumerate(self._volumes)]
        for name, column in zip([DISTANCE, *names], [distance, *columns], strict=True):
            array = numpy_to_vtk(column, deep=True)
            array.SetName(name)
            table.AddColumn(array)
        self._table.SetAndObserveTable(table)


def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue, 0 to 1, of a colour written as "#rrggbb"."""
    red, green, blue = bytes.fromhex(color[1:])
    return red / 255, green / 255, blue / 255


def _column(place: int, volume: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Column names must differ, which names of volumes need not."""
    return f"{place + 1} {volume.GetName()} [HU]"


def _smallest_spacing(volume: slicer.vtkMRMLScalarVolumeNode) -> float:
    matrix = ijk_to_world(volume)
    if matrix is None:
        return min(volume.GetSpacing())
    return float(np.linalg.norm(matrix[:3, :3], axis=0).min())
