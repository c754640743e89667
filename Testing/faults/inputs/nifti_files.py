"""NIfTI-1 files, plain and zipped, with mutations of their headers."""

from __future__ import annotations

import gzip
import math
import struct
from random import Random

import nibabel
import numpy as np

from inputs.sample import Sample
from inputs.scan import Scan

FIELDS = {
    "sizeof_hdr": (0, "i"), "dim_info": (39, "b"), "dim[0]": (40, "h"), "dim[1]": (42, "h"), "dim[2]": (44, "h"),
    "dim[3]": (46, "h"), "dim[4]": (48, "h"), "dim[5]": (50, "h"), "intent_p1": (56, "f"), "intent_code": (68, "h"),
    "datatype": (70, "h"), "bitpix": (72, "h"), "slice_start": (74, "h"), "pixdim[0]": (76, "f"),
    "pixdim[1]": (80, "f"),
    "pixdim[2]": (84, "f"), "pixdim[3]": (88, "f"), "pixdim[4]": (92, "f"), "vox_offset": (108, "f"),
    "scl_slope": (112, "f"), "scl_inter": (116, "f"), "slice_code": (122, "b"), "xyzt_units": (123, "b"),
    "cal_max": (124, "f"), "toffset": (136, "f"), "qform_code": (252, "h"), "sform_code": (254, "h"),
    "quatern_b": (256, "f"), "quatern_c": (260, "f"), "quatern_d": (264, "f"), "qoffset_x": (268, "f"),
    "qoffset_y": (272, "f"), "qoffset_z": (276, "f"), "srow_x[0]": (280, "f"), "srow_x[1]": (284, "f"),
    "srow_x[3]": (292, "f"), "srow_y[1]": (300, "f"), "srow_z[2]": (320, "f"), "magic": (344, "i"),
    "extension": (348, "i"),
}  # fmt: skip
"""Where fields of the header lie, and their types."""

USUAL = {
    "xyzt_units": (0, 1, 2, 3, 8, 10, 127), "qform_code": (0, 1, 2, 4, 5, -1), "sform_code": (0, 1, 2, 4, 5, -1),
    "datatype": (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2304), "bitpix": (0, 1, 8, 16, 32, 64),
    "dim[0]": (-3, 0, 1, 2, 3, 4, 5, 7, 8), "dim[4]": (0, 1, 2), "pixdim[0]": (-1, 0, 1, 2), "scl_slope": (0, 1, -1, 2),
    "scl_inter": (-1024, 1024, 1), "vox_offset": (0, 348, 351, 352, 353, 354, 352.5, 360, -352),
    "intent_code": (0, 1002, 1007),
    "magic": (0, 3222126, 3222382, 3221870),
}  # fmt: skip
"""Values that fields are given beside odd ones."""

ODD = {"f": (0.0, -1.0, math.nan, math.inf, -math.inf, 1e30, 1e-30), "h": (0, -1, 1, 32767, -32768), "b": (0, 1, -1),
       "i": (0, 1, -1, 2**31 - 1, 540, 348)}  # fmt: skip
FACTORS = (-1, 0.5, 2, 10, 1000, 1.0001, 1.01)


def make(scan: Scan, chance: Random, *, plain: bool) -> Sample:
    """A NIfTI of a scan, its header changed unless it shall be ``plain``."""
    content, about = _write(scan, chance), ""
    if not plain:
        about = "; ".join(_mutate(content, chance) for _ in range(chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 2))))
    if chance.random() < 0.5:
        return Sample({"scan.nii.gz": gzip.compress(bytes(content), mtime=0)}, "scan.nii.gz", about, scan)
    return Sample({"scan.nii": bytes(content)}, "scan.nii", about, scan)


def _write(scan: Scan, chance: Random) -> bytearray:
    """By nibabel, its qform, its sform or both holding the grid, in mm."""
    affine = np.eye(4)  # of RAS
    affine[:3, :3] = np.diag((-1, -1, 1)) @ scan.steps
    affine[:3, 3] = np.diag((-1, -1, 1)) @ np.array(scan.origin)
    image = nibabel.Nifti1Image(scan.array.T, affine)
    which = chance.choice(("both", "qform", "sform"))
    image.set_qform(affine, code=0 if which == "sform" else 1)
    image.set_sform(affine, code=0 if which == "qform" else 1)
    image.header.set_xyzt_units("mm")
    if chance.random() < 0.3 and scan.array.dtype.kind in "iu":
        image.header.set_slope_inter(0.5, -24)
    if chance.random() < 0.2:
        image = nibabel.Nifti1Image(scan.array.T, affine, image.header.as_byteswapped())
    return bytearray(image.to_bytes())


def _mutate(content: bytearray, chance: Random) -> str:
    order = "<" if content[0] == 92 else ">"
    name = chance.choice(list(FIELDS))
    offset, kind = FIELDS[name]
    (before,) = struct.unpack_from(order + kind, content, offset)
    if kind == "f" and chance.random() < 0.5:
        value = before * chance.choice(FACTORS)
    else:
        value = chance.choice((*USUAL.get(name, ()), *ODD[kind]))
    struct.pack_into(order + kind, content, offset, value)
    return f"{name} = {value:g} in place of {before:g}"
