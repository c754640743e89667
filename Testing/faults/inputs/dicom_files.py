"""Folders of DICOM slices, with mutations of one slice's tags, of all slices', or of the folder."""

from __future__ import annotations

import io
from random import Random

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inputs.sample import Sample
from inputs.scan import Scan

UID = "1.2.826.0.1.3680043.8.498.7"
ODD = {
    "ImagePositionPatient": (["0", "0", "0"], ["nan", "0", "0"], ["1e30", "0", "0"], ["0", "0"], [], ["x", "y", "z"]),
    "ImageOrientationPatient": (["1", "0", "0", "0", "1", "0"], ["0"] * 6, ["1", "0", "0", "1", "0", "0"],
                                ["1", "0", "0", "0", "1"], ["nan"] * 6, ["2", "0", "0", "0", "2", "0"]),
    "PixelSpacing": (["0", "0"], ["-1", "1"], ["1"], ["nan", "1"], ["1e-5", "1e-5"], ["1000", "1000"], []),
    "Rows": (0, 1, 9, 11, 65535), "Columns": (0, 1, 11, 13, 65535), "BitsAllocated": (1, 8, 12, 16, 32, 64),
    "BitsStored": (8, 12, 15, 16, 17), "HighBit": (7, 11, 14, 15), "PixelRepresentation": (0, 1, 2),
    "RescaleSlope": ("0", "-1", "2", "nan", "1e30", "", "0.5"),
    "RescaleIntercept": ("0", "-1024", "1000", "nan", "1e30", ""),
    "RescaleType": ("HU", "US", "OD"), "PhotometricInterpretation": ("MONOCHROME1", "RGB", "PALETTE COLOR", ""),
    "SamplesPerPixel": (0, 1, 3), "NumberOfFrames": ("0", "1", "2", "x"), "Modality": ("MR", "PT", "", "CT "),
    "SeriesInstanceUID": ("1.2.3", "", f"{UID}.1 "), "SOPInstanceUID": (f"{UID}.2.0", f"{UID}.2.8", "", "1.2.3"),
    "SeriesNumber": ("0", "-1", "x", "99999999999"), "InstanceNumber": ("0", "1", "x"),
    "SliceThickness": ("0", "5", "nan"),
    "SpacingBetweenSlices": ("0", "-5", "5"), "SpecificCharacterSet": ("ISO_IR 100", "GB18030", "x"),
    "SOPClassUID": ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.3"),
    "PatientPosition": ("HFP", "FFS"),
    "PixelPaddingValue": (0, 63536), "GantryDetectorTilt": ("15", "0"),
    "ImageType": (["DERIVED", "SECONDARY", "LOCALIZER"],),
    "PlanarConfiguration": (0, 1), "PixelAspectRatio": (["1", "2"],), "SliceLocation": ("0", "5"),
    "LossyImageCompression": ("01",), "PixelData": (b"", b"\0" * 100, b"\1" * 240, b"\2" * 10_000),
}  # fmt: skip
"""Tags, and values that they are given. What is text in a file is text here, so that any can be written."""

DELETED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "BitsAllocated", "BitsStored",
           "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "PhotometricInterpretation", "SamplesPerPixel",
           "Modality", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PixelData", "InstanceNumber",
           "SliceThickness")  # fmt: skip
CHANGES = ((1.0, 0.03), (1.0, 0.3), (1.0, 3.0), (1.01, 0.0), (-1.0, 0.0), (10.0, 0.0), (1.0, 1e-5))
"""Factors and summands of numbers."""

KINDS = ("lost", "lost end", "copy", "same place", "swapped", "series", "other file", "dicomdir", "below", "hidden",
         "syntax", "syntax of all", "no preamble", "nested", "reversed")  # fmt: skip
"""Changes of a folder."""

SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70",
            "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.1.99", "1.2.3")  # fmt: skip


def make(scan: Scan, chance: Random, *, plain: bool) -> Sample:
    """A series of a scan, changed unless it shall be ``plain``."""
    implicit = chance.random() < 0.3
    slices = [_slice(scan, k, implicit) for k in range(scan.array.shape[0])]
    names = [f"IM{n:04d}" for n in chance.sample(range(len(slices)), len(slices))]
    files: dict[str, bytes | str | None]
    about = ""
    if plain:
        files = {name: _content(data) for name, data in zip(names, slices, strict=True)}
    elif chance.random() < 0.75:
        about = _mutate_tags(slices, chance)
        files = {name: _content(data) for name, data in zip(names, slices, strict=True)}
    else:
        files, about = _mutate_folder(slices, names, chance)
    return Sample(files, ".", about, scan)


def _slice(scan: Scan, k: int, implicit: bool) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"{UID}.2.{k}"
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    pixels = scan.array[k]
    if pixels.dtype.kind == "f" or pixels.itemsize > 2:
        pixels = np.nan_to_num(pixels).clip(-32768, 32767).astype(np.int16)
    signed = pixels.dtype.kind == "i"
    shift = 1024 if signed and pixels.itemsize == 2 and pixels.min() >= -1024 and pixels.max() < 31000 else 0
    stored = (pixels.astype(np.int32) + shift).astype(np.uint16 if shift else pixels.dtype)
    position = np.array(scan.origin) + k * scan.steps[:, 2]
    values = dict(
        SOPClassUID=CTImageStorage, SOPInstanceUID=f"{UID}.2.{k}", StudyInstanceUID=f"{UID}.3", Modality="CT",
        SeriesInstanceUID=f"{UID}.1", SeriesNumber="3", SeriesDescription="Thorax", InstanceNumber=str(k + 1),
        Rows=pixels.shape[0], Columns=pixels.shape[1], PixelSpacing=[scan.spacing[1], scan.spacing[0]],
        ImageOrientationPatient=[f"{v:.13g}"[:16] for v in scan.direction[:, :2].T.ravel()],
        ImagePositionPatient=[f"{v:.11g}"[:16] for v in position], SliceThickness=str(scan.spacing[2]),
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2", BitsAllocated=8 * stored.itemsize, BitsStored=8 * stored.itemsize,
        HighBit=8 * stored.itemsize - 1, PixelRepresentation=int(signed and not shift), RescaleIntercept=str(-shift),
        RescaleSlope="1", PixelData=stored.tobytes(),
    )  # fmt: skip
    for tag, value in values.items():
        setattr(data, tag, value)
    return data


