"""Export of a result: as a NRRD file, or as a DICOM series that says what it is. By steps, for a Stepper."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from CTSuperResolutionPanel.scene import nrrd, voxel_geometry
from CTSuperResolutionPanel.scene.dicom_provenance import SOURCE_TAGS, provenance_tags, source_images
from CTSuperResolutionPanel.scene.result_volumes import NOTE, REPORT, SCAN_REFERENCE, factors_text, report_of, role_of

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
NOT_FOR_DIAGNOSIS = "not for diagnosis"

KEPT_TAGS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyDate",
    "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID",
    "PositionReferenceIndicator", "PatientPosition", "BodyPartExamined", "KVP",
)  # fmt: skip
"""What a derived series has in common with the series it is derived from."""

IN_HIERARCHY = {
    "Patient": ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    "Study": ("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "StudyDescription"),
}
"""What Slicer notes of a DICOM series in the subject hierarchy, by the level of the item."""

STRAIGHT = 1e-4
"""How far from a right angle the axes of a series may be, as the cosine."""


class CannotExport(Exception):
    """DICOM cannot hold the volume; the message is the reason for the user, without a full stop."""


def to_nrrd(volume: slicer.vtkMRMLScalarVolumeNode, path: Path) -> Generator[float, None, None]:
    """Write a volume, with its report, whole or not at all. The geometry is the volume's own, without a transform.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(f".{path.stem}.part.nrrd")
    metadata = {"CTSR_note": volume.GetAttribute(NOTE) or "", "CTSR_report": volume.GetAttribute(REPORT) or ""}
    array = slicer.util.arrayFromVolume(volume)
    try:
        matrix = voxel_geometry.LPS @ voxel_geometry.ijk_to_ras(volume)
        yield from nrrd.write(part, array, matrix, metadata=metadata, compress=True)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def to_dicom(volume: slicer.vtkMRMLScalarVolumeNode, folder: Path) -> Generator[float, None, str]:
    """Write a volume as a CT series of its own, derived from the scan's, into a new folder, whole or not at all.

    The patient, the study and the frame of reference are those of the scan where that came from DICOM; where its file
    is out of reach, patient and study are those that the volume or the scan is under in the subject hierarchy. The
    geometry is the one that is shown, with the transforms that the volume is under; where those move it, the frame of
    reference is a new one.

    Returns:
        What the user has to know of the series, in sentences; "" where it is as expected.

    Raises:
        OSError: it cannot be written.
        CannotExport: it is under a transform that DICOM cannot hold.
        ImportError: this Python has no pydicom; Slicer's has.
    """
    from pydicom.uid import generate_uid

    array = slicer.util.arrayFromVolume(volume)
    to_world = voxel_geometry.ras_to_world(volume)
    if to_world is None or not _is_straight(to_world @ voxel_geometry.ijk_to_ras(volume)):
        raise CannotExport(_("it is under a transform that DICOM cannot hold; resample it with that transform first"))
    matrix = voxel_geometry.LPS @ to_world @ voxel_geometry.ijk_to_ras(volume)
    scan = volume.GetNodeReference(SCAN_REFERENCE)
    source = _source_tags(scan) or _hierarchy_tags(volume)
    moved = not np.allclose(to_world, np.eye(4))
    if moved:
        for name in ("FrameOfReferenceUID", "PositionReferenceIndicator"):
            source.pop(name, None)
    common = _common_tags(volume, source, report_of(volume)) | {"SeriesInstanceUID": generate_uid(None)}
    name = f"{volume.GetName()}_{common['SeriesInstanceUID'][-8:]}".replace("×", "x")
    target = folder / re.sub(r"[^\w.-]+", "_", name)
    target.mkdir(parents=True)
    try:
        for index, plane in enumerate(array):
            tags = common | _plane_tags(plane, matrix, index) | source_images(volume, scan, source, index)
            tags["SOPInstanceUID"] = generate_uid(None)
            _write(target / f"IM{index + 1:05d}.dcm", tags, plane)
            yield (index + 1) / len(array)
    except BaseException:  # GeneratorExit, too: a series with slices missing would be worse than none
        shutil.rmtree(target, ignore_errors=True)
        raise
    return _to_know(source, moved)


