"""DICOM tags on how a volume was acquired, from Slicer's DICOM database."""

from __future__ import annotations

import contextlib

import slicer

from CTSuperResolutionLib.volume.acquisition_tags import DICOM_ENTRY
from CTSuperResolutionPanel.scene import voxel_geometry

TAGS = {"SliceThickness": "0018,0050", "SpacingBetweenSlices": "0018,0088", "ConvolutionKernel": "0018,1210"}


def acquisition_entries(volume: slicer.vtkMRMLVolumeNode) -> dict[str, str]:
    """What the database says of a volume's acquisition, as key/value pairs for the header of its file.

    Empty where the volume's slices are not the instances of a series, or the database or the instances are gone. Of the
    instances the first, the middle and the last one are asked; what they do not agree on is left out.
    """
    uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not uids or len(uids) != voxel_geometry.shape(volume)[0]:
        return {}
    entries = {}
    for name, tag in TAGS.items():
        with contextlib.suppress(ValueError, RuntimeError):  # the database has been closed, or deleted
            values = {_text(database.instanceValue(uid, tag)) for uid in (uids[0], uids[len(uids) // 2], uids[-1])}
            if len(values) == 1 and (value := values.pop()):
                entries[f"{DICOM_ENTRY}{name}"] = value
    return entries


def _text(value: object) -> str:
    """A tag's value as one line of text."""
    return " ".join(str(value or "").split())
