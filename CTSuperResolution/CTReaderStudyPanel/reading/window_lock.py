"""Lock on how images are displayed: interpolation always, and the window where the study does not leave it free."""

from __future__ import annotations

from collections.abc import Sequence

import slicer
import vtk
from CTSuperResolutionPanel.compare.display_link import display_node, set_window
from slicer.util import VTKObservationMixin


class WindowLock(VTKObservationMixin):
    """Sets back whatever is changed of the displays' interpolation and, where it is locked, of their window."""

    def __init__(self) -> None:
        super().__init__()
        self._window: tuple[float, float] | None = None

    def hold(self, volumes: Sequence[slicer.vtkMRMLScalarVolumeNode], window: tuple[float, float] | None) -> None:
        """Lock these volumes, and no others.

        Args:
            volumes: what is shown. window: centre and width, HU; None leaves it free.
        """
        self.release()
        self._window = window
        for volume in volumes:
            display = display_node(volume)
            self._set_back(display)
            self.addObserver(display, vtk.vtkCommand.ModifiedEvent, self._set_back)

    def release(self) -> None:
        """Lock nothing."""
        self.removeObservers()

    def _set_back(self, display: slicer.vtkMRMLScalarVolumeDisplayNode, _event: str | None = None) -> None:
        if not display.GetInterpolate():
            display.SetInterpolate(True)
        if self._window is not None:
            centre, width = self._window
            if (display.GetLevel(), display.GetWindow()) != (centre, width) or display.GetAutoWindowLevel():
                set_window(display, width, centre)
