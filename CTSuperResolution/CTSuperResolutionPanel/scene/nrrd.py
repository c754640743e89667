"""NRRD files, written and read by slabs: the scan for the background process, and its results."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.volume.writing import nrrd_header

SLAB_BYTES = 1 << 20
"""What is read or written in one step: a millisecond or two, ten where it is compressed."""

TYPES = {
    "int8": "int8", "uint8": "uint8", "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32",
    "int64": "int64", "uint64": "uint64", "float32": "float", "float64": "double",
}  # fmt: skip
"""What numpy's types are called in a header."""

SYNONYMS = {"short": "int16", "signed short": "int16", "short int": "int16", "float": "float32", "double": "float64"}
"""What else a header may call those that results come in."""


class BadFile(Exception):
    """A file is not what it should be; the message says how."""


@dataclass(frozen=True)
class Header:
    """What a file says of its volume.

    Attributes:
        shape: voxels (z, y, x). dtype: of the voxels.
        ijk_to_lps: 4 x 4, from indices (x, y, z) to mm in LPS.
        compressed: whether the data are gzipped.
        offset: bytes before the data.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    ijk_to_lps: np.ndarray
    compressed: bool
    offset: int


def write(
    path: Path,
    array: np.ndarray,
    ijk_to_lps: np.ndarray,
    *,
    metadata: Mapping[str, str] | None = None,
    compress: bool = False,
) -> Generator[float, None, None]:
    """Write a volume, by steps.

    Args:
        path: the file.
        array: voxels (z, y, x), any real type of C.
        ijk_to_lps: 4 x 4, from indices (x, y, z) to mm in LPS.
        metadata: key/value pairs for the header.
        compress: gzip the data, fast rather than small.
    """
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    axes, origin = ijk_to_lps[:3, :3], ijk_to_lps[:3, 3].tolist()
    encoding = "gzip" if compress else "raw"
    header = nrrd_header(TYPES[array.dtype.name], array.shape, axes, origin, encoding=encoding, metadata=metadata or {})
    with path.open("wb") as file:
        file.write(header)
        if compress:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as data:
                yield from _slabs(array, data.write)
        else:
            yield from _slabs(array, file.write)


def read_header(path: Path) -> Header:
    """The header of a file, which must be one that this project writes.

    Raises:
        BadFile: it is not.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(1 << 16)
    text, end, _ = head.partition(b"\n\n")
    if not text.startswith(b"NRRD") or not end:
        raise BadFile(f"{path.name} is not a NRRD file")
    fields = dict(re.findall(r"^([a-z][a-z ]*): (.*)$", text.decode("utf-8", "replace"), flags=re.MULTILINE))
    try:
        name = fields["type"].strip()
        dtype = np.dtype(SYNONYMS.get(name, name)).newbyteorder("<")
        sizes = tuple(int(n) for n in fields["sizes"].split())
        vectors = [_vector(v) for v in re.findall(r"\(([^)]*)\)", fields["space directions"])]
        matrix = np.eye(4)
        matrix[:3, :3] = np.transpose(vectors)
        matrix[:3, 3] = _vector(fields["space origin"].strip(" ()"))
        encoding = {"raw": False, "gzip": True, "gz": True}[fields["encoding"].strip()]
        ours = fields["space"].strip() == "left-posterior-superior" and fields["endian"].strip() == "little"
        if not ours or len(sizes) != 3 or min(sizes) < 1:
            raise ValueError
    except (KeyError, ValueError, TypeError) as error:
        raise BadFile(f"{path.name} has a header that is not one of ours") from error
    return Header(sizes[::-1], dtype, matrix, encoding, len(text) + 2)


def read_into(path: Path, header: Header, array: np.ndarray) -> Generator[float, None, None]:
    """Read the voxels of a file into an array of its shape and type, by steps.

    Raises:
        BadFile: there are fewer voxels than the header says, or they are damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(header.offset)
        with gzip.GzipFile(fileobj=file) if header.compressed else file as data:
            try:
                yield from _slabs(array, lambda part: _fill(data, part, path))
                if data.read(1):  # at the end of its data, gzip compares their checksum
                    raise BadFile(f"{path.name} is too long")
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise BadFile(f"{path.name} is damaged") from error


def _slabs(array: np.ndarray, use: Callable[[memoryview], Any]) -> Generator[float, None, None]:
    """Hand over an array by parts of whole rows of about SLAB_BYTES, in the order of memory."""
    done, total = 0, max(array.size, 1)
    for plane in array:
        rows = max(1, SLAB_BYTES // max(plane.itemsize * plane.shape[1], 1))
        for first in range(0, plane.shape[0], rows):
            part = plane[first : first + rows]
            use(np.ascontiguousarray(part).data.cast("B"))
            done += part.size
            yield done / total


def _fill(data: BufferedIOBase, part: memoryview, path: Path) -> None:
    while part:
        count = data.readinto(part)
        if not count:
            raise BadFile(f"{path.name} ends too early")
        part = part[count:]


def _vector(text: str) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in text.split(","))
    return x, y, z
