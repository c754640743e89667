"""NRRD headers, attached (.nrrd) and detached (.nhdr), after teem's definition of the format."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags
from CTSuperResolutionLib.volume.image_header import (
    ImageHeader,
    MalformedHeaderError,
    beside,
    millimetres,
    number,
    unit_note,
    volume_shape,
    whole_number,
    whole_numbers,
)
from CTSuperResolutionLib.volume.voxel_data import Encoding, VoxelData, open_plain

HEADER_BYTES = 1 << 22
"""Longest header; key/value pairs of diffusion and of pathology images may take a megabyte."""

KINDS = {
    "i1": "signed char|int8|int8_t",
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float",
    "f8": "double",
}
ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gz": "deflate", "gzip": "deflate", "bz2": "bzip2", "bzip2": "bzip2",
    "txt": "text", "text": "text", "ascii": "text",
}  # fmt: skip
SPACES = {"right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1),
          "las": (1, -1, 1)}  # fmt: skip
"""Signs that bring a space to LPS; every other space of three axes is taken for LPS, as ITK does."""

DOMAINS = ("domain", "space", "time", "none", "???", "")
"""Kinds of axes along which samples lie; all other kinds are of axes within a sample."""


def read_nrrd(path: Path) -> ImageHeader:
    """The header of a NRRD file.

    Raises:
        MalformedHeaderError: it breaks the format, or has something that is not read.
        OSError: a file cannot be read.
    """
    with open_plain(path) as file:
        content = file.read(HEADER_BYTES)
    end = re.search(rb"\r?\n\r?\n", content)
    header = content[: end.start()] if end else content
    if not header.startswith(b"NRRD000"):
        raise MalformedHeaderError
    text = header.decode("utf-8", errors="replace")
    fields = _fields(text)
    sizes, components = _sizes(fields)
    axes, spacing, origin, notes = _place(path, fields, len(sizes))
    data = None
    if len(sizes) == 3 and components == 1:
        data = _data(path, fields, volume_shape(sizes), end.end() if end else None)
    return ImageHeader(
        sizes, components, spacing, axes, origin, data, notes, AcquisitionTags.of_entries(_entries(text))
    )


def _fields(text: str) -> dict[str, str]:
    """Fields by name, in small letters and without spaces, of a header, which also has comments and key/value pairs."""
    fields: dict[str, str] = {}
    for line in re.split(r"\r?\n", text.rstrip("\r\n"))[1:]:
        field = re.fullmatch(r"(\w[\w ]*):(| .*)", line, flags=re.DOTALL)
        if field is None:
            if line.startswith("#") or ":=" in line:
                continue
            raise MalformedHeaderError
        name = field[1].lower().replace(" ", "")
        if name in fields:  # which of the two holds?
            raise MalformedHeaderError
        fields[name] = field[2].strip()
        if name == "datafile" and fields[name].startswith("LIST"):  # what follows are names of files
            break
    return fields


def _entries(text: str) -> dict[str, str]:
    """Key/value pairs of a header, with what they escape."""
    pairs = re.findall(r"^(?!#)([^:\r\n]+):=(.*?)\r?$", text, flags=re.MULTILINE)
    return {key: re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value) for key, value in pairs}


def _sizes(fields: dict[str, str]) -> tuple[tuple[int, ...], int]:
    """Sizes of the axes that samples lie along, and the number of values in a sample."""
    sizes = whole_numbers(fields.get("sizes", ""))
    if whole_numbers(fields.get("dimension", "")) != (len(sizes),) or min(sizes) < 0:
        raise MalformedHeaderError
    kinds = [kind.lower() for kind in fields.get("kinds", "").split()] or [""] * len(sizes)
    if len(kinds) != len(sizes):
        raise MalformedHeaderError
    outer = tuple(n for n, kind in zip(sizes, kinds, strict=True) if kind in DOMAINS)
    components = math.prod(n for n, kind in zip(sizes, kinds, strict=True) if kind not in DOMAINS)
    if components < 1:
        raise MalformedHeaderError
    return outer, components


def _place(
    path: Path, fields: dict[str, str], dimension: int
) -> tuple[np.ndarray | None, tuple[float, ...] | None, np.ndarray, tuple[str, ...]]:
    """Axes, spacing, origin and notes of :class:`ImageHeader`."""
    if dimension != 3:
        return None, None, np.zeros(3), ()
    oriented = "spacedirections" in fields
    units = re.findall(r'"\s*([^"]*?)\s*"', fields.get("spaceunits" if oriented else "units", ""))
    if len({millimetres(unit) for unit in units}) > 1:
        raise MalformedHeaderError("states lengths in several units")
    unit = units[0] if units else ""
    factor = millimetres(unit)
    notes = unit_note(path, unit, factor)
    origin = np.zeros(3)
    if oriented:
        # "none" marks an axis without place in space, so a volume with only two vectors states too little.
        vectors = [
            [number(v) for v in vector.split(",")] for vector in re.findall(r"\(([^)]*)\)", fields["spacedirections"])
        ]
        if any(len(vector) != 3 for vector in vectors):
            raise MalformedHeaderError
        if len(vectors) < 3:
            return np.eye(3), None, origin, notes
        signs = np.array(SPACES.get(fields.get("space", "").lower(), (1, 1, 1)))
        axes = factor * (signs * np.array(vectors)).T
        if "spaceorigin" in fields:
            stated = re.fullmatch(r"\(([^)]*)\)", fields["spaceorigin"])
            if stated is None:
                raise MalformedHeaderError
            place = [number(v) for v in stated[1].split(",")]
            if len(place) != 3:
                raise MalformedHeaderError
            origin = factor * signs * place
        with np.errstate(invalid="ignore"):
            return axes, tuple(map(float, np.linalg.norm(axes, axis=0))), origin, notes
    if "spacings" not in fields:
        return np.eye(3), None, origin, notes
    spacing = tuple(factor * number(v) for v in fields["spacings"].split())
    if len(spacing) != 3:
        raise MalformedHeaderError
    if "axismins" in fields:
        nodes = [c == "node" for c in fields.get("centers", fields.get("centerings", "")).split()] or [False] * 3
        mins = [number(v) for v in fields["axismins"].split()]
        if len(mins) != 3 or len(nodes) != 3:
            raise MalformedHeaderError
        origin = factor * np.array(mins) + np.where(nodes, 0, 0.5) * spacing
        origin = np.where(np.isfinite(origin), origin, 0)  # NaN stands for an axis whose place is not known
    return np.diag(spacing), spacing, origin, notes


def _data(path: Path, fields: dict[str, str], shape: tuple[int, int, int], header_bytes: int | None) -> VoxelData:
    kind = next((code for code, names in KINDS.items() if fields.get("type", "").lower() in names.split("|")), None)
    encoding = ENCODINGS.get(fields.get("encoding", "").lower())
    if kind is None or (encoding is None and fields.get("encoding", "").lower() != "hex"):
        raise MalformedHeaderError
    if encoding is None:
        raise MalformedHeaderError("holds its voxels as hexadecimal text, which is not read")
    order = {"little": "<", "big": ">"}.get(fields.get("endian", "").lower(), "" if kind in ("i1", "u1") else None)
    if order is None and encoding != "text":
        raise MalformedHeaderError
    detached = fields.get("datafile")
    if detached is None and header_bytes is None:
        raise MalformedHeaderError
    if detached is not None and (detached.startswith("LIST") or re.search(r"%\d*d", detached)):
        raise MalformedHeaderError("has its data in several files, which are not read")
    place = path if detached is None else beside(path, detached)
    skip = whole_number(fields.get("byteskip", "0"))
    lines = whole_number(fields.get("lineskip", "0"))
    if skip < -1 or lines < 0 or (skip == -1 and encoding != "raw"):
        raise MalformedHeaderError
    offset = (header_bytes or 0) if detached is None else 0
    with open_plain(place) as file:
        file.seek(offset)
        for _ in range(min(lines, HEADER_BYTES)):
            file.readline(HEADER_BYTES)
        offset = file.tell()
    number_type = np.dtype(f"{order or ''}{kind}")
    return VoxelData(place, -1 if skip == -1 else offset, max(skip, 0), encoding, number_type, shape)
