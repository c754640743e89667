"""Headers of NRRD, MetaImage and NIfTI files as written, where ITK corrects them without a word.

ITK reads a NIfTI that was cut short without a word, and turns many an impossible spacing into 1 mm or a flipped axis.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from CTSuperResolutionLib.errors import JobError

TEXT_HEADER_BYTES = 1 << 16
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FileHeader:
    """What an image file states of itself; None where it states nothing.

    Attributes:
        dimension: number of axes, those of vectors included.
        spacing: of the spatial axes in mm, (x, y, z), as stated: possibly zero, negative or not a number.
    """

    dimension: int | None
    spacing: tuple[float, ...] | None


def damaged(path: Path, format_name: str) -> JobError:
    """The error for a file that breaks its format."""
    hint = " (or its data file is missing)" if path.suffix.lower() in (".nhdr", ".mhd") else ""
    return JobError(f"{path} is truncated, damaged or not a {format_name} file{hint}; copy or save it again.")


def read_header(path: Path) -> FileHeader:
    """The header of a NRRD, MetaImage or NIfTI file; a NIfTI's data must also be there to their end.

    Raises:
        JobError: the NIfTI is damaged.
        OSError: the file cannot be opened.
    """
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return _read_nifti(path)
    with path.open("rb") as file:
        return _parse_text(file.read(TEXT_HEADER_BYTES).decode("latin-1"))


def _parse_text(text: str) -> FileHeader:
    # A NRRD header ends with an empty line, a MetaImage header with the name of its data.
    text = re.split(r"\r?\n\r?\n|^ElementDataFile.*", text, maxsplit=1, flags=re.MULTILINE)[0]
    fields = dict(re.findall(r"^(\w[\w ]*?)[ \t]*[:=](?!=)[ \t]*(.*?)\r?$", text, flags=re.MULTILINE))
    dimension = fields.get("dimension") or fields.get("NDims")
    spacing = None
    if "space directions" in fields:
        vectors = re.findall(r"\(([^)]*)\)|\bnone\b", fields["space directions"])
        # "none" marks an axis without place in space, so a volume with only two vectors states too little.
        known = [math.hypot(*map(_number, v.split(","))) for v in vectors if v]
        spacing = tuple(known) if len(known) >= 3 else None
    elif stated := fields.get("spacings") or fields.get("ElementSpacing") or fields.get("ElementSize"):
        spacing = tuple(map(_number, stated.split()))
    return FileHeader(int(dimension) if dimension and dimension.isdigit() else None, spacing)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _read_nifti(path: Path) -> FileHeader:
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            head = file.read(348)
            order = next((o for o in "<>" if struct.unpack_from(o + "i", head)[0] in (348, 540)), None)
            if order is None:
                raise damaged(path, "NIfTI")
            if struct.unpack_from(order + "i", head)[0] == 540:
                raise JobError(f"{path} is a NIfTI-2 file, which cannot be read; save it as NIfTI-1 or NRRD.")
            dimension, *sizes = struct.unpack_from(order + "8h", head, 40)
            (bits,) = struct.unpack_from(order + "h", head, 72)
            spacing = struct.unpack_from(order + "3f", head, 80)
            (data_offset,) = struct.unpack_from(order + "f", head, 108)
            needed = data_offset + math.prod(sizes[:dimension]) * bits // 8
            # Only reading a compressed file to its end shows that it is whole; gzip compares length and checksum.
            have = len(head) + sum(map(len, iter(lambda: file.read(CHUNK_BYTES), b""))) if zipped else _size(path)
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error) as error:
        raise damaged(path, "NIfTI") from error
    if not 0 < dimension <= 7 or not needed <= have:  # a NaN among the sizes counts as damage, too
        raise damaged(path, "NIfTI")
    return FileHeader(dimension, spacing)


def _size(path: Path) -> int:
    return path.stat().st_size
