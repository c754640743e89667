"""Acquisition of scans as the background process measures it, once for every volume and in all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import slicer

from CTSuperResolutionLib.degradation.representative import representative_region
from CTSuperResolutionLib.degradation.slice_thickness import SliceThickness, slice_axis
from CTSuperResolutionLib.volume.acquisition_tags import MEASURED_ENTRY, AcquisitionTags, stack_axis
from CTSuperResolutionPanel.process.event_stream import LineDecoder, parse_event
from CTSuperResolutionPanel.process.process import Command, Ended, Process, QtProcess, library_command
from CTSuperResolutionPanel.process.work import Work
from CTSuperResolutionPanel.scene import nrrd, voxel_geometry
from CTSuperResolutionPanel.scene.dicom_tags import acquisition_entries

OPTIONS = ("--scale", "2", "--allow-unusual", "--events", "json")
"""A scale that refines all axes, so that all are measured. What keeps a volume from being used is said elsewhere."""

Stamp = tuple[object, ...]


class AcquisitionInspector:
    """Asks ``ctsr info`` how a volume was acquired, and remembers the answer until the volume changes.

    A preview or a region is a small part of a scan. What it shows of the acquisition would depend on where it lies, so
    jobs are told what the whole scan shows.

    Args:
        make_process: makes the process that asks.
    """

    def __init__(self, *, make_process: Callable[[], Process] = QtProcess) -> None:
        self._make_process = make_process
        self._listeners: list[Callable[[], None]] = []
        self._asked: Stamp | None = None
        self._answers: dict[str, tuple[Stamp, dict[str, Any] | None]] = {}
        self._work: Work | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called when there is news."""
        self._listeners.append(listener)

    def inspect(self, volume: slicer.vtkMRMLScalarVolumeNode, python: Path) -> None:
        """Find out how a volume was acquired, unless that is known or being found out. Another inspection ends."""
        stamp = _stamp(volume)
        if stamp in (self._asked, self._answers.get(volume.GetID(), (None, None))[0]):
            return
        self.stop()
        region = representative_region(voxel_geometry.shape(volume))
        matrix = voxel_geometry.ijk_to_ras(volume)
        matrix = voxel_geometry.LPS @ voxel_geometry.part(matrix, [part.start for part in region])
        try:
            self._work = work = Work(python)
        except OSError:
            return  # a job will say so
        self._asked = stamp
        voxels = slicer.util.arrayFromVolume(volume)[region]
        volume_id, path = volume.GetID(), work.folder.input
        work.do(
            nrrd.write(path, voxels, matrix, metadata=acquisition_entries(volume)),
            done=lambda nothing: self._ask(
                work, library_command(python, "info", str(path), *OPTIONS), volume_id, stamp
            ),
            failed=lambda error: self._answer(volume_id, stamp, None),
        )

    def inspects(self, volume: slicer.vtkMRMLScalarVolumeNode) -> bool:
        """Whether that volume is being looked at."""
        return self._asked is not None and self._asked == _stamp(volume)

    def thickness(self, volume: slicer.vtkMRMLScalarVolumeNode, given: float | None) -> SliceThickness:
        """What is known of a volume's slices, and what the user set, mm."""
        spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume))
        tags = AcquisitionTags.of_entries(acquisition_entries(volume)).consistent(spacing[stack_axis(spacing)])
        header = tags.slice_thickness
        axis = slice_axis(spacing, header)
        measured = (self._known(volume) or {}).get("zyx"[axis]) or {}
        told = ("measured_mm", "measured_error_mm", "edges_mm")
        found = {"header_mm": header} | {name: measured[name] for name in told if name in measured}
        return SliceThickness.of_report(spacing[axis], found | ({"source": "set", "fwhm_mm": given} if given else {}))

    def entries(self, volume: slicer.vtkMRMLScalarVolumeNode) -> dict[str, str]:
        """Key/value pairs for the file of a volume, or of a part of it, that a job gets."""
        entries, known = acquisition_entries(volume), self._known(volume)
        if known is None:
            return entries
        return entries | {MEASURED_ENTRY: json.dumps({axis: _width(known.get(axis) or {}) for axis in "zyx"})}

    def stop(self) -> None:
        """Look no longer."""
        if self._work is not None:
            self._work.put_away()
        self._asked = self._work = None

    def _known(self, volume: slicer.vtkMRMLScalarVolumeNode) -> dict[str, Any] | None:
        """The point-spread function by axis, as in result.json; None where it is not known."""
        stamp, found = self._answers.get(volume.GetID(), (None, None))
        return found if stamp == _stamp(volume) else None

    def _ask(self, work: Work, command: Command, volume_id: str, stamp: Stamp) -> None:
        lines, found = LineDecoder(), {}

        def read(data: bytes) -> None:
            for line in lines.feed(data):
                event = parse_event(line) or {}
                if event.get("event") == "result" and isinstance(event.get("job"), dict):
                    found.update(event["job"])

        def end(ended: Ended) -> None:
            work.process = None
            self._answer(volume_id, stamp, found.get("point_spread"))

        work.process = self._make_process()
        work.process.start(command, on_output=read, on_error_output=lambda data: None, on_end=end)

    def _answer(self, volume_id: str, stamp: Stamp, found: object) -> None:
        self.stop()
        self._answers[volume_id] = stamp, found if isinstance(found, dict) else None
        for listener in self._listeners:
            listener()


def _stamp(volume: slicer.vtkMRMLScalarVolumeNode) -> Stamp:
    """What changes with a volume's voxels, its spacing and where it came from; no two changes in VTK share a time."""
    image = volume.GetImageData()
    scalars = None if image is None else image.GetPointData().GetScalars()
    spacing = voxel_geometry.spacing(voxel_geometry.ijk_to_ras(volume))
    uids = volume.GetAttribute("DICOM.instanceUIDs")
    return volume.GetID(), 0 if scalars is None else scalars.GetMTime(), spacing, uids


def _width(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """An axis of a report in the form of :func:`.measured_widths`."""
    if "measured_mm" not in report:
        return None
    return {
        "family": report["family"],
        "fwhm_mm": report["measured_mm"],
        "error_mm": report["measured_error_mm"],
        "profiles": report["measured_profiles"],
    }
