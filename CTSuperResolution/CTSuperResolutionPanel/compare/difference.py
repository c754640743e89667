"""Difference of two volumes, second minus first, in HU and on the finer of their grids."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from CTSuperResolutionPanel.compare.display_link import display_node, set_window
from CTSuperResolutionPanel.compare.grids import between_voxels, same_grid

STEP_VOXELS = 1 << 20
"""Voxels computed at once: some tens of milliseconds, after which Slicer's window can react."""

OUTSIDE = -1e30
"""Marks voxels of the finer grid that the other volume does not cover; the difference there is 0."""

RANGE_SAMPLES = 200_000
"""Voxels looked at for the range of colours."""

SECOND_ROLE, FIRST_ROLE = "ctsrDifferenceOf", "ctsrDifferenceFrom"
"""Node references from the difference volume to the volumes it came from."""

KIND_ATTRIBUTE = "CTSuperResolution.difference"
"""Node attribute of a difference volume: what it is for."""


class Difference:
    """Computes second − first into a new volume, piece by piece.

    The result lies on the grid of the volume with more voxels; the other one is resampled linearly (by VTK, on all
    cores). Two integer volumes give int16, rounded and limited to what it holds; others give float32. It takes the
    memory of the result, and of one piece.

    Attributes:
        values: the result, shape (z, y, x).
    """

    def __init__(self, first: slicer.vtkMRMLScalarVolumeNode, second: slicer.vtkMRMLScalarVolumeNode) -> None:
        self.first, self.second = first, second
        self._on_second = _voxels(second) >= _voxels(first)
        self.grid, self._other = (second, first) if self._on_second else (first, second)
        self._reslice = None if same_grid(first, second) else _reslice(self._other, self.grid)
        self._first_array, self._second_array = (slicer.util.arrayFromVolume(volume) for volume in (first, second))
        whole = all(np.issubdtype(array.dtype, np.integer) for array in (self._first_array, self._second_array))
        self._image = vtk.vtkImageData()
        self._image.SetDimensions(self.grid.GetImageData().GetDimensions())
        self._image.AllocateScalars(vtk.VTK_SHORT if whole else vtk.VTK_FLOAT, 1)
        shape = self._image.GetDimensions()[::-1]
        self.values = vtk_to_numpy(self._image.GetPointData().GetScalars()).reshape(shape)

    def steps(self) -> Generator[float, None, None]:
        """Compute the next piece at every step; yields the part that is done, 0 to 1."""
        count, rows, columns = self.values.shape
        thickness = max(1, STEP_VOXELS // (rows * columns))
        for start in range(0, count, thickness):
            stop = min(start + thickness, count)
            self._compute(start, stop)
            yield stop / count

    def run(self) -> None:
        """Compute it all at once."""
        for _done in self.steps():
            pass

    def write(self, node: slicer.vtkMRMLScalarVolumeNode, kind: str) -> None:
        """Put the finished result into a volume node of that kind, in the place of the grid's volume."""
        to_ras = vtk.vtkMatrix4x4()
        self.grid.GetIJKToRASMatrix(to_ras)
        was = node.StartModify()
        node.SetName(_("{second} minus {first}").format(second=self.second.GetName(), first=self.first.GetName()))
        node.SetIJKToRASMatrix(to_ras)
        node.SetAndObserveTransformNodeID(self.grid.GetTransformNodeID())
        node.SetAndObserveImageData(self._image)
        node.SetAttribute(KIND_ATTRIBUTE, kind)
        node.SetNodeReferenceID(FIRST_ROLE, self.first.GetID())
        node.SetNodeReferenceID(SECOND_ROLE, self.second.GetID())
        node.EndModify(was)

    def usual_range(self) -> float:
        """HU that 99 % of the differing voxels stay within, rounded up to 10, 20, 50, 100 and so on."""
        flat = self.values.reshape(-1)
        sample = np.abs(flat[:: max(1, flat.size // RANGE_SAMPLES)].astype(np.float32))
        sample = sample[np.isfinite(sample) & (sample > 0)]
        if not sample.size:
            return 10.0
        value = max(10.0, float(np.percentile(sample, 99)))
        power = 10.0 ** math.floor(math.log10(value))
        return next(step * power for step in (1, 2, 5, 10) if step * power >= value)

    def _compute(self, start: int, stop: int) -> None:
        if self._reslice is None:
            first, second = self._first_array[start:stop], self._second_array[start:stop]
            self._store(np.subtract(second, first, dtype=np.float32), start, stop)
            return
        _count, rows, columns = self.values.shape
        self._reslice.SetOutputExtent(0, columns - 1, 0, rows - 1, start, stop - 1)
        self._reslice.Update()
        resampled = vtk_to_numpy(self._reslice.GetOutput().GetPointData().GetScalars())
        other = resampled.reshape(stop - start, rows, columns)
        own = (self._second_array if self._on_second else self._first_array)[start:stop]
        change = np.subtract(own, other, dtype=np.float32)
        if not self._on_second:
            np.negative(change, out=change)
        change[other == np.float32(OUTSIDE)] = 0
        self._store(change, start, stop)

    def _store(self, change: np.ndarray, start: int, stop: int) -> None:
        if self.values.dtype == np.int16:
            np.rint(change, out=change)
            np.clip(change, -32768, 32767, out=change)
        self.values[start:stop] = change


def find_difference(
    first: slicer.vtkMRMLScalarVolumeNode, second: slicer.vtkMRMLScalarVolumeNode, kind: str
) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The difference volume of these two and of that kind that the scene holds already, up to date or not."""
    wanted = kind, first.GetID(), second.GetID()
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        of = (node.GetNodeReferenceID(role) for role in (FIRST_ROLE, SECOND_ROLE))
        if (node.GetAttribute(KIND_ATTRIBUTE), *of) == wanted:
            return node
    return None


def set_range(node: slicer.vtkMRMLScalarVolumeNode, limit: float) -> None:
    """Let the colours of a difference volume span −limit to +limit HU."""
    set_window(display_node(node), 2 * limit, 0)


def _voxels(volume: slicer.vtkMRMLScalarVolumeNode) -> int:
    return volume.GetImageData().GetNumberOfPoints()


def _reslice(other: slicer.vtkMRMLScalarVolumeNode, grid: slicer.vtkMRMLScalarVolumeNode) -> vtk.vtkImageReslice:
    """Resampling of a volume on another one's grid; both in voxel units, which is how Slicer keeps its images."""
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(other.GetImageData())
    reslice.SetResliceTransform(between_voxels(grid, other))
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputScalarType(vtk.VTK_FLOAT)
    reslice.SetBackgroundLevel(OUTSIDE)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    return reslice
