"""Writing of volumes to NRRD files."""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.volume import Volume

KEY = re.compile(r"(?!NRRD_|ITK_)[A-Za-z][\w.-]*", re.ASCII)
LEVEL = 2  # of compression: noise takes several times as long at 6, and gets 2 % smaller
GZIP = 16 + zlib.MAX_WBITS


def write_volume(
    volume: Volume,
    path: Path | str,
    *,
    integer: bool = True,
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a volume as gzip-compressed NRRD, whole or not at all.

    The file appears, or replaces one of that name, only when it is complete; until then it is ``.NAME.part.nrrd``.
    Beside the volume, only a slice needs memory. See :func:`~CTSuperResolutionLib.volume.reading.read_volume` for an
    example.

    Args:
        volume: what to write; its geometry is kept in full double precision.
        path: where to, ending in ``.nrrd``.
        integer: round to int16 (values beyond it take its bounds), else keep float32. What is not in HU is written
            as float32 in the values of the file that it came from.
        metadata: NRRD key/value pairs. Keys are of letters, digits, ``_``, ``.`` and ``-``; values are any text
            without carriage returns.
        progress: advanced by one per slice.

    Raises:
        JobError: the folder is missing, not writable or full.
        ValueError: the path does not end in ``.nrrd``, a key or value cannot be stored, or a voxel is not finite.
    """
    path = Path(path)
    if path.suffix != ".nrrd":
        raise ValueError(f"{path} does not end in .nrrd")
    integer = integer and volume.value_scale is None
    axes = np.reshape(volume.direction, (3, 3)) * volume.spacing[::-1]
    kind = "short" if integer else "float"
    header = nrrd_header(kind, volume.shape, axes, volume.origin, encoding="gzip", metadata=metadata or {})
    part = path.with_name(f".{path.stem}.part.nrrd")
    try:
        with part.open("wb") as file:
            file.write(header)
            for piece in _compressed(_stored_slices(volume, integer), progress or Progress()):
                file.write(piece)
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobError(f"{path} could not be written ({reason}); free some space or choose another folder.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def to_int16(values: np.ndarray) -> np.ndarray:
    """HU as a file of whole numbers holds them: rounded, and beyond int16 its bounds; int16, same shape."""
    limits = np.iinfo(np.int16)
    return np.rint(values).clip(limits.min, limits.max).astype(np.int16)


def _stored_slices(volume: Volume, integer: bool) -> Iterator[bytes]:
    scale = volume.value_scale
    for values in volume.array:  # by slice, to hold no copy of the volume
        if not np.isfinite(values).all():
            raise ValueError("the volume has voxels that are not finite")
        if integer:
            yield to_int16(values).astype("<i2").tobytes()
        else:
            yield (values if scale is None else scale.values(values)).astype("<f4").tobytes()


def _compressed(slices: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    """One gzip stream, in pieces."""
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    for values in slices:
        yield stream.compress(values)
        progress.advance()
    yield stream.flush()


def nrrd_header(
    kind: str,
    shape: Sequence[int],
    axes: np.ndarray,
    origin: Sequence[float],
    *,
    encoding: str,
    metadata: Mapping[str, str],
) -> bytes:
    """A NRRD header as ITK writes it, for little-endian voxels.

    Args:
        kind: NRRD's name of the voxels' type. shape: voxels, (z, y, x).
        axes: 3 × 3, mm in LPS; columns are the steps of the grid axes (x, y, z).
        origin: centre of the first voxel, LPS, mm. encoding: "raw" or "gzip".
        metadata: see :func:`write_volume`.

    Raises:
        ValueError: a key or value cannot be stored.
    """
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {kind}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, shape[::-1]))}",
        f"space directions: {' '.join(map(_vector, axes.T))}",
        "kinds: domain domain domain",
        "endian: little",
        f"encoding: {encoding}",
        f"space origin: {_vector(origin)}",
    ]
    for key, value in metadata.items():
        if not KEY.fullmatch(key) or "\r" in value:
            raise ValueError(f"{key!r}: {value!r} cannot be stored in a NRRD file")
        escaped = value.replace("\\", r"\\").replace("\n", r"\n")
        lines.append(f"{key}:={escaped}")
    return ("\n".join(lines) + "\n\n").encode("utf-8", "surrogateescape")


def _vector(values: Sequence[float]) -> str:
    return f"({','.join(f'{float(value):.17g}' for value in values)})"
