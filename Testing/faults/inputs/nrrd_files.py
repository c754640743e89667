"""NRRD files, attached and detached, with mutations of their headers."""

from __future__ import annotations

import gzip
from dataclasses import replace
from random import Random

import numpy as np

from inputs.sample import Sample
from inputs.scan import Scan
from inputs.text_header import header_bytes

SPACES = {"left-posterior-superior": (1, 1, 1), "LPS": (1, 1, 1), "right-anterior-superior": (-1, -1, 1),
          "RAS": (-1, -1, 1), "left-anterior-superior": (1, -1, 1)}  # fmt: skip
"""Names of spaces, and what takes LPS there."""

TYPES = {"int8": "signed char", "uint8": "uchar", "int16": "short", "uint16": "unsigned short", "int32": "int",
         "uint32": "uint32", "float32": "float", "float64": "double"}  # fmt: skip

MORE = (
    "spacings: 1 2 3", "spacings: nan nan nan", "axis mins: 5 6 7", "axis maxs: 50 60 70", "centers: node node node",
    "centers: cell cell cell", "kinds: domain domain domain", "kinds: space space space", "kinds: list domain domain",
    'units: "mm" "mm" "mm"', 'units: "cm" "cm" "cm"', 'space units: "mm" "mm" "mm"', 'space units: "cm" "cm" "cm"',
    'space units: "um" "um" "um"', 'labels: "x" "y" "z"', "measurement frame: (0,1,0) (1,0,0) (0,0,1)",
    "thicknesses: 5 5 5", "byte skip: 4", "byte skip: -1", "line skip: 1", "min: -1000", "old min: 0", "old max: 1",
    "space: left-posterior-superior", "space: right-anterior-superior", "space: scanner-xyz", "space: 3D-left-handed",
    "space dimension: 3", "space dimension: 4", "space origin: (1,2,3)", "space directions: (1,0,0) (0,1,0) (0,0,1)",
    "space directions: none (0,1,0) (0,0,1)", "endian: big", "encoding: raw", "encoding: gzip", "encoding: hex",
    "encoding: bzip2",
    "type: float", "type: block", "block size: 2", "dimension: 4", "sizes: 12 10 9 1", "data file: scan.raw",
    "data file: /dev/zero", "data file: ../scan.raw", "data file: LIST", "# a remark: größe", "key:=value",
    "content: x",
    "sample units: HU", "number: 3",
)  # fmt: skip


def make(scan: Scan, chance: Random, *, plain: bool) -> Sample:
    """A NRRD of a scan, its header changed unless it shall be ``plain``."""
    lines, data, name, scan = _write(scan, chance)
    detached = not name.endswith(".nrrd")
    header, end, about = header_bytes(lines, chance, () if plain else MORE)
    if detached:
        return Sample({"scan.nhdr": header, "scan.raw": data}, "scan.nhdr", about, scan)
    return Sample({"scan.nrrd": header + end + data}, "scan.nrrd", about, scan)


def _write(scan: Scan, chance: Random) -> tuple[list[str], bytes, str, Scan]:
    array = scan.array
    space = chance.choice(list(SPACES))
    flips = np.array(SPACES[space])[:, None]
    vectors = " ".join(f"({','.join(f'{v:.17g}' for v in column)})" for column in (flips * scan.steps).T)
    origin = ",".join(f"{v:g}" for v in flips[:, 0] * np.array(scan.origin))
    encoding = chance.choice(("raw", "raw", "raw", "gzip", "gzip", "gzip", "gz", "ascii", "hex", "hex"))
    big = chance.random() < 0.3
    plain = array.astype(array.dtype.newbyteorder(">" if big else "<")).tobytes()
    text = " ".join(f"{v:.17g}" if array.dtype.kind == "f" else str(v) for v in array.ravel())
    data = {"raw": plain, "hex": plain.hex().encode(), "ascii": text.encode()}.get(
        encoding, gzip.compress(plain, mtime=0)
    )
    lines = [
        f"NRRD000{chance.choice((4, 5))}",
        f"type: {TYPES[array.dtype.name]}",
        "dimension: 3",
        f"space: {space}",
        f"sizes: {' '.join(map(str, array.shape[::-1]))}",
        f"space directions: {vectors}",
        f"endian: {'big' if big else 'little'}",
        f"encoding: {encoding}",
        f"space origin: ({origin})",
    ]
    if chance.random() < 0.15:  # no place in space, only distances
        kept = [line for line in lines if not line.startswith("space")]
        lines = [*kept, f"spacings: {' '.join(map(str, scan.spacing))}"]
        scan = replace(scan, origin=(0.0, 0.0, 0.0), direction=np.eye(3))
    if chance.random() < 0.3:
        lines.append("kinds: domain domain domain")
    if chance.random() < 0.15:
        return [*lines, "data file: scan.raw"], data, "scan.nhdr", scan
    return lines, data, "scan.nrrd", scan
