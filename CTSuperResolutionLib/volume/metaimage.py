"""MetaImage headers, attached (.mha) and detached (.mhd), after MetaIO."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

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

HEADER_BYTES = 1 << 20
UNIT_TOLERANCE = 1e-3
"""Deviation from 1 of the length of a direction that rounding of text explains."""

KINDS = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip


def read_metaimage(path: Path) -> ImageHeader:
    """The header of a MetaImage file.

    Raises:
        MalformedHeaderError: it breaks the format, or has something that is not read.
        OSError: a file cannot be read.
    """
    with open_plain(path) as file:
        content = file.read(HEADER_BYTES)
    end = re.search(rb"^ElementDataFile[ \t]*=[ \t]*([^\r\n]*)\r?(\n|\Z)", content, flags=re.MULTILINE)
    if end is None:
        raise MalformedHeaderError
    fields = _fields(content[: end.start()].decode("utf-8", errors="replace"))
    sizes = whole_numbers(fields.get("DimSize", ""))
    if whole_numbers(fields.get("NDims", "")) != (len(sizes),):
        raise MalformedHeaderError
    components = whole_number(fields.get("ElementNumberOfChannels", "1"))
    if components < 1:
        raise MalformedHeaderError
    unit = fields.get("DistanceUnits", "").strip("?")
    factor = millimetres(unit)
    stated = fields.get("ElementSpacing") or fields.get("ElementSize")
    spacing = None if stated is None else tuple(factor * number(v) for v in stated.split())
    axes, origin, data = None, np.zeros(3), None
    if len(sizes) == 3 and components == 1:
        if spacing is not None and len(spacing) != 3:
            raise MalformedHeaderError
        # Rows of the file's matrix are the directions of the axes.
        rows = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), 9, np.eye(3).ravel()).reshape(3, 3)
        lengths = np.linalg.norm(rows, axis=1)
        if np.abs(lengths - 1).max() > UNIT_TOLERANCE:  # no directions
            rows = np.zeros((3, 3))
        with np.errstate(invalid="ignore"):  # of spacings that were refused already, or will be
            directions = (rows / np.where(lengths > 0, lengths, 1)[:, None]).T
            axes = directions * (np.ones(3) if spacing is None else np.array(spacing))
        origin = factor * _numbers(fields, ("Offset", "Position", "Origin"), 3, np.zeros(3))
        data = _data(path, fields, volume_shape(sizes), end)
    return ImageHeader(sizes, components, spacing, axes, origin, data, unit_note(path, unit, factor))


def _fields(text: str) -> dict[str, str]:
    """Fields by name; the last one of a name counts."""
    fields: dict[str, str] = {}
    for line in filter(str.strip, text.split("\n")):
        name, mark, value = line.partition("=")
        if not mark:
            raise MalformedHeaderError
        fields[name.strip()] = value.strip()
    return fields


def _numbers(fields: dict[str, str], names: tuple[str, ...], count: int, default: np.ndarray) -> np.ndarray:
    stated = next((fields[name] for name in names if name in fields), None)
    if stated is None:
        return default
    found = np.array([number(v) for v in stated.split()])
    if len(found) != count:
        raise MalformedHeaderError
    return found


def _data(path: Path, fields: dict[str, str], shape: tuple[int, int, int], end: re.Match[bytes]) -> VoxelData:
    kind = KINDS.get(fields.get("ElementType", ""))
    if kind is None:
        raise MalformedHeaderError
    name = end[1].decode("utf-8", errors="replace").strip()
    if re.search(r"^LIST\b|%\d*d", name):
        raise MalformedHeaderError("has its data in several files, which are not read")
    local = name.lower() == "local"
    offset = whole_number(fields.get("HeaderSize", "0"))
    encoding: Encoding = "raw"
    if not _is_true(fields.get("BinaryData", "True")):
        encoding = "text"
    if _is_true(fields.get("CompressedData", "False")):
        encoding = "deflate"
    if offset < -1 or (offset == -1 and encoding != "raw"):
        raise MalformedHeaderError
    order = ">" if _is_true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))) else "<"
    if local and offset == 0:
        offset = end.end()
    return VoxelData(path if local else beside(path, name), offset, 0, encoding, np.dtype(order + kind), shape)


def _is_true(text: str) -> bool:
    if text.lower() not in ("true", "1", "false", "0"):
        raise MalformedHeaderError
    return text.lower() in ("true", "1")
