"""Provenance of a result as DICOM has it: how it was derived, by what equipment, from which images, and for what.

Tags are by keyword; a sequence is a list of items, each a mapping of tags. The codes are those of DICOM PS3.16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer

from CTSuperResolutionLib import __version__
from CTSuperResolutionPanel.scene import voxel_geometry
from CTSuperResolutionPanel.scene.result_volumes import factors_text

NAME = "CTSuperResolution"

EQUIPMENT_TAGS = (
    "Manufacturer", "ManufacturerModelName", "InstitutionName", "StationName", "DeviceSerialNumber", "SoftwareVersions",
)  # fmt: skip
"""What a contributing equipment has; the first has to be known."""

LOSSY_TAGS = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
"""Once an image was compressed with a loss, all that is derived from it says so (PS3.3 C.7.6.1.1.5)."""

SOURCE_TAGS = (*EQUIPMENT_TAGS, *LOSSY_TAGS, "SOPClassUID")
"""What is asked of the source for that."""

SPATIAL_RESAMPLING = ("113085", "Spatial resampling")
ACQUISITION, PROCESSING = ("109101", "Acquisition Equipment"), ("109102", "Processing Equipment")
SOURCE_IMAGE = ("121322", "Source image for image processing operation")


def derivation(report: Mapping[str, Any]) -> str:
    """How a volume was made, for DerivationDescription, which holds 1024 characters."""
    job, prior = report.get("job", {}), report.get("prior") or {}
    sha = str(prior.get("sha256", "?"))[:12]
    added = (report.get("added") or {}).get("everywhere")
    size = f" ({added['rms_hu']:.0f} HU rms)" if added else ""
    text = (
        f"Super-resolved {factors_text(report.get('scale', ()))} by {NAME} {version(report)} (arXiv 2508.15151): "
        f"preset {job.get('preset', '?')}, prior {prior.get('name', '?')} (sha256 {sha}), seed "
        f"{report.get('seed', '?')}, settings {dict(job.get('settings', {})) or 'as preset'}. Holds structure that the "
        f"scan did not measure{size}. For research; not for diagnosis."
    )
    return text.replace("×", "x")[:1024]


def version(report: Mapping[str, Any]) -> str:
    """Of the library that made a result."""
    return str(report.get("versions", {}).get(NAME, __version__))


def provenance_tags(report: Mapping[str, Any], source: Mapping[str, Any], now: str) -> dict[str, Any]:
    """Tags of all slices of a result.

    Args:
        report: of the job. source: SOURCE_TAGS of the scan's series, as far as they are known. now: as DICOM's DT.
    """
    lossy = {name: source[name] for name in LOSSY_TAGS if name in source}
    if "SOPClassUID" in source:  # the source is known, and says nothing of a loss
        lossy.setdefault("LossyImageCompression", "00")
    own = {"Manufacturer": NAME, "ManufacturerModelName": NAME, "SoftwareVersions": version(report)}
    scanner = {name: source[name] for name in EQUIPMENT_TAGS if source.get(name)}
    done = {"ContributionDateTime": now, "ContributionDescription": derivation(report)}
    equipment = [{**own, "PurposeOfReferenceCodeSequence": [_code(PROCESSING)], **done}]
    if "Manufacturer" in scanner:
        equipment.insert(0, {**scanner, "PurposeOfReferenceCodeSequence": [_code(ACQUISITION)]})
    return {
        **own,
        **lossy,
        "DerivationDescription": derivation(report),
        "DerivationCodeSequence": [_code(SPATIAL_RESAMPLING)],
        "ContributingEquipmentSequence": equipment,
        "ContentQualification": "RESEARCH",
    }


def source_images(
    volume: slicer.vtkMRMLScalarVolumeNode, scan: slicer.vtkMRMLNode | None, source: Mapping[str, Any], index: int
) -> dict[str, Any]:
    """The scan's images on either side of a slice of a result; empty where the scan's series is not known.

    Args:
        volume: the result. scan: what it was made of. source: see above. index: of the slice.
    """
    uids = (scan.GetAttribute("DICOM.instanceUIDs") or "").split() if scan is not None else []
    if "SOPClassUID" not in source or not uids or len(uids) != voxel_geometry.shape(scan)[0]:
        return {}
    _slices, rows, columns = voxel_geometry.shape(volume)
    to_scan = np.linalg.inv(voxel_geometry.ijk_to_ras(scan)) @ voxel_geometry.ijk_to_ras(volume)
    place = voxel_geometry.apply(to_scan, [[(columns - 1) / 2, (rows - 1) / 2, index]])[0][2]
    beside = sorted({int(np.clip(round_(place), 0, len(uids) - 1)) for round_ in (np.floor, np.ceil)})
    return {
        "SourceImageSequence": [
            {
                "ReferencedSOPClassUID": source["SOPClassUID"],
                "ReferencedSOPInstanceUID": uids[number],
                "PurposeOfReferenceCodeSequence": [_code(SOURCE_IMAGE)],
            }
            for number in beside
        ]
    }


def _code(code: tuple[str, str]) -> dict[str, str]:
    value, meaning = code
    return {"CodeValue": value, "CodingSchemeDesignator": "DCM", "CodeMeaning": meaning}
