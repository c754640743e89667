"""NIfTI-1 headers, plain (.nii) and compressed (.nii.gz), after the format's definition (nifti1.h)."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.volume.geometry import CORNER_TOLERANCE, corner_shift, grid_geometry
from CTSuperResolutionLib.volume.image_header import ImageHeader, MalformedHeaderError, unit_note, volume_shape
from CTSuperResolutionLib.volume.voxel_data import GZIP_MARK, Inflated, VoxelData, open_plain

HEADER_BYTES = 348
DATA_BYTES = 352
"""Where the voxels of a single file begin, at the earliest."""
KINDS = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"
}  # fmt: skip
COMPONENTS = {32: 2, 1792: 2, 2048: 2, 128: 3, 2304: 4}  # complex, RGB and RGBA
UNITS = {0: ("", 1.0), 1: ("m", 1e3), 2: ("mm", 1.0), 3: ("µm", 1e-3)}
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT
LAST_SPACE = 5  # NIFTI_XFORM_TEMPLATE_OTHER
UNIT_TOLERANCE = 1e-3
"""Excess over 1 of a quaternion's squared length that rounding explains."""


def read_nifti(path: Path) -> ImageHeader:
    """The header of a NIfTI-1 file.

    Raises:
        MalformedHeaderError: it breaks the format, or has something that is not read.
        OSError: the file cannot be read.
    """
    with open_plain(path) as file:
        zipped = file.read(2) == GZIP_MARK
        file.seek(0)
        try:
            head = b""
            stream = Inflated(file) if zipped else file
            while len(head) < HEADER_BYTES and (part := stream.read(HEADER_BYTES - len(head))):
                head += part
        except (zlib.error, EOFError):
            raise MalformedHeaderError from None
    if len(head) < HEADER_BYTES:
        raise MalformedHeaderError
    order = next((o for o in "<>" if struct.unpack_from(o + "i", head)[0] in (348, 540)), None)
    if order is None:
        raise MalformedHeaderError
    if struct.unpack_from(order + "i", head)[0] == 540:
        raise MalformedHeaderError("is a NIfTI-2 file, which is not read; save it as NIfTI-1 or NRRD")
    dimension, *dims = struct.unpack_from(order + "8h", head, 40)
    code, _ = struct.unpack_from(order + "2h", head, 70)
    (offset,) = struct.unpack_from(order + "f", head, 108)
    if not 0 < dimension <= 7 or head[344:348] != b"n+1\0" or not (math.isfinite(offset) and offset >= DATA_BYTES):
        raise MalformedHeaderError
    sizes = dims[:dimension]
    while len(sizes) > 1 and sizes[-1] == 1:
        sizes.pop()
    if head[123] & 7 not in UNITS:
        raise MalformedHeaderError("states lengths in no unit that NIfTI has; save it again with its spacing in mm")
    unit, factor = UNITS[head[123] & 7]
    components = COMPONENTS.get(code, 1)
    axes, origin, notes = None, np.zeros(3), unit_note(path, unit, factor)
    spacing = tuple(factor * d for d in struct.unpack_from(order + "3f", head, 80))
    data = None
    if len(sizes) == 3 and components == 1:
        if code not in KINDS:
            raise MalformedHeaderError
        with np.errstate(invalid="ignore", over="ignore"):  # of numbers that are refused later
            axes, origin, of_form = _place(head, order, volume_shape(sizes))
        axes, origin = factor * axes, factor * origin
        if struct.unpack_from(order + "2h", head, 252)[0] <= 0 and np.isfinite(axes).all():  # the sform's alone
            spacing = tuple(map(float, np.linalg.norm(axes, axis=0)))
        if of_form is not None:
            notes += (f"{path.name} {of_form}.",)
        data = VoxelData(
            path,
            0 if zipped else int(offset),
            int(offset) if zipped else 0,
            "deflate" if zipped else "raw",
            np.dtype(order + KINDS[code]),
            volume_shape(sizes),
            *_rescale(head, order),
        )
    return ImageHeader(tuple(sizes), components, spacing, axes, origin, data, notes)


def _rescale(head: bytes, order: str) -> tuple[float, float]:
    slope, intercept = struct.unpack_from(order + "2f", head, 112)
    if slope == 0 or not math.isfinite(slope):  # states none
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise MalformedHeaderError
    return slope, intercept


def _place(head: bytes, order: str, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Axes and origin in LPS, in the file's unit, and what to say where its two transforms disagree.

    As ITK and so Slicer have it, the qform counts where there is one, unless the sform says that it is the scanner's
    own space. ITK takes the qform, too, where the sform of the scanner's space is sheared, and is centimetres off for
    a tilted scan; here that sform counts.
    """
    qform_code, sform_code = struct.unpack_from(order + "2h", head, 252)
    if max(qform_code, sform_code) > LAST_SPACE:
        raise MalformedHeaderError
    if sform_code <= 0:
        return *_qform(head, order, oriented=qform_code > 0), None
    rows = np.reshape(struct.unpack_from(order + "12f", head, 280), (3, 4)).astype(np.float64)
    sform = RAS_TO_LPS @ rows[:, :3], RAS_TO_LPS @ rows[:, 3]
    if qform_code <= 0:
        return *sform, None
    qform = _qform(head, order, oriented=True)
    chosen, other, name = (sform, qform, "sform") if sform_code == SCANNER else (qform, sform, "qform")
    centre = (np.array(shape[::-1]) - 1) / 2
    apart = np.linalg.norm((chosen[0] - other[0]) @ centre + chosen[1] - other[1])
    near = grid_geometry(chosen[0], chosen[1], shape) is None or (
        corner_shift(other[0], chosen[0], shape) <= CORNER_TOLERANCE
        and apart <= CORNER_TOLERANCE * np.linalg.norm(chosen[0], axis=0).min()
    )
    return *chosen, None if near else f"states two places in space, which differ; the {name}'s was taken"


def _qform(head: bytes, order: str, *, oriented: bool) -> tuple[np.ndarray, np.ndarray]:
    """The format's method 1 (spacing alone, taken for LPS as ITK does), or its method 2 (quaternion)."""
    handedness, *spacing = struct.unpack_from(order + "4f", head, 76)
    if not oriented:
        return np.diag(spacing), np.zeros(3)
    b, c, d, *offset = map(float, struct.unpack_from(order + "6f", head, 256))
    square = 1 - (b * b + c * c + d * d)
    if square < -UNIT_TOLERANCE:
        raise MalformedHeaderError
    if square < 1e-7:
        length = math.sqrt(b * b + c * c + d * d) or 1.0
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(square)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    steps = np.array(spacing) * [1, 1, -1 if handedness < 0 else 1]
    return RAS_TO_LPS @ (rotation * steps), RAS_TO_LPS @ np.array(offset)
