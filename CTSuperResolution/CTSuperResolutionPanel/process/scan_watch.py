"""Watch over the scan of a job: where it goes, the job has to end."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin


class ScanWatch(VTKObservationMixin):
    """Watches one scan in the scene at a time.

    Args:
        on_gone: called with a sentence for the user when it was removed, or the scene closed.
    """

    def __init__(self, on_gone: Callable[[str], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._on_gone = on_gone
        self._volume_id = ""

    def start(self, volume_id: str) -> None:
        """Watch that volume."""
        self._volume_id = volume_id
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeRemovedEvent, self._on_node_removed)
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_closed)

    def stop(self) -> None:
        """Watch no longer."""
        self.removeObservers()

    def _on_node_removed(self, caller: object, event: object) -> None:
        if slicer.mrmlScene.GetNodeByID(self._volume_id) is None:
            self._on_gone(_("Cancelled, for the scan was removed."))

    def _on_scene_closed(self, caller: object, event: object) -> None:
        self._on_gone(_("Cancelled, for the scene was closed."))