def _is_straight(matrix: np.ndarray) -> bool:
    """Whether a matrix from indices has axes at right angles, as DICOM's have to be."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() <= STRAIGHT)


def _to_know(source: Mapping[str, Any], moved: bool) -> str:
    """What is not as the user may expect it."""
    sentences = []
    if not (source.get("PatientName") or source.get("PatientID")):
        sentences.append(_("The scan's patient is not known, so the series has no patient's name and number."))
    if not source.get("StudyInstanceUID"):
        sentences.append(_("The scan's study is not known, so the series is in a study of its own."))
    if moved:
        sentences.append(_("It lies where its transform moves it, in a frame of reference of its own."))
    return " ".join(sentences)


def _common_tags(
    volume: slicer.vtkMRMLScalarVolumeNode, source: Mapping[str, Any], report: Mapping[str, Any]
) -> dict[str, Any]:
    """What all slices have in common."""
    from pydicom.uid import generate_uid

    now = datetime.datetime.now()
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    own_study = not source.get("StudyInstanceUID")
    defaults = {
        "PatientName": "Anonymous", "PatientID": "", "PatientBirthDate": "", "PatientSex": "",
        "StudyDate": date if own_study else "", "StudyTime": time if own_study else "", "StudyID": "",
        "AccessionNumber": "", "ReferringPhysicianName": "", "KVP": None,
        "PositionReferenceIndicator": "", "PatientPosition": "", "StudyInstanceUID": generate_uid(None),
        "FrameOfReferenceUID": generate_uid(None),
    }  # fmt: skip
    display = volume.GetDisplayNode()
    return {
        **defaults,
        **{name: source[name] for name in KEPT_TAGS if name in source},
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CT_IMAGE_STORAGE,
        "ImageType": ["DERIVED", "SECONDARY", "AXIAL"],
        "Modality": "CT",
        "SeriesNumber": 1000 * _place_among_results(volume) + int(source.get("SeriesNumber") or 0),
        "SeriesDescription": f"SR {factors_text(report.get('scale', ()))}, {NOT_FOR_DIAGNOSIS}".replace("×", "x")[:64],
        **provenance_tags(report, source, date + time),
        "ImageComments": f"Super-resolved; for research, {NOT_FOR_DIAGNOSIS}.",
        "BurnedInAnnotation": "NO",
        "AcquisitionNumber": None,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        **{f"{what}Date": date for what in ("Series", "Content", "InstanceCreation")},
        **{f"{what}Time": time for what in ("Series", "Content", "InstanceCreation")},
        **({} if display is None else {"WindowCenter": display.GetLevel(), "WindowWidth": display.GetWindow()}),
    }


def _source_tags(scan: slicer.vtkMRMLNode | None) -> dict[str, Any]:
    """The header of the scan's own series, where the scan came from Slicer's DICOM database."""
    path = _source_path(scan)
    if not path:
        return {}
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (OSError, pydicom.errors.InvalidDicomError):
        return {}
    return {name: header.get(name) for name in (*KEPT_TAGS, *SOURCE_TAGS, "SeriesNumber") if name in header}


def _hierarchy_tags(volume: slicer.vtkMRMLScalarVolumeNode) -> dict[str, Any]:
    """What the subject hierarchy knows of patient and study, of the volume or else of its scan."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    tags: dict[str, Any] = {}
    for node in (volume, volume.GetNodeReference(SCAN_REFERENCE)):
        item = hierarchy.GetItemByDataNode(node) if node is not None else 0
        for level, names in IN_HIERARCHY.items():
            above = hierarchy.GetItemAncestorAtLevel(item, level) if item else 0
            if above:
                found = {name: hierarchy.GetItemAttribute(above, f"DICOM.{name}") for name in names}
                if level == "Study":
                    found["StudyInstanceUID"] = hierarchy.GetItemUID(above, "DICOM") or found["StudyInstanceUID"]
                tags |= {name: value for name, value in found.items() if value}
        if tags:
            break  # one source only: those of two patients must not be mixed
    for name in ("PatientBirthDate", "StudyDate", "StudyTime"):
        if name in tags:
            tags[name] = re.sub("[-:]", "", tags[name])  # as 2026-01-31 in some databases
    return tags


def _place_among_results(volume: slicer.vtkMRMLScalarVolumeNode) -> int:
    """Which of the results of its scan a volume is, from 1 on, so that each gets a series number of its own."""
    scan = volume.GetNodeReferenceID(SCAN_REFERENCE)
    results = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if role_of(node) and node.GetNodeReferenceID(SCAN_REFERENCE) == scan
    ]
    return results.index(volume) + 1 if volume in results else 1


def _source_path(scan: slicer.vtkMRMLNode | None) -> str:
    """A file of the scan's series; "" where there is none."""
    uids = (scan.GetAttribute("DICOM.instanceUIDs") or "").split() if scan is not None else []
    database = getattr(slicer, "dicomDatabase", None)
    return database.fileForInstance(uids[0]) if uids and database is not None else ""


def _plane_tags(plane: np.ndarray, matrix: np.ndarray, index: int) -> dict[str, Any]:
    """Where a slice (y, x) lies, given the matrix from indices (x, y, z) to LPS."""
    depth, height, width = voxel_geometry.spacing(matrix)
    position = voxel_geometry.apply(matrix, [[0, 0, index]])[0]
    return {
        "InstanceNumber": index + 1,
        "ImagePositionPatient": list(position),
        "ImageOrientationPatient": [*(matrix[:3, 0] / width), *(matrix[:3, 1] / height)],
        "PixelSpacing": [height, width],
        "SliceThickness": depth,
        "SpacingBetweenSlices": depth,
        "Rows": plane.shape[0],
        "Columns": plane.shape[1],
    }


def _write(path: Path, tags: Mapping[str, Any], plane: np.ndarray) -> None:
    import pydicom
    from pydicom.datadict import dictionary_VR
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.multival import MultiValue
    from pydicom.sequence import Sequence
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID
    from pydicom.valuerep import DSfloat

    def value(name: str, given: Any) -> Any:
        if dictionary_VR(name) == "SQ":
            return Sequence([_item(entries, value) for entries in given])
        if dictionary_VR(name) != "DS" or given is None:
            return given
        several = isinstance(given, list | MultiValue)
        rounded = [DSfloat(float(v), auto_format=True) for v in (given if several else [given])]
        return rounded if several else rounded[0]

    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # pydicom counts
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(CT_IMAGE_STORAGE)
    meta.MediaStorageSOPInstanceUID = tags["SOPInstanceUID"]
    meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE_ENDIAN)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    if int(pydicom.__version__.partition(".")[0]) < 3:
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
    for name, given in tags.items():
        setattr(dataset, name, value(name, given))
    stored = plane if plane.dtype == np.int16 else np.rint(plane).clip(-32768, 32767)
    dataset.PixelData = np.ascontiguousarray(stored, dtype="<i2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(str(path))


def _item(tags: Mapping[str, Any], value: Callable[[str, Any], Any]) -> Any:
    """An item of a sequence."""
    from pydicom.dataset import Dataset

    item = Dataset()
    for name, given in tags.items():
        setattr(item, name, value(name, given))
    return item
