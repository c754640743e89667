"""NRRD files: exact geometry, values, provenance, and all or nothing."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

C, S = np.cos(0.3), np.sin(0.3)
MIRRORED = (C, -S, 0.0, S, C, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture
def volume(hu) -> Volume:
    return Volume(hu.astype(np.float32), (1 / 3, 0.781234567891, 0.7), (-123.456789012345, 1e-7, 3000.1), MIRRORED)


def test_geometry_and_values_come_back(volume, tmp_path):
    write_volume(volume, tmp_path / "out.nrrd")
    back = read_volume(tmp_path / "out.nrrd")
    assert np.array_equal(back.array, volume.array)
    for name in ("spacing", "origin", "direction"):
        assert np.allclose(getattr(back, name), getattr(volume, name), rtol=0, atol=1e-9)


def test_another_reader_agrees(volume, tmp_path):
    write_volume(volume, tmp_path / "out.nrrd", metadata={"scale": "4,4,4"})
    values, header = nrrd.read(str(tmp_path / "out.nrrd"), index_order="C")
    assert values.dtype == np.int16 and np.array_equal(values, volume.array)
    assert header["encoding"] == "gzip" and header["scale"] == "4,4,4"
    assert np.allclose(header["space directions"][0], 0.7 * np.array([C, S, 0]), rtol=0, atol=1e-9)
    assert np.allclose(header["space origin"], volume.origin, rtol=0, atol=1e-9)


def test_it_is_compressed(tmp_path):
    write_volume(Volume(np.zeros((64, 64, 64), np.float32), (1, 1, 1), (0, 0, 0), MIRRORED), tmp_path / "out.nrrd")
    content = (tmp_path / "out.nrrd").read_bytes()
    assert len(content) < 10_000
    assert gzip.decompress(content.split(b"\n\n", 1)[1]) == bytes(2 * 64**3)


def test_integers_are_rounded_and_bounded(tmp_path):
    values = np.zeros((8, 8, 8), np.float32)
    values[0, 0, :6] = [-0.6, 0.5, 1.5, 40000, -40000, 7.49]
    write_volume(Volume(values, (1, 1, 1), (0, 0, 0), MIRRORED), tmp_path / "out.nrrd")
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.nrrd")))
    assert stored.dtype == np.int16
    assert stored[0, 0, :6].tolist() == [-1, 0, 2, 32767, -32768, 7]


def test_floats_stay_floats(volume, tmp_path):
    third = volume.with_array(volume.array + np.float32(1 / 3))
    write_volume(third, tmp_path / "out.nrrd", integer=False)
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.nrrd")))
    assert stored.dtype == np.float32 and np.array_equal(stored, third.array)


def test_metadata_come_back(volume, tmp_path):
    metadata = {"notice": "Not for diagnosis.", "parameters": '{"a": 1}\n := \\ ä\t', "empty": ""}
    write_volume(volume, tmp_path / "out.nrrd", metadata=metadata)
    image = sitk.ReadImage(str(tmp_path / "out.nrrd"))
    assert {key: image.GetMetaData(key) for key in metadata} == metadata


@pytest.mark.parametrize("metadata", [{"a: b": "c"}, {"": "c"}, {"a": "b\rc"}, {"NRRD_space": "x"}, {"a\nb": "c"}])
def test_metadata_that_would_break_the_file(volume, tmp_path, metadata):
    with pytest.raises(ValueError, match="cannot be stored"):
        write_volume(volume, tmp_path / "out.nrrd", metadata=metadata)
    assert not list(tmp_path.iterdir())


def test_other_endings_and_values_that_are_no_numbers(volume, tmp_path):
    with pytest.raises(ValueError, match=r"\.nrrd"):
        write_volume(volume, tmp_path / "out.mha")
    volume.array[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        write_volume(volume, tmp_path / "out.nrrd")
    assert not list(tmp_path.iterdir())


def test_stops_between_slices_and_leaves_nothing(volume, tmp_path):
    """Compressing a large volume takes minutes, and a request to cancel is to act within two seconds."""

    class Stopped(Progress):
        done = 0

        def advance(self, steps: float = 1) -> None:
            self.done += steps
            if self.done == 3:
                raise Cancelled("Cancelled: by a test.")

    (tmp_path / "out.nrrd").write_text("old")
    with pytest.raises(Cancelled):
        write_volume(volume, tmp_path / "out.nrrd", progress=Stopped())
    assert [p.name for p in tmp_path.iterdir()] == ["out.nrrd"]
    assert (tmp_path / "out.nrrd").read_text() == "old"


def test_name_that_is_not_utf_8(volume, tmp_path):
    """As old file servers have them; ITK would end the process."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system wants UTF-8")
    write_volume(volume, folder / os.fsdecode(b"out\xfe.nrrd"))
    (written,) = folder.iterdir()
    written.rename(tmp_path / "out.nrrd")
    assert np.array_equal(read_volume(tmp_path / "out.nrrd").array, volume.array)


