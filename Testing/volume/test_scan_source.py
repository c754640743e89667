"""Scans known by their headers: regions, memory, encodings, and files that lie elsewhere or never end."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import math
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume import scan_source
from CTSuperResolutionLib.volume.reading import open_scan, read_volume

ROOT = Path(__file__).resolve().parents[2]
REGION = (slice(1, 9), slice(3, 11), slice(0, 8))


def nrrd_header(hu, *, encoding="raw", kind="short", fields=""):
    return (
        f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, hu.shape[::-1]))}\nspace directions: (0.7,0,0) (0,0.8,0) (0,0,2.5)\n"
        f"space origin: (1,2,3)\nendian: little\nencoding: {encoding}\n{fields}\n"
    ).encode()


def mha_header(hu, *, data="LOCAL", fields=""):
    return (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nOffset = 1 2 3\n"
        f"ElementSpacing = 0.7 0.8 2.5\nDimSize = {' '.join(map(str, hu.shape[::-1]))}\nElementType = MET_SHORT\n"
        f"{fields}ElementDataFile = {data}\n"
    ).encode()


def save(hu, path):
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((1, 2, 3))
    sitk.WriteImage(image, str(path), not path.name.endswith(".nii"))


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.nii", "a.nii.gz"])
def test_a_region_is_the_same_part_of_the_whole(hu, tmp_path, name):
    save(hu, tmp_path / name)
    expected = read_volume(tmp_path / name).crop(REGION)
    part = read_volume(tmp_path / name, region=REGION)
    assert np.array_equal(part.array, expected.array)
    assert part.origin == pytest.approx(expected.origin) and part.spacing == expected.spacing


def test_a_region_of_dicom_slices_decodes_no_others(hu, tmp_path, save_series, save_slice):
    """The pixels of the first slice are garbage, which only decoding shows."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    paths = save_series(tmp_path, hu)
    expected = read_volume(tmp_path).crop(REGION)
    data = save_slice(paths[0], 0, hu[0])
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"garbage" * 10])
    data["PixelData"].VR = "OB"
    data.save_as(paths[0])
    part = read_volume(tmp_path, region=REGION)
    assert np.array_equal(part.array, expected.array) and part.origin == pytest.approx(expected.origin)


RAW = {
    "plain": lambda hu: (nrrd_header(hu), hu.tobytes()),
    "gzip": lambda hu: (nrrd_header(hu, encoding="gzip"), gzip.compress(hu.tobytes())),
    "gz of many members": lambda hu: (
        nrrd_header(hu, encoding="gz"),
        b"".join(gzip.compress(part.tobytes()) for part in hu),
    ),
    "bzip2": lambda hu: (nrrd_header(hu, encoding="bzip2"), bz2.compress(hu.tobytes())),
    "text": lambda hu: (nrrd_header(hu, encoding="text"), " ".join(map(str, hu.ravel())).encode()),
    "from the end": lambda hu: (nrrd_header(hu, fields="byte skip: -1\n"), b"what comes first" + hu.tobytes()),
    "skipped": lambda hu: (
        nrrd_header(hu, fields="line skip: 2\nbyte skip: 3\n"),
        b"one\ntwo\nxyz" + hu.tobytes(),
    ),
    "skipped inside": lambda hu: (
        nrrd_header(hu, encoding="gzip", fields="byte skip: 3\n"),
        gzip.compress(b"xyz" + hu.tobytes()),
    ),
    "big": lambda hu: (nrrd_header(hu).replace(b"endian: little", b"endian: big"), hu.astype(">i2").tobytes()),
    "int": lambda hu: (nrrd_header(hu, kind="int32"), hu.astype("<i4").tobytes()),
    "double": lambda hu: (nrrd_header(hu, kind="double"), hu.astype("<f8").tobytes()),
    "crlf": lambda hu: (nrrd_header(hu).replace(b"\n", b"\r\n"), hu.tobytes()),
    "other fields": lambda hu: (
        nrrd_header(hu, fields="content: spacings: 0 0 0\nkey:=space units: none\n"),
        hu.tobytes(),
    ),
}


@pytest.mark.parametrize("encoding", RAW)
@pytest.mark.parametrize("detached", [False, True])
def test_encodings_of_nrrd(hu, tmp_path, encoding, detached):
    header, data = RAW[encoding](hu)
    if detached:
        end = b"\r\n" if encoding == "crlf" else b"\n"
        (tmp_path / "a.nhdr").write_bytes(header[: -len(end)] + b"data file: a b.dat" + end)  # without an empty line
        (tmp_path / "a b.dat").write_bytes(data)
    else:
        (tmp_path / "a.nrrd").write_bytes(header + data)
    volume = read_volume(tmp_path / ("a.nhdr" if detached else "a.nrrd"))
    assert np.array_equal(volume.array, hu)
    assert volume.spacing == (2.5, 0.8, 0.7) and volume.origin == (1, 2, 3)


