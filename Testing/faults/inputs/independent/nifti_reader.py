"""NIfTI, by nibabel."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel
import numpy as np

from inputs.independent.reading import Reading, Unreadable

MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 1e-3}


def read(path: Path) -> list[Reading]:
    """What a NIfTI file says: a reading each by its sform and by its qform, as far as they have a code."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = zlib.decompressobj(47).decompress(content)  # as gunzip, which passes over what follows
    nibabel.imageglobals.log_level = 100
    image = nibabel.Nifti1Image.from_bytes(content)
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1 or np.prod(shape) > 1e7:
        raise Unreadable("no 3D volume")
    array = np.asarray(image.dataobj, np.float64).reshape(shape).T
    unit = MM[image.header.get_xyzt_units()[0]]
    affines = [image.get_sform(coded=True)[0], image.get_qform(coded=True)[0]]
    if all(affine is None for affine in affines):  # only distances, the axes running left, posterior and superior
        zooms = np.array(image.header.get_zooms()[:3])
        affines = [np.diag([*flip * zooms, 1]) for flip in (np.array((-1, -1, 1)), np.array((1, 1, 1)))]
    to_lps = np.diag((-unit, -unit, unit))
    return [Reading(array, to_lps @ a[:3, :3], to_lps @ a[:3, 3]) for a in affines if a is not None]
