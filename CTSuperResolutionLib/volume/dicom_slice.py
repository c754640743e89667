"""DICOM slice: what the tags of one image file say of its place, its values and its acquisition."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import SimpleITK as sitk

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags
from CTSuperResolutionLib.volume.checks import check_name

CT_CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""SOP classes of CT images: classic, enhanced, legacy converted enhanced."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of screenshots, reports and the like, and what the classes of its kinds begin with."""

ORIENTATION_TOLERANCE = 1e-3
"""Difference of direction cosines within a series: 0.06 degree."""

HEAD_BYTES = 1 << 16
"""Where the tags that say which series a file is of stand, in any file but the strangest."""


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
class Rescale:
    """What the stored numbers of a slice mean: value = slope × number + intercept.

    Attributes:
        slope, intercept: None where the file does not state them.
        type: of the values, "HU" where the file states nothing else; "US" is unspecified.
        padding: (lowest, highest) stored number that stands for padding; None where the file states none.
    """

    slope: float | None = None
    intercept: float | None = None
    type: str = ""
    padding: tuple[float, float] | None = None

    @property
    def stated(self) -> tuple[bool, bool]:
        """Whether there is a slope, and an intercept."""
        return self.slope is not None, self.intercept is not None

    @property
    def padding_values(self) -> tuple[float, float] | None:
        """(lowest, highest) value of padding, half a stored number wider, that rounding may not matter."""
        if self.padding is None:
            return None
        slope = 1.0 if self.slope is None else self.slope
        ends = sorted(slope * number + (self.intercept or 0.0) for number in self.padding)
        return ends[0] - abs(slope) / 2, ends[1] + abs(slope) / 2


@dataclass(frozen=True)
class Slice:
    """One DICOM image.

    Attributes:
        path: its file.
        size: (rows, columns).
        plane: None where the file does not state all of it.
        frames: images in the file.
        components: values in a pixel.
        sop_class: UID of its SOP class. image_type: values of ImageType.
        instance_number: None where the file states none.
        rescale: of its values. acquisition: of its scan.
    """

    path: Path
    size: tuple[int, int]
    plane: ImagePlane | None
    frames: int
    components: int
    sop_class: str = ""
    image_type: tuple[str, ...] = ()
    instance_number: int | None = None
    rescale: Rescale = field(default_factory=Rescale)
    acquisition: AcquisitionTags = field(default_factory=AcquisitionTags)

    @property
    def is_capture(self) -> bool:
        """Whether it is a screenshot or the like, and no slice."""
        return f"{self.sop_class}.".startswith(f"{SECONDARY_CAPTURE}.")

    @property
    def is_localizer(self) -> bool:
        """Whether it is a scout view, which shows where the slices lie."""
        return "LOCALIZER" in self.image_type

    def lies_parallel_to(self, other: Slice) -> bool:
        """Whether both state a place, and the same size and orientation."""
        if self.plane is None or other.plane is None or self.size != other.size:
            return False
        cosines = zip(self.plane.orientation, other.plane.orientation, strict=True)
        return all(abs(a - b) <= ORIENTATION_TOLERANCE for a, b in cosines)


class DamagedFileError(Exception):
    """A file that should be a CT slice and cannot be read.

    Args:
        path: the file.
        series_uid: the series that it says to be of; None where it is too damaged to say.
    """

    def __init__(self, path: Path, series_uid: str | None) -> None:
        super().__init__(path)
        self.path = path
        self.series_uid = series_uid


def damaged(path: Path) -> JobError:
    """The error for a slice that cannot be read."""
    return JobError(f"The DICOM file {path} is truncated or damaged; export or copy the series again.")


