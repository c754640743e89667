"""DICOM series of a folder: finding all of them, and choosing one."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from CTSuperResolutionLib.errors import JobError, OtherOption
from CTSuperResolutionLib.volume.checks import check_name

CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""SOP classes of CT images: classic, enhanced, legacy converted enhanced."""

UID_TAIL = 8
"""Characters of a series UID that lists show; a tail of this length, or longer, also chooses a series."""


@dataclass(frozen=True)
class ImagePlane:
    """Where the pixels of a DICOM image lie in the patient.

    Attributes:
        position: LPS centre of the first pixel, mm (x, y, z).
        orientation: LPS directions of a row and of a column, six numbers.
        pixel_spacing: distance of rows, distance of columns, mm.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]


@dataclass(frozen=True)
class Slice:
    """One DICOM image.

    Attributes:
        path: its file.
        size: (rows, columns).
        plane: None where the file does not state all of it.
        frames: images in the file.
        components: values in a pixel.
    """

    path: Path
    size: tuple[int, int]
    plane: ImagePlane | None
    frames: int
    components: int


@dataclass(frozen=True)
class Series:
    """Images that share a SeriesInstanceUID, in no particular order."""

    number: int
    uid: str
    description: str
    modality: str
    slices: tuple[Slice, ...]

    def __str__(self) -> str:
        rows, columns = self.slices[0].size
        plural = "" if len(self.slices) == 1 else "s"
        what = f'"{self.description}", ' if self.description else ""
        kind = f"{self.modality}, " if self.modality not in ("", "CT") else ""
        size = f"{len(self.slices)} slice{plural} of {columns} x {rows}"
        return f"{self.number} ({what}{kind}{size}, UID ...{self.uid[-UID_TAIL:]})"


def is_dicom(path: Path) -> bool:
    """Whether a file bears the DICOM mark.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def find_series(folder: Path) -> list[Series]:
    """All image series in a folder and those below it, by number.

    The number is the SeriesNumber that viewers show, where every series has one of its own; otherwise the place in
    the list, from 1. A copy of an image (same SOPInstanceUID) counts once. Hidden files are passed over.

    Raises:
        JobError: there are none, or a file is damaged.
        OSError: a file cannot be read.
    """
    found: dict[str, dict[str, Slice]] = defaultdict(dict)
    about: dict[str, dict[str, str]] = {}
    for path in _files(folder):
        tags, image = _read_tags(path)
        if image is None:
            continue
        uid = tags.get("0020|000e", "")
        found[uid].setdefault(tags.get("0008|0018", str(path)), image)
        about.setdefault(uid, tags)
    if not found:
        raise JobError(
            f"{folder} holds no DICOM images; name the folder of a DICOM series, or a NRRD, MHA or NIfTI file."
        )
    stated = {uid: int(n) for uid in found if (n := about[uid].get("0020|0011", "")).isdigit()}
    uids = sorted(found, key=lambda uid: (stated.get(uid, math.inf), uid))
    own = len(set(stated.values())) == len(found)
    return [
        Series(
            number=stated[uid] if own else place,
            uid=uid,
            description=about[uid].get("0008|103e", ""),
            modality=about[uid].get("0008|0060", ""),
            slices=tuple(found[uid].values()),
        )
        for place, uid in enumerate(uids, start=1)
    ]


def choose_series(folder: Path, found: list[Series], wanted: str | None) -> Series:
    """The series whose number, UID or UID tail is ``wanted``; the only one where that is None.

    Raises:
        JobError: no series fits, or there are several to choose from; the message lists them.
    """
    one_of_them = OtherOption("series", f"one with {{}} N: {'; '.join(map(str, found))}")
    if wanted is None:
        if len(found) > 1:
            raise JobError(f"{folder} holds {len(found)} series", one_of_them)
        return found[0]
    wanted = str(wanted).strip().lstrip(".…")
    fitting = [s for s in found if wanted in (str(s.number), s.uid)]
    if not fitting and len(wanted) >= UID_TAIL:
        fitting = [s for s in found if s.uid.endswith(wanted)]
    if len(fitting) != 1:
        raise JobError(f'{folder} holds no series "{wanted}"', one_of_them)
    return fitting[0]


def _files(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _read_tags(path: Path) -> tuple[dict[str, str], Slice | None]:
    """The tags of a DICOM image as text by "group|element", and the slice; no slice for any other kind of file."""
    if not path.is_file():
        return {}, None
    check_name(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if _should_be_image(path):
            raise damaged(path) from error
        return {}, None
    tags = {key: _printable(reader.GetMetaData(key)) for key in reader.GetMetaDataKeys()}
    columns, rows, *more = reader.GetSize()
    return tags, Slice(
        path=path,
        size=(rows, columns),
        plane=_plane(tags),
        frames=math.prod(more),
        components=reader.GetNumberOfComponents(),
    )


def _printable(tag: str) -> str:
    """A tag's text; bytes that are no UTF-8, which arrive as surrogates, are taken for Latin-1, the usual other."""
    stored = tag.encode(errors="surrogateescape")
    try:
        text = stored.decode()
    except UnicodeDecodeError:
        text = stored.decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text).strip()


def damaged(path: Path) -> JobError:
    """The error for a slice that cannot be read."""
    return JobError(f"The DICOM file {path} is truncated or damaged; export or copy the series again.")


def _should_be_image(path: Path) -> bool:
    """Whether a file that GDCM cannot read is a damaged CT slice, rather than a report, a DICOMDIR or no DICOM."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head[128:132] != b"DICM":
        return not head and path.suffix.lower() in (".dcm", ".ima")
    # MediaStorageSOPClassUID: the file's meta header is little endian with explicit types, whatever follows it.
    stated = re.search(rb"\x02\x00\x02\x00UI(..)", head[132:], flags=re.DOTALL)
    if stated is None:
        return True
    uid = head[132 + stated.end() :][: int.from_bytes(stated[1], "little")]
    return uid.rstrip(b"\0").decode("ascii", errors="replace") in CT_CLASSES


def _plane(tags: dict[str, str]) -> ImagePlane | None:
    position, orientation = _numbers(tags, "0020|0032", 3), _numbers(tags, "0020|0037", 6)
    pixel_spacing = _numbers(tags, "0028|0030", 2)
    if position is None or orientation is None or pixel_spacing is None:
        return None
    return ImagePlane(position, orientation, pixel_spacing)


def _numbers(tags: dict[str, str], key: str, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(v) for v in tags.get(key, "").split("\\"))
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None
