"""DICOM pixels: the values of one slice, decoded by GDCM."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CTSuperResolutionLib.volume.dicom_slice import HEAD_BYTES, damaged
from CTSuperResolutionLib.volume.native_output import captured_stderr

SPACING_BETWEEN_SLICES = rb"(\x18\x00\x88\x00(?:DS..|....))([ 0.+-]+)"
"""The tag in a file of little endian, with explicit or implicit types, where it states no number but zero."""


def read_pixels(path: Path) -> np.ndarray:
    """The values (rows, columns) of a slice, float32, with its own rescale slope and intercept applied.

    Raises:
        JobError: the file is damaged.
        OSError: a copy of it cannot be written.
    """
    try:
        return _decode(path)
    except RuntimeError as error:
        if "Zero-valued spacing" not in str(error):
            raise damaged(path) from error
    # ITK refuses a slice that states no distance to the next one, which nobody asked for.
    content = path.read_bytes()
    head = re.sub(SPACING_BETWEEN_SLICES, _one, content[:HEAD_BYTES], flags=re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "slice.dcm")
        copy.write_bytes(head + content[HEAD_BYTES:])
        try:
            return _decode(copy)
        except RuntimeError as error:
            raise damaged(path) from error


def _one(tag: re.Match[bytes]) -> bytes:
    return tag[1] + b"1".ljust(len(tag[2]))


def _decode(path: Path) -> np.ndarray:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetOutputPixelType(sitk.sitkFloat32)
    reader.SetFileName(str(path))
    with captured_stderr():
        return sitk.GetArrayFromImage(reader.Execute())[0]
