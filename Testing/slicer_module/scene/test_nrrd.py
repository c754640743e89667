"""The files between the panel and the background process, against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from CTSuperResolutionPanel.scene import nrrd

MATRIX = np.array([
    [-0.6, 0.32, 1.464, -101.25],
    [-0.8, -0.24, -1.098, 33.0 + 1 / 3],
    [0.0, -0.3, 2.44, 1e-7],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip


def written(path, array, **options):
    fractions = list(nrrd.write(path, array, MATRIX, **options))
    assert fractions == sorted(fractions) and fractions[-1] == 1
    return path


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("compress", [False, True])
def test_itk_reads_what_the_panel_writes(tmp_path, kind, compress):
    array = np.random.default_rng(0).integers(0, 200, (5, 6, 7)).astype(kind)
    image = sitk.ReadImage(str(written(tmp_path / "a.nrrd", array, compress=compress, metadata={"k": "ü:=\n"})))
    assert np.array_equal(sitk.GetArrayFromImage(image), array)
    for index in ((0, 0, 0), (6, 5, 4)):
        expected = MATRIX[:3, :3] @ index + MATRIX[:3, 3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), expected, atol=1e-9)
    assert image.GetMetaData("k") == "ü:=\n"


def test_a_part_of_a_large_array_is_written_in_many_steps(tmp_path):
    whole = np.random.default_rng(0).integers(-1000, 1000, (20, 400, 500)).astype(np.int16)
    part = whole[3:17, 10:390, 5:480]
    steps = list(nrrd.write(tmp_path / "a.nrrd", part, MATRIX))
    assert len(steps) >= part.nbytes / nrrd.SLAB_BYTES
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nrrd"))), part)


@pytest.mark.parametrize("compress", [False, True])
def test_the_panel_reads_what_the_library_writes(tmp_path, compress):
    array = np.random.default_rng(0).integers(-1000, 1000, (9, 8, 7)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetDirection((0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6))
    image.SetSpacing((0.7, 0.9, 1 / 3))
    image.SetOrigin((-10.1, 20.2, 1e3 / 7))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"), useCompression=compress)
    header = nrrd.read_header(tmp_path / "a.nrrd")
    found = np.zeros(header.shape, header.dtype)
    assert list(nrrd.read_into(tmp_path / "a.nrrd", header, found))[-1] == 1
    assert np.array_equal(found, array) and found.dtype == np.int16
    expected = image.TransformIndexToPhysicalPoint((6, 7, 8))
    np.testing.assert_allclose((header.ijk_to_lps @ [6, 7, 8, 1])[:3], expected, atol=1e-6)


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_that_ends_too_early_is_an_error(tmp_path, compress):
    array = np.random.default_rng(0).integers(-1000, 1000, (9, 80, 70)).astype(np.int16)
    path = written(tmp_path / "a.nrrd", array, compress=compress)
    path.write_bytes(path.read_bytes()[:-5000])
    header = nrrd.read_header(path)
    with pytest.raises(nrrd.BadFile, match=r"a\.nrrd"):
        list(nrrd.read_into(path, header, np.zeros(header.shape, header.dtype)))


def test_damaged_compressed_data_are_an_error(tmp_path):
    path = written(tmp_path / "a.nrrd", np.arange(9 * 80 * 70, dtype=np.int16).reshape(9, 80, 70), compress=True)
    data = bytearray(path.read_bytes())
    data[-3000:-2000] = bytes(1000)
    path.write_bytes(data)
    header = nrrd.read_header(path)
    with pytest.raises(nrrd.BadFile):
        list(nrrd.read_into(path, header, np.zeros(header.shape, header.dtype)))


@pytest.mark.parametrize("text", [b"", b"NRRD0004\n\n", b"no\n\n", b"NRRD0004\ntype: short\ndimension: 3\n\n",
                                  bytes(range(256))])  # fmt: skip
def test_what_is_no_such_file_is_an_error(tmp_path, text):
    (tmp_path / "a.nrrd").write_bytes(text)
    with pytest.raises(nrrd.BadFile):
        nrrd.read_header(tmp_path / "a.nrrd")
