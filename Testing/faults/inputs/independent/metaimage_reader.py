"""MetaImage, by its description (itk.org/Wiki/MetaIO/Documentation)."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from inputs.independent.reading import Reading, Unreadable, number

TYPES = {"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
         "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
         "MET_DOUBLE": "f8"}  # fmt: skip
PLACES = ("Offset", "Position", "Origin")
TURNS = ("TransformMatrix", "Rotation", "Orientation")
MM = {"mm": 1.0, "um": 1e-3, "cm": 10.0}


def read(path: Path) -> list[Reading]:
    """What a MetaImage file says; a field that stands there twice leaves a choice."""
    fields, data = _split(path.read_bytes())
    found, failures = [], []
    for which in {0, *(-1 for texts in fields.values() if len(texts) > 1)}:
        try:
            found.append(_reading({name: texts[which] for name, texts in fields.items()}, data, path))
        except Exception as error:
            failures.append(error)
    if not found:
        raise failures[0]
    return found


def _split(content: bytes) -> tuple[dict[str, list[str]], bytes]:
    fields: dict[str, list[str]] = {}
    while content:
        line, _, content = content.partition(b"\n")
        name, mark, value = line.decode("latin-1").partition("=")
        if not mark:
            if not line.strip():
                continue
            raise Unreadable("a line without =")
        fields.setdefault(name.strip(), []).append(value.strip())
        if name.strip() == "ElementDataFile":
            return fields, content
    raise Unreadable("no data")


def _reading(fields: dict[str, str], data: bytes, path: Path) -> Reading:
    def numbers(name: str, count: int) -> np.ndarray:
        values = [number(text) for text in fields[name].split()]
        if len(values) != count:
            raise Unreadable(f"{len(values)} numbers of {name}")
        return np.array(values)

    def is_true(*names: str) -> bool:
        return next((fields[name] for name in names if fields.get(name)), "False")[0] in "Tt1"

    if fields.get("NDims") != "3" or fields.get("ElementNumberOfChannels", "1") != "1":
        raise Unreadable("no 3D volume")
    sizes = numbers("DimSize", 3)
    if not (sizes == np.rint(sizes)).all() or sizes.min() < 1 or sizes.prod() > 1e7:
        raise Unreadable("no size")
    spacing_name = "ElementSpacing" if "ElementSpacing" in fields else "ElementSize"
    if spacing_name not in fields:
        raise Unreadable("no spacing")
    unit = MM.get(fields.get("DistanceUnits", "mm"), 1.0)
    spacing = numbers(spacing_name, 3) * unit
    place = next((name for name in PLACES if name in fields), None)
    turn = next((name for name in TURNS if name in fields), None)
    origin = np.zeros(3) if place is None else numbers(place, 3) * unit
    direction = np.eye(3) if turn is None else numbers(turn, 9).reshape(3, 3).T
    if fields["ElementDataFile"] != "LOCAL":
        if Path(fields["ElementDataFile"]).name != fields["ElementDataFile"]:
            raise Unreadable("data elsewhere")
        data = (path.parent / fields["ElementDataFile"]).read_bytes()
    kind = np.dtype(TYPES[fields["ElementType"]])
    count = int(sizes.prod())
    skip = int(fields.get("HeaderSize", "0"))
    if is_true("CompressedData"):
        data = zlib.decompressobj().decompress(data)
    if skip == -1:
        data = data[len(data) - count * kind.itemsize :]
    elif skip > 0:
        data = data[skip:]
    if "BinaryData" in fields and not is_true("BinaryData"):
        array = np.array([number(text) for text in data.decode("latin-1").split()[:count]])
    else:
        big = is_true("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
        array = np.frombuffer(data[: count * kind.itemsize], kind.newbyteorder(">" if big else "<"))
    if array.size != count:
        raise Unreadable("too few voxels")
    shape = sizes.astype(int)[::-1]
    return Reading(array.reshape(shape).astype(np.float64), direction * spacing, origin)
