"""Writing of volumes to NRRD files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.native_output import captured_stderr
from CTSuperResolutionLib.volume.volume import Volume

KEY = re.compile(r"(?!NRRD_|ITK_)[A-Za-z][\w.-]*", re.ASCII)


def write_volume(
    volume: Volume, path: Path | str, *, integer: bool = True, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a volume as gzip-compressed NRRD, whole or not at all.

    The file appears, or replaces one of that name, only when it is complete; until then it is ``.NAME.part.nrrd``.
    See :func:`~CTSuperResolutionLib.volume.reading.read_volume` for an example.

    Args:
        volume: what to write; its geometry is kept in full double precision.
        path: where to, ending in ``.nrrd``.
        integer: round to int16 (values beyond it take its bounds), else keep float32. What is not in HU is written
            as float32 in the values of the file that it came from.
        metadata: NRRD key/value pairs. Keys are of letters, digits, ``_``, ``.`` and ``-``; values are any text
            without carriage returns.

    Raises:
        JobError: the folder is missing, not writable or full.
        ValueError: the path does not end in ``.nrrd``, a key or value cannot be stored, or a voxel is not finite.
    """
    path = Path(path)
    if path.suffix != ".nrrd":
        raise ValueError(f"{path} does not end in .nrrd")
    image = _image(volume, integer)
    for key, value in (metadata or {}).items():
        if not KEY.fullmatch(key) or "\r" in value:
            raise ValueError(f"{key!r}: {value!r} cannot be stored in a NRRD file")
        image.SetMetaData(key, value)
    part = path.with_name(f".{path.stem}.part.nrrd")
    try:
        part.touch()  # the operating system's reason is better than ITK's
        with captured_stderr():
            sitk.WriteImage(image, str(part), useCompression=True)
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
        raise JobError(f"{path} could not be written ({reason}); free some space or choose another folder.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def to_int16(values: np.ndarray) -> np.ndarray:
    """HU as a file of whole numbers holds them: rounded, and beyond int16 its bounds; int16, same shape."""
    limits = np.iinfo(np.int16)
    return np.rint(values).clip(limits.min, limits.max).astype(np.int16)


def _image(volume: Volume, integer: bool) -> sitk.Image:
    scale = volume.value_scale
    integer = integer and scale is None
    stored = np.empty(volume.shape, dtype=np.int16 if integer else np.float32)
    for target, values in zip(stored, volume.array, strict=True):  # by slice, to hold no second float copy
        if not np.isfinite(values).all():
            raise ValueError("the volume has voxels that are not finite")
        if integer:
            target[...] = to_int16(values)
        else:
            target[...] = values if scale is None else scale.values(values)
    image = sitk.GetImageFromArray(stored)
    image.SetSpacing([float(s) for s in volume.spacing[::-1]])
    image.SetOrigin([float(o) for o in volume.origin])
    image.SetDirection([float(d) for d in volume.direction])
    return image
