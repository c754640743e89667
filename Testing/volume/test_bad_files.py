"""Bad files: each gets its sentence, and nothing else reaches the terminal."""

from __future__ import annotations

import gzip
import os
import struct
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.reading import read_volume

SIZE = (10, 12, 9)
STRAIGHT = "(1,0,0) (0,2,0) (0,0,3)"


def nrrd_bytes(
    directions: str | None = STRAIGHT, *, sizes=SIZE, fields: str = "", space="left-posterior-superior", cut=None
) -> bytes:
    """A hand-written NRRD; ``fields`` are header lines, ``cut`` bytes are missing at the end."""
    lines = ["NRRD0004", "type: short", f"dimension: {len(sizes)}"]
    if directions:
        lines += [f"space: {space}"]
    lines += ["sizes: " + " ".join(map(str, sizes))]
    if directions:
        lines += [f"space directions: {directions}"]
    lines += ["endian: little", "encoding: raw"]
    data = np.random.default_rng(0).integers(-1000, 1000, np.prod(sizes)).astype("<i2").tobytes()
    return ("\n".join(lines) + "\n" + fields + "\n").encode() + data[: None if cut is None else -cut]


def mha_bytes(spacing: str | None = "1 2 3", *, matrix="1 0 0 0 1 0 0 0 1", channels=1, sizes=SIZE) -> bytes:
    """A hand-written MetaImage."""
    n = len(sizes)
    lines = ["ObjectType = Image", f"NDims = {n}", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    if n == 3:
        lines += [f"TransformMatrix = {matrix}"]
    if channels > 1:
        lines += [f"ElementNumberOfChannels = {channels}"]
    if spacing:
        lines += [f"ElementSpacing = {spacing}"]
    lines += ["DimSize = " + " ".join(map(str, sizes)), "ElementType = MET_SHORT", "ElementDataFile = LOCAL\n"]
    data = np.random.default_rng(0).integers(-1000, 1000, np.prod(sizes) * channels).astype("<i2")
    return "\n".join(lines).encode() + data.tobytes()


def nii_bytes(spacing=(1, 2, 3), *, array=None, edit=None) -> bytes:
    """A NIfTI of nibabel's whose pixdim says ``spacing``; ``edit`` changes its bytes further."""
    if array is None:
        array = np.random.default_rng(0).integers(-1000, 1000, SIZE).astype(np.int16)
    content = bytearray(nibabel.Nifti1Image(array, np.eye(4)).to_bytes())
    struct.pack_into("<3f", content, 80, *spacing)
    struct.pack_into("<2h", content, 252, 1, 0)  # the qform counts
    if edit:
        edit(content)
    return bytes(content)


def sform(*rows: float):
    """Makes the NIfTI's sform, three rows of four, its only transform."""

    def edit(content: bytearray) -> None:
        struct.pack_into("<2h", content, 252, 0, 1)
        struct.pack_into("<12f", content, 280, *rows)

    return edit


def zipped_mha(tmp: Path) -> bytes:
    """A compressed MetaImage with a damaged byte in the middle."""
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 1000, (20, 40, 40)).astype(np.int16))
    sitk.WriteImage(image, str(tmp / "good.mha"), True)
    content = bytearray((tmp / "good.mha").read_bytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


RGB = np.zeros(SIZE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
NII = nii_bytes()
NIIGZ = gzip.compress(NII)
IMPOSSIBLE = "impossible voxel spacing"
DAMAGED = "truncated, damaged or not a"

BAD = {
    "nothing.nrrd": (b"", ["is empty"]),
    "nothing.mha": (b"", ["is empty"]),
    "nothing.nii": (b"", ["is empty"]),
    "nothing.nii.gz": (b"", ["is empty"]),
    "short.nrrd": (nrrd_bytes(cut=300), [DAMAGED, "NRRD"]),
    "header.nrrd": (nrrd_bytes()[:60], [DAMAGED, "NRRD"]),
    "text.nrrd": (b"hello world", [DAMAGED, "NRRD"]),
    "short.mha": (mha_bytes()[:-300], [DAMAGED, "MetaImage"]),
    "header.mha": (mha_bytes()[:90], [DAMAGED, "MetaImage"]),
    "nodata.mhd": (mha_bytes().split(b"LOCAL")[0] + b"gone.raw\n", [DAMAGED, "its data file is missing"]),
    "nodata.nhdr": (nrrd_bytes().split(b"\n\n")[0] + b"\ndata file: gone.raw\n\n", ["its data file is missing"]),
    "short.nii": (NII[:-1], [DAMAGED, "NIfTI"]),
    "half.nii.gz": (NIIGZ[: len(NIIGZ) // 2], [DAMAGED, "NIfTI"]),
    "tail.nii.gz": (NIIGZ[:-4], [DAMAGED, "NIfTI"]),
    "flipped.nii.gz": (NIIGZ[:900] + bytes([NIIGZ[900] ^ 255]) + NIIGZ[901:], [DAMAGED, "NIfTI"]),
    "zipped short.nii.gz": (gzip.compress(NII[:-1]), [DAMAGED, "NIfTI"]),
    "header.nii": (NII[:200], [DAMAGED, "NIfTI"]),
    "text.nii": (b"hello world" * 100, [DAMAGED, "NIfTI"]),
    "two.nii": (nibabel.Nifti2Image(np.zeros(SIZE, np.int16), np.eye(4)).to_bytes(), ["NIfTI-2", "NIfTI-1 or NRRD"]),
    "text.nii.gz": (gzip.compress(b"hello world" * 100), [DAMAGED, "NIfTI"]),
    "lying.nrrd": (nrrd_bytes().replace(b"sizes: 10 12 9", b"sizes: 90000 90000 90000"), []),
    "zero.nrrd": (nrrd_bytes("(1,0,0) (0,0,0) (0,0,3)"), [IMPOSSIBLE, "1 x 0 x 3"]),
    "nan.nrrd": (nrrd_bytes("(1,0,0) (0,nan,0) (0,0,3)"), [IMPOSSIBLE, "1 x nan x 3"]),
    "infinite.nrrd": (nrrd_bytes("(1,0,0) (0,inf,0) (0,0,3)"), [IMPOSSIBLE, "1 x inf x 3"]),
    "zero spacings.nrrd": (nrrd_bytes(None, fields="spacings: 1 0 3\n"), [IMPOSSIBLE, "1 x 0 x 3"]),
    "negative spacings.nrrd": (nrrd_bytes(None, fields="spacings: 1 -2 3\n"), [IMPOSSIBLE, "1 x -2 x 3"]),
    "nan spacings.nrrd": (nrrd_bytes(None, fields="spacings: 1 nan 3\n"), [IMPOSSIBLE, "1 x nan x 3"]),
    "zero.mha": (mha_bytes("1 0 3"), [IMPOSSIBLE, "1 x 0 x 3"]),
    "negative.mha": (mha_bytes("1 -2 3"), [IMPOSSIBLE, "1 x -2 x 3"]),
    "nan.mha": (mha_bytes("1 nan 3"), [IMPOSSIBLE, "1 x nan x 3"]),
    "zero.nii": (nii_bytes((1, 0, 3)), [IMPOSSIBLE, "1 x 0 x 3"]),
    "negative.nii": (nii_bytes((1, -2, 3)), [IMPOSSIBLE, "1 x -2 x 3"]),
    "nan.nii.gz": (gzip.compress(nii_bytes((1, np.nan, 3))), [IMPOSSIBLE, "1 x nan x 3"]),
    "none.nrrd": (nrrd_bytes(None), ["states no voxel spacing", "--allow-unusual"]),
    "two known.nrrd": (nrrd_bytes("(1,0,0) (0,2,0) none"), ["states no voxel spacing"]),
    "none.mha": (mha_bytes(None), ["states no voxel spacing", "--allow-unusual"]),
    "metres.nrrd": (nrrd_bytes("(7e-4,0,0) (0,7e-4,0) (0,0,1e-3)"), ["0.0007 x 0.0007 x 0.001", "--allow-unusual"]),
    "sheared.nrrd": (nrrd_bytes("(1,0,0) (0,2,0) (0,1,3)"), ["not at right angles", "gantry tilt"]),
    "parallel.nrrd": (nrrd_bytes("(1,0,0) (1,0,0) (0,0,3)"), ["not at right angles"]),
    "sheared.mha": (mha_bytes(matrix="1 0 0 0 1 0 0 0.3 0.95"), ["not at right angles"]),
    "stretched.mha": (mha_bytes(matrix="2 0 0 0 2 0 0 0 2"), ["not at right angles and of unit length"]),
    "flat.mha": (mha_bytes(matrix="0 0 0 0 0 0 0 0 0"), ["not at right angles"]),
    "sheared.nii": (nii_bytes(edit=sform(1, 0, 0, 0, 0, 2, 1, 0, 0, 0, 3, 0)), ["not at right angles"]),
    "lost.nii": (nii_bytes(edit=sform(1, 0, 0, 0, 0, np.nan, 0, 0, 0, 0, 3, 0)), ["not a number"]),
    "2D.mha": (mha_bytes("1 2", sizes=(10, 12)), ["is a 2D image"]),
    "2D.nii": (nii_bytes(array=np.zeros((10, 12), np.int16)), ["is a 2D image"]),
    "2D.nrrd": (nrrd_bytes(None, sizes=(10, 12), fields="spacings: 1 2\n"), ["is a 2D image"]),
    "4D.mha": (mha_bytes("1 2 3 1", sizes=(*SIZE, 2)), ["is a 4D image", "one of its volumes"]),
    "4D.nii": (nii_bytes(array=np.zeros((*SIZE, 2), np.int16)), ["is a 4D image"]),
    "4D.nrrd": (nrrd_bytes(STRAIGHT + " none", sizes=(*SIZE, 2)), ["is a 4D image"]),
    "4D plain.nrrd": (nrrd_bytes(None, sizes=(*SIZE, 2)), ["is a 4D image"]),
    "5D.nrrd": (nrrd_bytes(None, sizes=(*SIZE, 2, 2)), ["is a 5D image"]),
    "colour.nrrd": (
        nrrd_bytes("none " + STRAIGHT, sizes=(3, *SIZE), fields="kinds: RGB-color domain domain domain\n"),
        ["colour or vector image with 3 values"],
    ),
    "vectors.mha": (mha_bytes(channels=3), ["colour or vector image with 3 values"]),
    "colour.nii": (nii_bytes(array=RGB), ["colour or vector image with 3 values"]),
    "complex.nii": (nii_bytes(array=np.zeros(SIZE, np.complex64)), ["complex", "2 values"]),
    "complex.nrrd": (
        nrrd_bytes("none " + STRAIGHT, sizes=(2, *SIZE), fields="kinds: complex domain domain domain\n"),
        ["complex", "2 values"],
    ),
    "slice.nrrd": (nrrd_bytes(sizes=(10, 12, 1)), ["10 x 12 x 1 voxels", "at least 8"]),
    "tiny.nrrd": (nrrd_bytes(sizes=(7, 12, 9)), ["7 x 12 x 9 voxels", "at least 8"]),
    "no slice.mha": (mha_bytes(sizes=(10, 12, 0)), ["10 x 12 x 0 voxels", "at least 8"]),
    "no channels.mha": (
        mha_bytes().replace(b"ElementSpacing", b"ElementNumberOfChannels = 0\nElementSpacing"),
        [DAMAGED],
    ),
    "two offsets.mha": (mha_bytes().replace(b"ElementSpacing", b"HeaderSize = 0 1\nElementSpacing"), [DAMAGED]),
    "null.mhd": (mha_bytes().split(b"LOCAL")[0] + b"a\0b.raw\n", [DAMAGED]),
    "no components.nrrd": (
        nrrd_bytes("none " + STRAIGHT, sizes=(0, *SIZE), fields="kinds: vector domain domain domain\n"),
        [DAMAGED],
    ),
    "two skips.nrrd": (nrrd_bytes(fields="byte skip: 0 1\n"), [DAMAGED]),
    "flat origin.nrrd": (nrrd_bytes(fields="space origin: (1,2)\n"), [DAMAGED]),
    "infinite shear.nii": (
        nii_bytes(edit=sform(1, 0, 3e38, 0, 0, 2, 0, 0, 0, 0, 3, 0)),
        ["x 3e+38 mm, which is not that"],
    ),
    "report.pdf": (b"%PDF-1.4 hello", ["not of a type that can be read", "DICOM"]),
    "no ending": (nrrd_bytes(), ["not of a type that can be read"]),
    "gzip.gz": (gzip.compress(nrrd_bytes()), ["not of a type that can be read"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file(tmp_path, name, job_error, capfd):
    content, parts = BAD[name]
    (tmp_path / name).write_bytes(content)
    with job_error(str(tmp_path / name), *parts):
        read_volume(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_the_hand_written_files_are_good_otherwise(tmp_path):
    for name, content in {"a.nrrd": nrrd_bytes(), "a.mha": mha_bytes(), "a.nii": NII, "a.nii.gz": NIIGZ}.items():
        (tmp_path / name).write_bytes(content)
        assert sorted(read_volume(tmp_path / name).spacing) == pytest.approx([1, 2, 3])
    (tmp_path / "b.nrrd").write_bytes(
        nrrd_bytes(None, fields="spacings: 1 2 3\nspacings:=0 0 0\nnote:=spacings: 0 0 0\n")
    )
    assert read_volume(tmp_path / "b.nrrd").spacing == (3, 2, 1)


def test_damaged_compressed_metaimage(tmp_path, job_error, capfd):
    """MetaIO reads it without an error, as garbage."""
    (tmp_path / "bad.mha").write_bytes(zipped_mha(tmp_path))
    with job_error(DAMAGED):
        read_volume(tmp_path / "bad.mha")
    assert capfd.readouterr() == ("", "")


def test_missing(tmp_path, job_error):
    with job_error("gone.nrrd", "No such file or directory"):
        read_volume(tmp_path / "gone.nrrd")


def test_unreadable(tmp_path, job_error):
    path = tmp_path / "mine.nrrd"
    path.write_bytes(nrrd_bytes())
    path.chmod(0)
    try:
        path.open("rb").close()
    except PermissionError:
        with job_error("mine.nrrd", "Permission denied"):
            read_volume(path)
    else:
        pytest.skip("this user may read anything, as root does")


def test_radiograph(tmp_path, job_error):
    Image.new("L", (64, 64)).save(tmp_path / "chest.png")
    with job_error("chest.png is not of a type that can be read"):
        read_volume(tmp_path / "chest.png")


def test_series_of_a_file(tmp_path, job_error):
    (tmp_path / "a.nrrd").write_bytes(nrrd_bytes())
    with job_error("leave the series out"):
        read_volume(tmp_path / "a.nrrd", series="2")


def save(array: np.ndarray, path: Path) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


@pytest.mark.parametrize("bad", [[np.nan], [np.inf, -np.inf, np.nan], [np.nan] * 100])
def test_voxels_that_are_no_numbers(tmp_path, hu, bad, job_error):
    values = hu.astype(np.float32)
    values.ravel()[5 : 5 + len(bad)] = bad
    path = save(values, tmp_path / "a.nrrd")
    for allow in (False, True):
        with job_error(f"has {len(bad)} of {hu.size} voxels that are NaN or infinite", "-1024"):
            read_volume(path, allow_unusual=allow)


def test_doubles_beyond_floats_are_infinite(tmp_path, hu, job_error):
    values = hu.astype(np.float64)
    values[1, 2, 3] = 1e300
    with job_error("has 1 of"):
        read_volume(save(values, tmp_path / "a.nrrd"))


def mr(hu):
    return (hu.astype(np.int32) + 1000).astype(np.uint16)


UNUSUAL = {
    "MR": (mr, "none is negative"),
    "CT with an offset": (lambda hu: hu + 1024, "subtract 1024"),
    "labels": (lambda hu: (hu > 0).astype(np.uint8), "normalised or empty"),
    "unit range": (lambda hu: ((hu + 1000) / 2500).astype(np.float32), "normalised or empty"),
    "z-scores": (lambda hu: ((hu - hu.mean()) / hu.std()).astype(np.float32), "normalised or empty"),
    "empty": (lambda hu: np.zeros_like(hu), "normalised or empty"),
    "raw counts": (lambda hu: hu.astype(np.int32) * 40, "values run from"),
    "too low": (lambda hu: np.where(hu > 1400, np.int32(-50000), hu), "values run from -50000"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_not_ct_unless_allowed(tmp_path, hu, name, job_error):
    change, part = UNUSUAL[name]
    path = save(change(hu), tmp_path / "a.nrrd")
    with job_error("not CT", part, "--allow-unusual"):
        read_volume(path)
    volume = read_volume(path, allow_unusual=True)
    values = change(hu).astype(np.float32)
    assert volume.valid is None
    if name in ("MR", "CT with an offset"):  # suit the scale of HU
        assert volume.value_scale is None and np.array_equal(volume.array, values)
        return
    assert volume.value_scale is not None
    assert volume.array.min() >= -1024 and volume.array.max() <= 3071
    np.testing.assert_allclose(volume.value_scale.values(volume.array), values, atol=2e-7 * abs(values).max())


@pytest.mark.parametrize("content", [nrrd_bytes(None), nrrd_bytes("(7e-4,0,0) (0,7e-4,0) (0,0,1e-3)")])
def test_unusual_spacing_is_allowed_on_request(tmp_path, content):
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(JobError):
        read_volume(tmp_path / "a.nrrd")
    assert read_volume(tmp_path / "a.nrrd", allow_unusual=True).spacing in [(1, 1, 1), (1e-3, 7e-4, 7e-4)]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such names cannot be")
def test_a_name_that_is_not_utf_8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/n_\xff.nrrd"))
    path.write_bytes(nrrd_bytes())
    with pytest.raises(JobError, match=r"name of .*n_\\udcff\.nrrd is not valid UTF-8; rename it\.$"):
        read_volume(path)
