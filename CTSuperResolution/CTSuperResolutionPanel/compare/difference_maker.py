"""Maker of difference volumes: computes one piece by piece, and again only when it must be."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.compare.difference import Difference, find_difference
from CTSuperResolutionPanel.process.stepper import Stepper
from CTSuperResolutionPanel.scene.voxel_geometry import ijk_to_ras


class DifferenceMaker:
    """Has the difference of two volumes in the scene, one of its kind for every pair.

    Args:
        kind: what the volume is for; one of another kind is not taken for it.
        new_node: makes a volume node, dressed for its purpose.
        on_ready: called with the volume when it is there, and with what was computed, None where the scene had it.
        on_problem: called with a sentence for the user.
        on_progress: called with the part that is done, 0 to 1.
    """

    def __init__(
        self,
        kind: str,
        new_node: Callable[[], slicer.vtkMRMLScalarVolumeNode],
        on_ready: Callable[[slicer.vtkMRMLScalarVolumeNode, Difference | None], None],
        on_problem: Callable[[str], None],
        on_progress: Callable[[float], None] = lambda done: None,
    ) -> None:
        self._kind, self._new_node, self._on_progress = kind, new_node, on_progress
        self._on_ready, self._on_problem = on_ready, on_problem
        self._stepper: Stepper | None = None
        self._computing: tuple | None = None
        self._made_from: dict[str, tuple] = {}

    def make(
        self, first: slicer.vtkMRMLScalarVolumeNode, second: slicer.vtkMRMLScalarVolumeNode, name: str = ""
    ) -> None:
        """Have second − first ready soon, from earlier or anew, under a name of its own where one is given."""
        key = _state(first), _state(second)
        if self._stepper is not None and key == self._computing:
            return
        self.cancel()
        node = find_difference(first, second, self._kind)
        if node is not None and self._made_from.get(node.GetID()) == key:
            self._on_ready(node, None)
            return
        try:
            work = Difference(first, second)
        except MemoryError:
            self._on_problem(_("There is not enough memory for the difference volume; close other volumes first."))
            return

        def done(_result: None) -> None:
            self._stepper = None
            target = node if node is not None and slicer.mrmlScene.IsNodePresent(node) else self._new_node()
            work.write(target, self._kind)
            if name:
                target.SetName(name)
            self._made_from[target.GetID()] = key
            self._on_ready(target, None if target is node else work)

        def failed(error: Exception) -> None:
            self._stepper = None
            self._on_problem(_("The difference could not be computed ({reason}).").format(reason=error))

        self._stepper = Stepper(work.steps(), done=done, failed=failed, progress=self._on_progress)
        self._computing = key
        self._stepper.start()

    def cancel(self) -> None:
        """Stop computing."""
        if self._stepper is not None:
            self._stepper.stop()
            self._stepper = None


def _state(volume: slicer.vtkMRMLScalarVolumeNode) -> tuple:
    """What the difference depends on: changes with the voxels, the geometry and the transforms of the volume."""
    transforms = []
    transform = volume.GetParentTransformNode()
    while transform is not None:
        transforms.append((transform.GetID(), transform.GetTransformToWorldMTime()))
        transform = transform.GetParentTransformNode()
    return volume.GetID(), volume.GetImageData().GetMTime(), ijk_to_ras(volume).tobytes(), tuple(transforms)
