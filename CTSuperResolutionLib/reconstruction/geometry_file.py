"""Geometry file: the JSON that lies beside a stack of projections and says which rays its pixels are.

Lengths are mm, angles degrees; arrays are (z, y, x) and (v, u), ``origin_mm`` and ``direction`` as in NRRD (x, y, z).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.reconstruction.attenuation import WATER_PER_MM
from CTSuperResolutionLib.reconstruction.projections import IDENTITY, Projections, VolumePlace

VERSION = 1
LARGEST_FILE = 1 << 24  # bytes
VALUES = ("line integrals", "intensities")
RADIANS = 2 * math.pi + 1e-6  # many angles of which none is larger, in degrees, are radians
ENTRIES = (
    "version", "beam", "angles_deg", "source_to_axis_mm", "source_to_detector_mm", "detector_shape",
    "detector_spacing_mm", "detector_offset_mm", "values", "i0", "water_per_mm", "volume", "made",
)  # fmt: skip


@dataclass(frozen=True)
class Tilt:
    """How source and detector stand to the axis, the same in every view.

    Attributes:
        in_plane, out_of_plane: radians; the detector is turned about its normal, then with its source about its rows.
        source_offset: of the source along (v, u) of the detector, mm.
    """

    in_plane: float = 0.0
    out_of_plane: float = 0.0
    source_offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class StatedGeometry:
    """What a file says of a stack of projections.

    Attributes:
        angles: of the views, radians.
        source_distance, detector_distance: of a cone beam, mm; None for a parallel one.
        detector_shape, detector_spacing: (v, u), pixels and mm; None where the stack itself is to say it.
        detector_offset: mm, (v, u): of the detector's centre from the central ray, or, where the stack itself says
            its spacing, of the place that it states.
        place: the grid to reconstruct on; None where it is to be made from the detector.
        direction: of a grid that is made from the detector. height: of its middle along the axis, mm.
        tilt: of source and detector; None where they stand upright.
        i0: intensity where nothing is in the rays' way; None for line integrals.
        water_per_mm: attenuation of water; None where it is not stated.
    """

    angles: tuple[float, ...]
    source_distance: float | None = None
    detector_distance: float | None = None
    detector_shape: tuple[int, int] | None = None
    detector_spacing: tuple[float, float] | None = None
    detector_offset: tuple[float, float] = (0.0, 0.0)
    place: VolumePlace | None = None
    direction: tuple[float, ...] = IDENTITY
    height: float = 0.0
    tilt: Tilt | None = None
    i0: float | None = None
    water_per_mm: float | None = None


def geometry_text(projections: Projections, i0: float | None, made: Mapping[str, Any]) -> str:
    """The text of a geometry file.

    Args:
        projections: whose it is. i0: of a stack of intensities; None for line integrals.
        made: how the stack was made, for the record.
    """
    geometry, place = projections.geometry, projections.place
    entries: dict[str, Any] = {
        "version": VERSION,
        "beam": "cone" if geometry.is_cone else "parallel",
        "angles_deg": [math.degrees(angle) for angle in geometry.angles],
    }
    if geometry.is_cone:
        entries["source_to_axis_mm"], entries["source_to_detector_mm"] = geometry.cone_distances
    entries |= {
        "detector_shape": list(geometry.detector_shape),
        "detector_spacing_mm": list(geometry.detector_spacing),
        "detector_offset_mm": [0.0, 0.0],
        "values": VALUES[0] if i0 is None else VALUES[1],
        "water_per_mm": projections.water_per_mm,
        "volume": {
            "shape": list(place.grid.shape),
            "spacing_mm": list(place.grid.spacing),
            "origin_mm": list(place.origin),
            "direction": list(place.direction),
        },
        "made": dict(made),
    }
    if i0 is not None:
        entries["i0"] = i0
    return json.dumps(entries, indent=2) + "\n"


def read_geometry_json(path: Path) -> StatedGeometry:
    """Read a geometry file.

    Raises:
        JobError: it cannot be read, or an entry is missing or not allowed.
    """
    values = _load(path)
    read = _Entries(path, values)
    for name in values:
        if name not in ENTRIES:
            raise JobError(f"The geometry {path} has an entry '{name}' that is not known; take it out or correct it.")
    if read.number("version", default=1.0) > VERSION:
        raise JobError(f"The geometry {path} is of a later version than {VERSION}; update CTSuperResolution.")
    beam = read.choice("beam", ("cone", "parallel"))
    degrees = read.numbers("angles_deg")
    if not degrees:
        raise JobError(f"The geometry {path} has no angles; list an angle in degrees for every view in 'angles_deg'.")
    _require_degrees(path, degrees)
    # A stack without it is taken for line integrals, as reconstruction programs write them.
    kind = read.choice("values", VALUES, default=VALUES[0])
    i0 = read.length("i0") if kind == "intensities" else None
    cone = beam == "cone"
    shape = read.numbers("detector_shape", 2, optional=True)
    return StatedGeometry(
        angles=tuple(math.radians(angle) for angle in degrees),
        source_distance=read.length("source_to_axis_mm") if cone else None,
        detector_distance=read.length("source_to_detector_mm") if cone else None,
        detector_shape=(int(shape[0]), int(shape[1])) if shape else None,
        detector_spacing=_pair(read.lengths("detector_spacing_mm", 2)),
        detector_offset=_pair(read.numbers("detector_offset_mm", 2, optional=True) or [0.0, 0.0]),
        place=_place(path, values.get("volume")),
        i0=i0,
        water_per_mm=read.length("water_per_mm") if "water_per_mm" in values else WATER_PER_MM,
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobError(f"The geometry {path} cannot be read ({reason}); check its path.") from None
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        raise JobError(f"The geometry {path} is not JSON; write it anew.") from None
    if len(content) > LARGEST_FILE or not isinstance(values, dict):
        raise JobError(f"The geometry {path} does not hold a JSON object of a geometry; write it anew.")
    return values


def _require_degrees(path: Path, degrees: list[float]) -> None:
    whole_turn = max(degrees) - min(degrees)
    if len(degrees) >= 6 and max(map(abs, degrees)) <= RADIANS and whole_turn > 1:
        raise JobError(
            f"The angles in {path} reach from {min(degrees):.3g} to {max(degrees):.3g}, which look like radians; give "
            "them in degrees."
        )
    if whole_turn == 0 and len(degrees) > 1:
        raise JobError(f"The angles in {path} are all the same; list the angle of every view in 'angles_deg'.")


def _place(path: Path, volume: Any) -> VolumePlace | None:
    if volume is None:
        return None
    if not isinstance(volume, dict):
        raise JobError(f"The entry 'volume' of the geometry {path} is not an object; give its shape and spacing_mm.")
    read = _Entries(path, volume)
    nz, ny, nx = read.numbers("shape", 3)
    dz, dy, dx = read.lengths("spacing_mm", 3)
    direction = read.numbers("direction", 9, optional=True)
    grid = VolumeGrid((int(nz), int(ny), int(nx)), (dz, dy, dx))
    around = VolumePlace.around(grid, tuple(direction) if direction else IDENTITY)
    origin = read.numbers("origin_mm", 3, optional=True)
    return VolumePlace(grid, (origin[0], origin[1], origin[2]) if origin else around.origin, around.direction)


def _pair(values: list[float]) -> tuple[float, float]:
    first, second = values
    return first, second


class _Entries:
    """Entries of a geometry file, each checked as it is read."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self._path, self._values = path, values

    def numbers(self, name: str, count: int | None = None, *, optional: bool = False) -> list[float]:
        """A list of so many finite numbers; an empty one where it may be left out and is."""
        value = self._values.get(name)
        if value is None and (optional or count is None):
            return []
        good = isinstance(value, list) and all(_is_number(v) for v in value) and len(value) == (count or len(value))
        if not isinstance(value, list) or not good:
            many = "numbers" if count is None else f"{count} numbers"
            raise JobError(f"The entry '{name}' of the geometry {self._path} is not a list of {many}; correct it.")
        return [float(v) for v in value]

    def lengths(self, name: str, count: int) -> list[float]:
        """So many numbers above 0."""
        return self._positive(name, self.numbers(name, count))

    def length(self, name: str) -> float:
        """A number above 0."""
        return self._positive(name, [self.number(name)])[0]

    def number(self, name: str, *, default: float | None = None) -> float:
        """A finite number."""
        value = self._values.get(name, default)
        if not _is_number(value):
            raise JobError(f"The geometry {self._path} has no number '{name}'; add it.")
        return float(value)

    def choice(self, name: str, choices: tuple[str, ...], *, default: str | None = None) -> str:
        """One of some words."""
        value = self._values.get(name, default)
        if value not in choices:
            raise JobError(
                f"The entry '{name}' of the geometry {self._path} is to be '{choices[0]}' or '{choices[1]}'."
            )
        return str(value)

    def _positive(self, name: str, values: list[float]) -> list[float]:
        if min(values) <= 0:
            raise JobError(f"The entry '{name}' of the geometry {self._path} has to be above 0; correct it.")
        return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