def _mutate_tags(slices: list[FileDataset], chance: Random) -> str:
    chosen = chance.choice((slices, slices, [chance.choice(slices)], [slices[-1]]))
    which = "all slices" if len(chosen) > 1 else f"slice {slices.index(chosen[0])}"
    kind = chance.choice(("odd", "odd", "odd", "delete", "factor", "factor"))
    if kind == "delete":
        tag = chance.choice(DELETED)
        for data in chosen:
            delattr(data, tag)
        return f"{which}: without {tag}"
    if kind == "factor":
        tag = chance.choice(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))
        at = chance.randrange(2)
        by, more = chance.choice(CHANGES)
        for data in chosen:
            numbers = list(getattr(data, tag))
            numbers[at] = f"{float(numbers[at]) * by + more:.10g}"
            _set_text(data, tag, list(map(str, numbers)))
        return f"{which}: {tag}[{at}] times {by:g} plus {more:g}"
    tag = chance.choice(list(ODD))
    value = chance.choice(ODD[tag])
    for data in chosen:
        if isinstance(value, str | list):
            _set_text(data, tag, value)
        else:
            setattr(data, tag, value)
    return f"{which}: {tag} = {value!r:.60}"


def _set_text(data: FileDataset, tag: str, value: str | list[str]) -> None:
    """Give a tag any text, unchecked."""
    text = (value if isinstance(value, str) else "\\".join(value)).encode()
    text += b" " * (len(text) % 2)
    number, kind = Tag(tag_for_keyword(tag) or 0), dictionary_VR(tag)
    implicit = data.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    data[number] = RawDataElement(number, kind, len(text), text, 0, implicit, True)


def _mutate_folder(
    slices: list[FileDataset], names: list[str], chance: Random
) -> tuple[dict[str, bytes | str | None], str]:
    files: dict[str, bytes | str | None] = {n: _content(d) for n, d in zip(names, slices, strict=True)}
    at = chance.randrange(len(names))
    kind = chance.choice(KINDS)
    if kind == "lost":
        del files[names[at]]
    elif kind == "lost end":
        del files[names[-1]]
    elif kind == "copy":
        files["copy"] = files[names[at]]
    elif kind == "same place":
        slices[at].SOPInstanceUID = "1.2.3.4"
        files["again"] = _content(slices[at])
    elif kind == "swapped":
        other = chance.randrange(len(names))
        a, b = slices[at].ImagePositionPatient, slices[other].ImagePositionPatient
        slices[at].ImagePositionPatient, slices[other].ImagePositionPatient = b, a
        files |= {names[at]: _content(slices[at]), names[other]: _content(slices[other])}
    elif kind == "series":
        for k, data in enumerate(slices):
            data.SeriesInstanceUID, data.SOPInstanceUID, data.SeriesNumber = "1.2.4", f"1.2.4.{k}", "4"
            files[f"other{k}"] = _content(data)
    elif kind == "other file":
        files["note.txt"] = chance.choice((b"hello", b"", chance.randbytes(500), b"\0" * 128 + b"DICM"))
    elif kind == "dicomdir":
        files["DICOMDIR"] = b"\0" * 128 + b"DICM" + chance.randbytes(200)
    elif kind == "below":
        files = {f"a/b{k % 2}/{name}": content for k, (name, content) in enumerate(files.items())}
    elif kind == "hidden":
        files["." + names[at]] = files.pop(names[at])
    elif kind in ("syntax", "syntax of all"):
        uid = chance.choice(SYNTAXES)
        for k in range(len(names)) if kind == "syntax of all" else [at]:
            files[names[k]] = _with_syntax(slices[k], uid)
        kind += f" {uid}"
    elif kind == "no preamble":
        files = {name: content[132:] for name, content in files.items() if isinstance(content, bytes)}
    elif kind == "nested":
        files["deep/" * 40 + "x"] = b"x"
    else:
        for data, position in zip(slices, [d.ImagePositionPatient for d in slices][::-1], strict=True):
            data.ImagePositionPatient = position
        files = {n: _content(d) for n, d in zip(names, slices, strict=True)}
    return files, f"{kind} ({names[at]})"


def _with_syntax(data: FileDataset, uid: str) -> bytes:
    """The content, with another transfer syntax said to be its own, as far as that one's name is no longer."""
    old = data.file_meta.TransferSyntaxUID.encode()
    room = len(old) + len(old) % 2
    return _content(data).replace(old.ljust(room, b"\0"), uid.encode().ljust(room, b"\0")[:room], 1)


def _content(data: FileDataset) -> bytes:
    file = io.BytesIO()
    with pydicom.config.disable_value_validation():
        pydicom.dcmwrite(file, data, enforce_file_format=False)
    return file.getvalue()