def read_tags(path: Path) -> tuple[dict[str, str], Slice | None]:
    """The tags of a DICOM image as text by "group|element", and the slice; no slice for any other kind of file.

    Raises:
        DamagedFileError: it is a damaged slice.
        JobError: its name cannot be used.
        OSError: it cannot be read.
    """
    if not path.is_file():
        return {}, None
    check_name(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if _should_be_image(path, head):
            raise DamagedFileError(path, _series_uid(head)) from error
        return {}, None
    tags = {key: _printable(reader.GetMetaData(key)) for key in reader.GetMetaDataKeys()}
    allocated, stored = _number(tags, "0028|0100"), _number(tags, "0028|0101")
    if allocated is not None and stored is not None and stored > allocated:
        raise DamagedFileError(path, tags.get("0020|000e"))
    columns, rows, *more = reader.GetSize()
    return tags, Slice(
        path=path,
        size=(rows, columns),
        plane=_plane(tags),
        frames=math.prod(more),
        components=reader.GetNumberOfComponents(),
        sop_class=tags.get("0008|0016", "").rstrip("\0"),
        image_type=tuple(part.strip().upper() for part in tags.get("0008|0008", "").split("\\")),
        instance_number=None if (number := _number(tags, "0020|0013")) is None else round(number),
        rescale=_rescale(tags),
        acquisition=AcquisitionTags(
            slice_thickness=_number(tags, "0018|0050"),
            spacing_between_slices=_number(tags, "0018|0088"),
            convolution_kernel=tags.get("0018|1210") or None,
        ),
    )


def _rescale(tags: dict[str, str]) -> Rescale:
    ends = [end for key in ("0028|0120", "0028|0121") if (end := _number(tags, key)) is not None]
    bits, signed = int(_number(tags, "0028|0100") or 16), tags.get("0028|0103") == "1"
    lowest = -(2 ** (bits - 1)) if signed else 0
    # Padding is of the pixels' own kind, but many files have -2000 as 63536 or the other way round.
    ends = [(end - lowest) % 2**bits + lowest for end in ends]
    return Rescale(
        slope=_number(tags, "0028|1053"),
        intercept=_number(tags, "0028|1052"),
        type=tags.get("0028|1054", "").upper(),
        padding=(min(ends), max(ends)) if ends and "0028|0120" in tags else None,
    )


def _printable(tag: str) -> str:
    """A tag's text; bytes that are no UTF-8, which arrive as surrogates, are taken for Latin-1, the usual other."""
    stored = tag.encode(errors="surrogateescape")
    try:
        text = stored.decode()
    except UnicodeDecodeError:
        text = stored.decode("latin-1")
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _should_be_image(path: Path, head: bytes) -> bool:
    """Whether a file that GDCM cannot read is a damaged CT slice, rather than a report, a DICOMDIR or no DICOM."""
    if head[128:132] != b"DICM":
        return not head and path.suffix.lower() in (".dcm", ".ima")
    # MediaStorageSOPClassUID: the file's meta header is little endian with explicit types, whatever follows it.
    stated = re.search(rb"\x02\x00\x02\x00UI(..)", head[132:1024], flags=re.DOTALL)
    if stated is None:
        return True
    uid = head[132 + stated.end() :][: int.from_bytes(stated[1], "little")]
    return uid.rstrip(b"\0").decode("ascii", errors="replace") in CT_CLASSES


def _series_uid(head: bytes) -> str | None:
    """SeriesInstanceUID in what there is of a file, little endian with explicit or implicit types."""
    stated = re.search(rb"\x20\x00\x0e\x00(?:UI(..)|(....))([0-9.]{1,64})", head, flags=re.DOTALL)
    if stated is None:
        return None
    length = int.from_bytes(stated[1] or stated[2], "little")
    return stated[3].decode("ascii") if len(stated[3]) <= length <= len(stated[3]) + 1 else None


def _plane(tags: dict[str, str]) -> ImagePlane | None:
    position, orientation = _numbers(tags, "0020|0032", 3), _numbers(tags, "0020|0037", 6)
    pixel_spacing = _numbers(tags, "0028|0030", 2)
    if position is None or orientation is None or pixel_spacing is None:
        return None
    return ImagePlane(position, orientation, pixel_spacing)


def _number(tags: dict[str, str], key: str) -> float | None:
    found = _numbers(tags, key, 1)
    return None if found is None else found[0]


def _numbers(tags: dict[str, str], key: str, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(v) for v in tags.get(key, "").split("\\"))
    except ValueError:
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None
