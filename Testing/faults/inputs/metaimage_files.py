"""MetaImage files, in one and in two, with mutations of their headers."""

from __future__ import annotations

import zlib
from random import Random

from inputs.sample import Sample
from inputs.scan import Scan
from inputs.text_header import header_bytes

TYPES = {"int8": "MET_CHAR", "uint8": "MET_UCHAR", "int16": "MET_SHORT", "uint16": "MET_USHORT", "int32": "MET_INT",
         "uint32": "MET_UINT", "float32": "MET_FLOAT", "float64": "MET_DOUBLE"}  # fmt: skip

MORE = (
    "ElementSpacing = 1 2 3", "ElementSpacing = 1 2", "ElementSize = 1 2 3", "ElementSpacing = nan 1 1",
    "Offset = 1 2 3",
    "Position = 1 2 3", "Origin = 1 2 3", "Orientation = 1 0 0 0 1 0 0 0 1", "Rotation = 0 1 0 1 0 0 0 0 1",
    "TransformMatrix = 1 0 0 0 1 0 0 0 1", "TransformMatrix = 2 0 0 0 2 0 0 0 2", "CenterOfRotation = 5 6 7",
    "AnatomicalOrientation = RAI", "AnatomicalOrientation = LPS", "ElementByteOrderMSB = True", "HeaderSize = 4",
    "BinaryDataByteOrderMSB = True", "BinaryData = False", "CompressedData = True", "CompressedData = False",
    "HeaderSize = -1", "HeaderSize = 100000", "CompressedDataSize = 10", "CompressedDataSize = 0",
    "Modality = MET_MOD_MR",
    "ElementNumberOfChannels = 2", "ElementNumberOfChannels = 0", "ElementMin = 0", "ElementMax = 1", "Comment = größe",
    "ElementToIntensityFunctionSlope = 2", "ElementToIntensityFunctionOffset = -1024", "DistanceUnits = um",
    "DistanceUnits = cm", "DistanceUnits = mm", "ElementType = MET_FLOAT", "ElementType = MET_USHORT", "NDims = 4",
    "ElementType = MET_OTHER", "ElementType = MET_SHORT_ARRAY", "DimSize = 12 10 9 1", "DimSize = 0 0 0",
    "ObjectType = Mesh",
    "ObjectType = Image", "ElementDataFile = LOCAL", "ElementDataFile = LIST", "ElementDataFile = scan.raw",
    "ElementDataFile = /dev/zero", "ElementDataFile = ../scan.raw", "ElementDataFile = s%d.raw 0 8 1", "ID = 7",
    "Color = 1 1 1 1",
    "SequenceID = 1 1 1", "Name = x", "ElementNBits = 12",
)  # fmt: skip


def make(scan: Scan, chance: Random, *, plain: bool) -> Sample:
    """A MetaImage of a scan, its header changed unless it shall be ``plain``."""
    array, detached = scan.array, chance.random() < 0.15
    big, zipped = chance.random() < 0.3, chance.random() < 0.4
    data = array.astype(array.dtype.newbyteorder(">" if big else "<")).tobytes()
    if zipped:
        data = zlib.compress(data)
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        f"BinaryDataByteOrderMSB = {big}",
        f"CompressedData = {zipped}",
        f"TransformMatrix = {' '.join(f'{v:.17g}' for v in scan.direction.T.ravel())}",
        f"Offset = {' '.join(map(str, scan.origin))}",
        "CenterOfRotation = 0 0 0",
        "AnatomicalOrientation = RAI",
        f"ElementSpacing = {' '.join(map(str, scan.spacing))}",
        f"DimSize = {' '.join(map(str, array.shape[::-1]))}",
        f"ElementType = {TYPES[array.dtype.name]}",
        f"ElementDataFile = {'scan.raw' if detached else 'LOCAL'}",
    ]
    if zipped:
        lines.insert(5, f"CompressedDataSize = {len(data)}")
    header, _, about = header_bytes(lines, chance, () if plain else MORE)
    if detached:
        return Sample({"scan.mhd": header, "scan.raw": data}, "scan.mhd", about, scan)
    return Sample({"scan.mha": header + data}, "scan.mha", about, scan)
