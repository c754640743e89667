"""The last tries: small super-resolved cubes in the scene, each with the settings it was made with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel import geometry
from CTSuperResolutionPanel.advanced import settings_text
from CTSuperResolutionPanel.results import CUBIC, SR, TRY_CUBIC, TRY_SR, factors_text, report_of, role_of
from CTSuperResolutionPanel.task import Task

KEPT = 8
"""Tries in the list; an older one goes when another comes."""

CUBIC_REFERENCE = "CTSuperResolution.cubic"
"""Node reference from a try's super-resolved cube to its cubic one."""


@dataclass(frozen=True, eq=False)
class Try:
    """A try in the scene: its two cubes, the second of which the user may have removed."""

    sr: slicer.vtkMRMLScalarVolumeNode
    cubic: slicer.vtkMRMLScalarVolumeNode | None

    @property
    def report(self) -> dict[str, Any]:
        """The report of the job that made it."""
        return report_of(self.sr)


def tries() -> list[Try]:
    """The tries in the scene, oldest first. They are in the scene, so they are saved with it."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [Try(node, node.GetNodeReference(CUBIC_REFERENCE)) for node in nodes if role_of(node) == TRY_SR]


def add(task: Task, placed: dict[str, slicer.vtkMRMLScalarVolumeNode]) -> Try:
    """Count new volumes as a try; the oldest one goes where there are too many."""
    placed[SR].SetNodeReferenceID(CUBIC_REFERENCE, placed[CUBIC].GetID())
    for old in tries()[:-KEPT]:
        remove(old)
    return Try(placed[SR], placed[CUBIC])


def remove(old: Try) -> None:
    """Take a try out of the scene."""
    for node in (old.cubic, old.sr):
        if node is not None and role_of(node) in (TRY_SR, TRY_CUBIC):
            if node.GetDisplayNode() is not None:
                slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
            slicer.mrmlScene.RemoveNode(node)


def title(one: Try) -> str:
    """A try in a few words: scale, preset and what was set otherwise."""
    job = one.report.get("job", {})
    parts = [factors_text(one.report.get("scale", ())), str(job.get("preset", ""))]
    if job.get("seed"):
        parts.append(_("seed {seed}").format(seed=job["seed"]))
    if job.get("prior", "shipped") != "shipped":
        parts.append(_("prior {name}").format(name=job["prior"]))
    changed = settings_text(job.get("settings", {}))
    return " · ".join(filter(None, [*parts, changed]))


def details(one: Try) -> str:
    """More of a try: how large, how long, how well it agrees with the scan."""
    report = one.report
    size = " × ".join(str(n) for n in reversed(geometry.shape(one.sr)))
    lines = [_("{size} voxels, {seconds:.0f} s").format(size=size, seconds=float(report.get("seconds") or 0))]
    agreement = report.get("consistency", {}).get(SR, {}).get("rms_hu")
    if agreement is not None:
        lines.append(_("degraded again, it differs from the scan by {rms:.1f} HU (rms)").format(rms=agreement))
    return "\n".join([title(one), *lines])


def choices_of(one: Try) -> dict[str, Any]:
    """The fields of the panel's state that would do this try again; the scale is left to the caller."""
    job = one.report.get("job", {})
    found = {name: job[name] for name in ("preset", "seed") if name in job}
    return found | {"settings": json.dumps(job.get("settings", {}))}


class Overlay:
    """Shows a cube over the scan in the slice views, and afterwards what they showed before."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[str | None, str | None, float]] = {}

    def show(self, node: slicer.vtkMRMLScalarVolumeNode, scan: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Show a cube over its scan, and bring it into view where it is not."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            layers = (
                composite.GetBackgroundVolumeID(),
                composite.GetForegroundVolumeID(),
                composite.GetForegroundOpacity(),
            )
            self._before.setdefault(composite.GetID(), layers)
            if scan is not None:
                composite.SetBackgroundVolumeID(scan.GetID())
            composite.SetForegroundVolumeID(node.GetID())
            composite.SetForegroundOpacity(1.0)
        self._bring_into_view(node)

    def hide(self) -> None:
        """Show again what was shown before the first cube."""
        for name, (background, foreground, opacity) in self._before.items():
            composite = slicer.mrmlScene.GetNodeByID(name)
            if composite is not None:
                composite.SetBackgroundVolumeID(background)
                composite.SetForegroundVolumeID(foreground)
                composite.SetForegroundOpacity(opacity)
        self._before.clear()

    def forget(self) -> None:
        """The scene is closed: there is nothing to go back to."""
        self._before.clear()

    def _bring_into_view(self, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        size = geometry.shape(node)
        world = geometry.ras_to_world(node) @ geometry.ijk_to_ras(node)
        corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in reversed(size)])).reshape(3, -1).T
        points = geometry.apply(world, corners)
        low, high = points.min(axis=0), points.max(axis=0)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            matrix = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
            along = matrix[:3, 2] @ (points - matrix[:3, 3]).T
            if along.min() > 0 or along.max() < 0:
                view.JumpSlice(*((low + high) / 2))
