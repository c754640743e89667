"""Link of the compared volumes' displays: one window, level and interpolation for all.

Slicer links the position and zoom of slice views by itself; window and interpolation belong to each volume's display.
"""

from __future__ import annotations

from collections.abc import Sequence

import slicer
import vtk
from slicer.util import VTKObservationMixin


class DisplayLink(VTKObservationMixin):
    """Keeps window, level and interpolation of several volumes the same; whichever is changed, the others follow."""

    def __init__(self) -> None:
        super().__init__()
        self._displays: list[slicer.vtkMRMLScalarVolumeDisplayNode] = []
        self._copying = False

    def connect(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Link these volumes, starting from the first one's window and interpolation."""
        self.disconnect()
        self._displays = [display_node(volume) for volume in volumes]
        for display in self._displays:
            self.addObserver(display, vtk.vtkCommand.ModifiedEvent, self._on_modified)
        self._on_modified(self._displays[0])

    def disconnect(self) -> None:
        """Let every volume have its own window again."""
        self.removeObservers()
        self._displays = []

    def window(self) -> tuple[float, float] | None:
        """The common window, width and level in HU; None while nothing is linked."""
        return (self._displays[0].GetWindow(), self._displays[0].GetLevel()) if self._displays else None

    def set_window(self, window: float, level: float) -> None:
        """Set the window of all linked volumes; width and level in HU."""
        if self._displays:
            set_window(self._displays[0], window, level)

    def set_interpolation(self, linear: bool) -> None:
        """Smooth (linear) or sharp (nearest voxel) display of all linked volumes."""
        if self._displays:
            self._displays[0].SetInterpolate(linear)

    def _on_modified(self, changed: slicer.vtkMRMLScalarVolumeDisplayNode, _event: str | None = None) -> None:
        if self._copying:
            return
        self._copying = True
        try:
            for display in self._displays:
                if display is not changed:
                    set_window(display, changed.GetWindow(), changed.GetLevel())
                    display.SetInterpolate(changed.GetInterpolate())
        finally:
            self._copying = False


def display_node(volume: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeDisplayNode:
    """The volume's display node, made if it has none yet."""
    if volume.GetScalarVolumeDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
    return volume.GetScalarVolumeDisplayNode()


def set_window(display: slicer.vtkMRMLScalarVolumeDisplayNode, window: float, level: float) -> None:
    """Set a fixed window; width and level in HU."""
    was = display.StartModify()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(window, level)
    display.EndModify(was)
