"""NRRD, by pynrrd; what that one is stricter in than the format is put right before."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import nrrd
import numpy as np

from inputs.independent.reading import Reading, Unreadable

TO_LPS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
MM = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "": 1.0, "???": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3}
DOMAIN = {"domain", "space", "???", "none"}
LOWER = ("type", "encoding", "space", "endian")


def read(path: Path) -> list[Reading]:
    """What a NRRD file says; several readings where it leaves a choice."""
    content = path.read_bytes()
    lines, data = _split(content)
    header = nrrd.read_header([lines[0], *map(_normal, lines[1:])])
    name = header.pop("data file", header.pop("datafile", None))
    if name is not None:
        if Path(name).name != name:
            raise Unreadable("data elsewhere")
        data = (path.parent / name).read_bytes()
    if header["dimension"] != 3 or not set(map(str.lower, header.get("kinds", ()))) <= DOMAIN:
        raise Unreadable("no 3D volume")
    if header["encoding"] == "hex":
        header["encoding"] = "raw"
        data = _of_hex(data)
    elif header["encoding"] in ("ascii", "text", "txt"):
        data = b" ".join(data.split()[: math.prod(map(int, header["sizes"]))])
    array = np.asarray(nrrd.read_data(header, io.BytesIO(data), index_order="C"), np.float64)
    return [Reading(array, steps, origin) for steps, origin in _grids(header)]


def _split(content: bytes) -> tuple[list[str], bytes]:
    """The lines of the header and the data behind its empty line."""
    lines, at = [], 0
    while at < len(content):
        end = content.find(b"\n", at)
        end = len(content) if end < 0 else end
        line = content[at:end].decode("latin-1").rstrip("\r")
        at = end + 1
        if not line:
            break
        lines.append(line)
    if not lines:
        raise Unreadable("no header")
    return lines, content[at:]


def _of_hex(data: bytes) -> bytes:
    """Bytes of hexadecimal digits, up to what is none."""
    digits = re.match(rb"[0-9a-fA-F]*", re.sub(rb"\s", b"", data))
    assert digits is not None
    return bytes.fromhex(digits[0][: len(digits[0]) // 2 * 2].decode("ascii"))


def _normal(line: str) -> str:
    """A line of the header as pynrrd wants it: names in lower case, values of pairs out of the way."""
    if line.startswith("#"):
        return "#"
    field, mark, value = line.partition(":")
    if not mark:
        raise Unreadable("a line without a colon")
    if value.startswith("="):
        return f"key of {abs(hash(line))}: x"
    field = field.strip().lower()
    if field == "space origin":
        value = value.partition(")")[0] + ")"  # what follows is passed over
    elif field == "dimension":
        value = value.split()[0]
    value = value.strip().lower() if field in LOWER else value.strip()
    return f"{'centerings' if field == 'centers' else field}: {value}"


def _grids(header: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    units = [_mm(unit) for unit in header.get("space units", [])] or [1.0] * 3
    if header.get("space directions") is not None:
        space = header.get("space")
        flips = np.array(TO_LPS.get(space, (1, 1, 1))) * units
        steps = flips[:, None] * np.array(header["space directions"], np.float64).T
        origin = header.get("space origin")
        return [(steps, flips * (np.zeros(3) if origin is None else origin))]
    if "spacings" not in header:
        raise Unreadable("no spacing")
    steps = np.diag(np.array(header["spacings"]) * ([_mm(unit) for unit in header.get("units", [])] or [1.0] * 3))
    lowest = np.array(header.get("axis mins", header.get("axismins", np.zeros(3))), np.float64)
    # Of a cell, the least position is that of its border. Without a space it says little of the patient anyway.
    return [(steps, lowest), (steps, lowest + np.diag(steps) / 2), (steps, np.zeros(3))]


def _mm(unit: str) -> float:
    if unit not in MM:
        raise Unreadable(f"unknown unit {unit}")
    return MM[unit]
