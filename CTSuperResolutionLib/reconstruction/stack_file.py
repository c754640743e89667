"""Stack of projections on disk: its pixels from NRRD, MetaImage or NPY, and the geometry file that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import JobError, OtherOption
from CTSuperResolutionLib.reconstruction.geometry_file import StatedGeometry, read_geometry_json
from CTSuperResolutionLib.reconstruction.rtk_geometry import read_rtk_geometry
from CTSuperResolutionLib.volume.image_header import ImageHeader, MalformedHeaderError, damaged
from CTSuperResolutionLib.volume.reading import FORMATS
from CTSuperResolutionLib.volume.scan_source import sentences
from CTSuperResolutionLib.volume.voxel_data import BrokenDataError

IMAGES = {ending: FORMATS[ending] for ending in (".nrrd", ".nhdr", ".mha", ".mhd")}
GEOMETRIES = {".json": read_geometry_json, ".xml": read_rtk_geometry}
STACK_NAME, GEOMETRY_NAME = "projections.nrrd", "geometry.json"  # as 'ctsr simulate' writes them
MOST_PIXELS = 4e9


@dataclass(frozen=True, eq=False)
class StackFile:
    """A stack as its file has it.

    Attributes:
        values: (views, v, u), float32.
        spacing, centre: mm, (v, u): of the pixels, and the place of the detector's middle; None in a file that does
            not say it (NPY).
    """

    values: np.ndarray
    spacing: tuple[float, float] | None = None
    centre: tuple[float, float] | None = None


def find_stack(place: Path, geometry: Path | None) -> tuple[Path, Path]:
    """The files of a stack and of its geometry.

    Args:
        place: the stack, or a folder that 'ctsr simulate' wrote.
        geometry: its geometry; None for the file beside it: STACK.json, STACK.xml, geometry.json or geometry.xml.

    Raises:
        JobError: one is not there.
    """
    stack = place / STACK_NAME if place.is_dir() else place
    if not stack.exists():
        raise JobError(f"There is no stack of projections {stack}; check its path.")
    if geometry is not None:
        return stack, geometry
    names = [stack.with_suffix(e) for e in GEOMETRIES] + [stack.parent / f"geometry{e}" for e in GEOMETRIES]
    for found in names:
        if found.is_file() and found != stack:
            return stack, found
    raise JobError(f"There is no geometry beside {stack}", OtherOption("geometry", "its JSON or RTK's XML with {}"))


def read_stated_geometry(path: Path) -> StatedGeometry:
    """Read a geometry, JSON or RTK's XML by the file's ending.

    Raises:
        JobError: it cannot be read.
    """
    if path.suffix.lower() not in GEOMETRIES:
        raise JobError(f"The geometry {path} is of a type that is not read; give a JSON file, or RTK's XML.")
    return GEOMETRIES[path.suffix.lower()](path)


def read_stack(path: Path) -> StackFile:
    """Read the pixels of a stack.

    Raises:
        JobError: it cannot be read, is no stack of images, or has values that are no numbers.
    """
    with sentences(path):
        stack = _read_npy(path) if path.suffix.lower() == ".npy" else _read_image(path)
    if stack.values.size == 0 or min(stack.values.shape) < 1:
        raise JobError(f"The stack {path} is empty; write it again.")
    if not np.isfinite(stack.values).all():
        raise JobError(f"The stack {path} has pixels that are not numbers; replace them before it is reconstructed.")
    return stack


def _read_npy(path: Path) -> StackFile:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise JobError(f"{path} is truncated, damaged or not a NPY file; save it again.") from error
    if values.ndim != 3 or values.dtype.kind not in "fiu":
        raise JobError(f"{path} is no stack of images but of shape {values.shape}; save numbers as (views, v, u).")
    return StackFile(np.ascontiguousarray(values, dtype=np.float32))


def _read_image(path: Path) -> StackFile:
    ending = next((e for e in IMAGES if path.name.lower().endswith(e)), None)
    if ending is None:
        raise JobError(f"{path} is not of a type that is read as projections; give a NRRD, MHA or NPY file.")
    format_name, read_header = IMAGES[ending]
    try:
        header = read_header(path)
        if header.data is None or header.axes is None:
            raise JobError(f"{path} is no stack of images of one value a pixel; give one with axes (u, v, view).")
        if np.prod(header.data.shape, dtype=np.float64) > MOST_PIXELS:
            raise JobError(f"{path} has more pixels than can be worked on; leave views out or bin the pixels.")
        header.data.require_whole()
        views = header.data.shape[0]
        values = np.stack(list(header.data.planes(0, views))) if views else np.zeros(header.data.shape, np.float32)
    except MalformedHeaderError as error:
        if str(error):
            raise JobError(f"{path} {error}; save it again.") from error
        raise damaged(path, format_name) from error
    except BrokenDataError as error:
        raise damaged(path, format_name) from error
    return StackFile(values, *_detector(header, values.shape))


def _detector(header: ImageHeader, shape: tuple[int, ...]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Spacing and centre of the detector, mm, (v, u), by the image's own place: its axes are (u, v, view)."""
    assert header.axes is not None
    du, dv = (float(np.linalg.norm(header.axes[:, axis])) for axis in (0, 1))
    _, nv, nu = shape
    return (dv, du), (float(header.origin[1]) + (nv - 1) / 2 * dv, float(header.origin[0]) + (nu - 1) / 2 * du)