MHA = {
    "plain": lambda hu: (mha_header(hu), hu.tobytes()),
    "zlib": lambda hu: (mha_header(hu, fields="CompressedData = True\n"), zlib.compress(hu.tobytes())),
    "text": lambda hu: (
        mha_header(hu).replace(b"BinaryData = True", b"BinaryData = False"),
        " ".join(map(str, hu.ravel())).encode(),
    ),
    "big": lambda hu: (mha_header(hu).replace(b"MSB = False", b"MSB = True"), hu.astype(">i2").tobytes()),
    "from the end": lambda hu: (mha_header(hu, fields="HeaderSize = -1\n"), hu.tobytes()),
    "in cm": lambda hu: (
        mha_header(hu, fields="DistanceUnits = cm\n").replace(b"0.7 0.8 2.5", b"0.07 0.08 0.25").replace(
            b"Offset = 1 2 3", b"Offset = 0.1 0.2 0.3"
        ),
        hu.tobytes(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MHA)
def test_kinds_of_metaimage(hu, tmp_path, kind):
    header, data = MHA[kind](hu)
    (tmp_path / "a.mha").write_bytes(header + data)
    volume = read_volume(tmp_path / "a.mha")
    assert np.array_equal(volume.array, hu)
    assert volume.spacing == pytest.approx((2.5, 0.8, 0.7)) and volume.origin == pytest.approx((1, 2, 3))


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("um", 1e-3), ("µm", 1e-3), ("cm", 10), ("m", 1e3)])
def test_units_of_nrrd(hu, tmp_path, unit, factor):
    fields = f'space units: "{unit}" "{unit}" "{unit}"\n'
    (tmp_path / "a.nrrd").write_bytes(nrrd_header(hu, fields=fields) + hu.tobytes())
    notes = []
    volume = read_volume(tmp_path / "a.nrrd", allow_unusual=True, note=notes.append)
    assert volume.spacing == pytest.approx(np.array([2.5, 0.8, 0.7]) * factor)
    assert volume.origin == pytest.approx(np.array([1, 2, 3]) * factor)
    assert bool(notes) == (factor != 1)


@pytest.mark.parametrize("units", ['"furlong" "furlong" "furlong"', '"mm" "mm" "um"'])
def test_units_that_are_not_known(hu, tmp_path, units, job_error):
    (tmp_path / "a.nrrd").write_bytes(nrrd_header(hu, fields=f"space units: {units}\n") + hu.tobytes())
    with job_error("a.nrrd states lengths in"):
        read_volume(tmp_path / "a.nrrd")