def test_header_is_the_one_that_itk_writes(volume, tmp_path):
    metadata = {"a": "x", "parameters": '{"a": 1}\n := \\ ä\t', "z.-_9": ""}
    for integer, kind in ((True, np.int16), (False, np.float32)):
        write_volume(volume, tmp_path / "out.nrrd", integer=integer, metadata=metadata)
        image = sitk.GetImageFromArray(volume.array.astype(kind))
        image.SetSpacing(volume.spacing[::-1])
        image.SetOrigin(volume.origin)
        image.SetDirection(volume.direction)
        for key, value in metadata.items():
            image.SetMetaData(key, value)
        sitk.WriteImage(image, str(tmp_path / "itk.nrrd"), useCompression=True)
        ours, itks = ((tmp_path / name).read_bytes().split(b"\n\n")[0] for name in ("out.nrrd", "itk.nrrd"))
        assert re.sub(rb"-0(?=[,)])", b"0", ours) == re.sub(rb"-0(?=[,)])", b"0", itks)


def test_replaces_a_file_and_leaves_nothing_else(volume, tmp_path):
    (tmp_path / "out.nrrd").write_text("old")
    write_volume(volume, tmp_path / "out.nrrd")
    assert [p.name for p in tmp_path.iterdir()] == ["out.nrrd"]
    assert read_volume(tmp_path / "out.nrrd").shape == volume.shape


def test_no_folder(volume, tmp_path, job_error):
    with job_error("could not be written", "No such file or directory", "another folder"):
        write_volume(volume, tmp_path / "missing" / "out.nrrd")
    (tmp_path / "file").write_text("")
    with job_error("could not be written"):
        write_volume(volume, tmp_path / "file" / "out.nrrd")


def test_read_only_folder(volume, tmp_path, job_error):
    tmp_path.chmod(0o500)
    try:
        try:
            (tmp_path / "probe").touch()
        except OSError:
            pass
        else:
            (tmp_path / "probe").unlink()
            pytest.skip("this user may write anywhere, as root does")
        with job_error("Permission denied"):
            write_volume(volume, tmp_path / "out.nrrd")
    finally:
        tmp_path.chmod(0o700)


FULL = """
import resource, sys
import numpy as np
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))
noise = np.random.default_rng(0).normal(0, 300, (32, 64, 64)).astype(np.float32)
try:
    write_volume(Volume(noise, (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)), sys.argv[1])
except JobError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_full_disk_keeps_the_old_file(tmp_path):
    """A limit on file sizes stands for a full disk: writes fail half-way."""
    (tmp_path / "out.nrrd").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "out.nrrd")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.count("\n") == 1 and "(File too large); free some space" in done.stdout, (
        done.stdout + done.stderr
    )
    assert done.stderr == ""
    assert [p.name for p in tmp_path.iterdir()] == ["out.nrrd"]
    assert (tmp_path / "out.nrrd").read_text() == "old"