UNREAD = {
    "hex.nrrd": (lambda hu: nrrd_header(hu, encoding="hex") + hu.tobytes().hex().encode(), "hexadecimal"),
    "list.nhdr": (lambda hu: nrrd_header(hu, fields="data file: LIST\na.raw\n"), "in several files"),
    "pattern.nhdr": (lambda hu: nrrd_header(hu, fields="data file: a%03d.raw 1 9 1\n"), "in several files"),
    "list.mhd": (lambda hu: mha_header(hu, data="LIST") + b"a.raw\n", "in several files"),
    "pattern.mhd": (lambda hu: mha_header(hu, data="a%03d.raw 1 9 1"), "in several files"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_is_said(hu, tmp_path, name, job_error):
    make, part = UNREAD[name]
    (tmp_path / name).write_bytes(make(hu))
    with job_error(name, part, "save it again"):
        read_volume(tmp_path / name)


CONTRADICTORY = {
    "noise.nrrd": lambda hu: nrrd_header(hu).replace(b"space: left", b"\x14\x9d-l=left") + hu.tobytes(),
    "twice.nrrd": lambda hu: nrrd_header(hu, fields="space origin: (9,9,9)\n") + hu.tobytes(),
    "no-space.nrrd": lambda hu: nrrd_header(hu).replace(b"origin: (", b"origin:(") + hu.tobytes(),
    "noise.mha": lambda hu: mha_header(hu).replace(b"Offset = 1 2 3", b"\\haa\x1a`gM.K") + hu.tobytes(),
    "no-origin.nrrd": lambda hu: nrrd_header(hu).replace(b"origin: (1,2,3)", b"origin:") + hu.tobytes(),
    "no-order.mha": lambda hu: mha_header(hu).replace(b"MSB = False", b"MSB = True 99") + hu.tobytes(),
    "no-intercept.nii": lambda hu: with_numbers(hu, 112, "2f", 1, -math.inf),
    "low-offset.nii": lambda hu: with_numbers(hu, 108, "f", 176),
    "no-rotation.nii": lambda hu: with_numbers(hu, 252, "2h3f", 1, 0, 2.7, 0, 0),
}


def with_numbers(hu, at, kinds, *numbers):
    image = nibabel.Nifti1Image(hu.T, np.diag([0.7, 0.8, 2.5, 1]))
    content = bytearray(image.to_bytes())
    struct.pack_into(f"<{kinds}", content, at, *numbers)
    return bytes(content)


@pytest.mark.parametrize("name", CONTRADICTORY)
def test_headers_that_no_writer_makes(hu, tmp_path, name, job_error):
    (tmp_path / name).write_bytes(CONTRADICTORY[name](hu))
    with job_error(name, "damaged"):
        read_volume(tmp_path / name)


def test_comments_and_pairs_of_nrrd_and_spaces_of_metaimage_mean_nothing(hu, tmp_path):
    fields = "# a remark: größe\n#\nkey:=value: x\nspace origin x:=(9,9,9)\ncontent:\n"
    (tmp_path / "a.nrrd").write_bytes(nrrd_header(hu, fields=fields) + hu.tobytes())
    (tmp_path / "a.mha").write_bytes(mha_header(hu, fields="\n").replace(b"Offset", b"  Offset") + hu.tobytes())
    for name in ("a.nrrd", "a.mha"):
        assert read_volume(tmp_path / name).origin == (1, 2, 3)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_digits_of_other_scripts_are_no_numbers(hu, tmp_path, name, job_error):
    header = nrrd_header(hu) if name == "a.nrrd" else mha_header(hu)
    (tmp_path / name).write_bytes(header.replace(b"0.8", "٣".encode()) + hu.tobytes())
    with job_error(name, "impossible voxel spacing"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("at", [80, 88, 256, 268, 280, 292])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 3e38])
def test_nifti_numbers_that_are_none_are_refused_without_a_warning(hu, tmp_path, at, value, recwarn):
    for codes in ((0, 0), (1, 0), (0, 1), (1, 2)):
        content = bytearray(with_numbers(hu, 252, "2h", *codes))
        struct.pack_into("<f", content, at, value)
        (tmp_path / "a.nii").write_bytes(content)
        with contextlib.suppress(JobError):
            read_volume(tmp_path / "a.nii", allow_unusual=True)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("codes", [(32767, 0), (0, 6), (1, 127)])
def test_nifti_spaces_that_there_are_not_are_refused(hu, tmp_path, codes, job_error):
    (tmp_path / "a.nii").write_bytes(with_numbers(hu, 252, "2h", *codes))
    with job_error("a.nii", "damaged"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("code", [4, 127])
def test_nifti_units_that_there_are_not_are_refused(hu, tmp_path, code, job_error):
    (tmp_path / "a.nii").write_bytes(with_numbers(hu, 123, "B", code))
    with job_error("a.nii", "unit", "spacing in mm"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ["a.nhdr", "a.mhd"])
def test_a_name_of_a_data_file_that_is_too_long(hu, tmp_path, name, job_error):
    long = "x" * 100_000
    header = nrrd_header(hu, fields=f"data file: {long}\n") if name == "a.nhdr" else mha_header(hu, data=long)
    (tmp_path / name).write_bytes(header)
    with job_error(name, "damaged"):
        read_volume(tmp_path / name)


# Files that a header from elsewhere may name.


@pytest.fixture
def detached(hu, tmp_path):
    """``detached(name)`` writes headers that name a data file; returns their paths."""

    def write(name):
        folder = tmp_path / "given"
        folder.mkdir(exist_ok=True)
        for path, content in {
            "a.nhdr": nrrd_header(hu, fields=f"data file: {name}\n"),
            "b.nrrd": nrrd_header(hu, fields=f"data file: {name}\n"),
            "c.mhd": mha_header(hu, data=name),
            "d.mha": mha_header(hu, data=name),
        }.items():
            (folder / path).write_bytes(content)
        return sorted(folder.glob("?.*"))

    return write


@pytest.mark.parametrize("place", ["../secret.raw", "{folder}/secret.raw", "deeper/x.raw", "link.raw"])
def test_data_elsewhere_are_not_read(hu, tmp_path, detached, place, job_error):
    (tmp_path / "secret.raw").write_bytes(hu.tobytes())
    paths = detached(place.format(folder=tmp_path))
    (tmp_path / "given" / "deeper").mkdir()
    (tmp_path / "given" / "deeper" / "x.raw").write_bytes(hu.tobytes())
    (tmp_path / "given" / "link.raw").symlink_to(tmp_path / "secret.raw")
    for path in paths:
        with job_error(path.name, "not in the folder of the header"):
            read_volume(path)


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/stdin", "/proc/self/environ", "pipe.raw", "deeper"])
@pytest.mark.skipif(sys.platform != "linux", reason="names devices of Linux")
def test_devices_and_pipes_are_not_read(tmp_path, detached, place, job_error):
    paths = detached(place)
    os.mkfifo(tmp_path / "given" / "pipe.raw")
    (tmp_path / "given" / "deeper").mkdir()
    for path in paths:
        with job_error(path.name):
            read_volume(path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz", "a.dcm", "a"])
def test_a_pipe_does_not_hang(tmp_path, name, job_error):
    os.mkfifo(tmp_path / name)
    with job_error(name, "not a regular file"):
        read_volume(tmp_path / name)


def test_a_header_that_is_a_link_may_have_its_data_beside_it(hu, tmp_path, detached):
    path = detached("x.raw")[0]
    (tmp_path / "given" / "x.raw").write_bytes(hu.tobytes())
    (tmp_path / "given" / "linked.nhdr").symlink_to(path)
    assert np.array_equal(read_volume(tmp_path / "given" / "linked.nhdr").array, hu)


# Memory.


def bomb(path: Path, side: int) -> Path:
    """A NRRD of side³ voxels of one value, a thousandth as large."""
    cube = np.broadcast_to(np.int16(0), (side, side, side))
    path.write_bytes(nrrd_header(cube, encoding="gzip") + gzip.compress(bytes(2 * side**3)))
    return path


def test_what_does_not_fit_is_refused_before_it_is_read(tmp_path, monkeypatch, job_error):
    path = bomb(tmp_path / "a.nrrd", 100)
    monkeypatch.setattr(scan_source, "free_memory", lambda: 5_000_000)
    source = open_scan(path)
    assert source.shape == (100, 100, 100)
    monkeypatch.setattr(type(source), "_gather", lambda *_: pytest.fail("it was read"))
    with job_error("of 100 x 100 x 100 voxels (z, y, x), takes about 8 MB of memory and 5 MB are free", "--roi"):
        source.read()


def test_a_region_of_what_does_not_fit(tmp_path, monkeypatch, job_error):
    path = bomb(tmp_path / "a.nrrd", 100)
    monkeypatch.setattr(scan_source, "free_memory", lambda: 5_000_000)
    with job_error("not CT in Hounsfield units"):  # it was read, and holds nothing but zeros
        read_volume(path, region=(slice(0, 20),) * 3)


LIMITED = """
import resource, sys
from CTSuperResolutionLib.volume.reading import open_scan, read_volume
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = open_scan(sys.argv[1])
volume = source.read((slice(200, 210), slice(200, 240), slice(20, 60)))
print(source.shape, volume.shape, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
def test_a_region_holds_the_memory_of_a_region(tmp_path):
    """Of 66 MB decoded, some megabytes; ITK decodes all of it."""
    path, side = tmp_path / "a.nrrd", 320
    plane = np.random.default_rng(0).integers(-1000, 1000, (side, side), dtype=np.int16)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        file.write(nrrd_header(np.broadcast_to(plane, (side, side, side)), encoding="gzip"))
        for k in range(side):
            file.write(packer.compress(np.roll(plane, k).tobytes()))
        file.write(packer.flush())
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("(320, 320, 320) (10, 40, 40)") and int(done.stdout.split()[-1]) < 30, done.stdout


def test_a_header_needs_no_decoding(tmp_path, monkeypatch):
    """Nor that the compressed data are whole, which only decoding shows."""
    path = bomb(tmp_path / "a.nrrd", 64)
    path.write_bytes(path.read_bytes()[:-20])
    assert open_scan(path).spacing == (2.5, 0.8, 0.7)


def test_data_damaged_beyond_the_region_are_damaged(tmp_path, hu, job_error):
    """Only the checksum at their end says whether the region is as it was written."""
    header, data = RAW["gzip"](hu)
    (tmp_path / "a.nrrd").write_bytes(header + data[:-6] + b"\0\0" + data[-4:])
    with job_error("damaged"):
        read_volume(tmp_path / "a.nrrd", region=REGION)


def test_reading_can_be_ended_at_every_plane(hu, tmp_path):
    save(hu, tmp_path / "a.nrrd")

    class Enough(Exception):
        pass

    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise Enough

    with pytest.raises(Enough):
        open_scan(tmp_path / "a.nrrd").read(check=check)
    assert len(calls) == 3
