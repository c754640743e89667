"""Good files come in whole: values, geometry, memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from CTSuperResolutionLib.volume.reading import read_volume

C, S = np.cos(0.2), np.sin(0.2)
OBLIQUE = (C, -S, 0.0, S, C, 0.0, 0.0, 0.0, 1.0)
MIRRORED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def save(hu: np.ndarray, path: Path, direction=OBLIQUE) -> None:
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((0.75, 0.5, 2.5))
    image.SetOrigin((-20.5, 30.25, -700.125))
    image.SetDirection(direction)
    sitk.WriteImage(image, str(path), path.suffix != ".nii")


@pytest.mark.parametrize("direction", [OBLIQUE, MIRRORED], ids=["oblique", "mirrored"])
@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.nii", "a.nii.gz", "ü b.nrrd", "A.v1.NRRD"])
def test_every_format(hu, tmp_path, name, direction):
    path = tmp_path / name
    save(hu, path.with_suffix(path.suffix.lower()), direction)
    path.with_suffix(path.suffix.lower()).rename(path)
    volume = read_volume(path)
    assert volume.array.dtype == np.float32 and np.array_equal(volume.array, hu)
    assert np.allclose(volume.spacing, (2.5, 0.5, 0.75), rtol=0, atol=1e-6)
    assert np.allclose(volume.origin, (-20.5, 30.25, -700.125), rtol=0, atol=1e-4)
    assert np.allclose(volume.direction, direction, rtol=0, atol=1e-6)


def test_path_may_be_text(hu, tmp_path):
    save(hu, tmp_path / "a.nrrd")
    assert read_volume(str(tmp_path / "a.nrrd")).shape == hu.shape


def test_nifti_of_another_library(hu, tmp_path):
    """nibabel's arrays are (x, y, z) in RAS."""
    affine = np.diag([-0.75, -0.5, 2.5, 1.0])
    affine[:3, 3] = [1, 2, 3]
    image = nibabel.Nifti1Image(hu.transpose(2, 1, 0), affine)
    nibabel.save(image, tmp_path / "little.nii.gz")
    nibabel.save(image.__class__(image.dataobj, affine, image.header.as_byteswapped()), tmp_path / "big.nii")
    assert (tmp_path / "big.nii").read_bytes()[:4] == (348).to_bytes(4, "big")
    for name in ("little.nii.gz", "big.nii"):
        volume = read_volume(tmp_path / name)
        assert np.array_equal(volume.array, hu)
        assert volume.spacing == pytest.approx((2.5, 0.5, 0.75))
        assert volume.origin == pytest.approx((-1, -2, 3))
        assert volume.direction == pytest.approx((1, 0, 0, 0, 1, 0, 0, 0, 1))


def test_nrrd_of_another_library_in_ras(hu, tmp_path):
    header = {
        "space": "right-anterior-superior",
        "space directions": np.diag([0.75, 0.5, 2.5]),
        "space origin": [1, 2, 3],
    }
    nrrd.write(str(tmp_path / "a.nrrd"), hu, header, index_order="C")
    volume = read_volume(tmp_path / "a.nrrd")
    assert np.array_equal(volume.array, hu)
    assert volume.origin == pytest.approx((-1, -2, 3))
    assert volume.direction == pytest.approx((-1, 0, 0, 0, -1, 0, 0, 0, 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    st.tuples(*[st.integers(8, 12)] * 3),
    st.tuples(*[st.floats(0.05, 10)] * 3),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.sampled_from(["a.nrrd", "a.mha", "a.nii.gz"]),
)
def test_any_shape_spacing_and_direction(tmp_path, shape, spacing, angles, name):
    hu = np.random.default_rng(0).integers(-1000, 1500, shape).astype(np.int16)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing(spacing)
    image.SetDirection(Rotation.from_euler("xyz", angles).as_matrix().ravel())
    sitk.WriteImage(image, str(tmp_path / name))
    volume = read_volume(tmp_path / name)
    assert np.array_equal(volume.array, hu)
    assert np.allclose(volume.spacing, spacing[::-1], rtol=1e-5)
    assert np.allclose(volume.direction, image.GetDirection(), rtol=0, atol=1e-5)


def without_padding(hu):
    return np.where(hu < -1500, -1024, hu)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_padding_is_no_hu_but_metal_stays(hu, tmp_path, kind):
    hu = hu.astype(kind)
    hu[0, 0, :3] = [-3024, -1025, -1024]
    hu[0, 1, :3] = [3072, 20000, 32767]
    save(hu, tmp_path / "a.nrrd")
    array = read_volume(tmp_path / "a.nrrd").array
    assert array[0, 0, :3].tolist() == [-1024, -1025, -1024]
    assert array[0, 1, :3].tolist() == [3072, 20000, 32767]
    assert np.array_equal(array[1:], hu[1:])


def test_crop_of_soft_tissue_without_air_is_ct(hu, tmp_path):
    save(np.random.default_rng(0).normal(50, 15, hu.shape).round().astype(np.int16), tmp_path / "liver.nrrd")
    assert read_volume(tmp_path / "liver.nrrd").array.min() < 0


@pytest.mark.parametrize("name", ["heart_totalseg_1p5mm.nrrd", "chest_slab_riderpilot0117.nrrd"])
def test_real_scans(shared_data, name):
    path = shared_data / "ct" / name
    volume = read_volume(path)
    image = sitk.ReadImage(str(path))
    assert np.array_equal(volume.array, without_padding(sitk.GetArrayFromImage(image)))
    assert volume.spacing == image.GetSpacing()[::-1]
    assert volume.origin == image.GetOrigin()


MEMORY = """
import resource, sys
from CTSuperResolutionLib.volume.reading import read_volume
import scipy.spatial  # so that imports do not count below
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
volume = read_volume(sys.argv[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / volume.array.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
@pytest.mark.parametrize("name", ["big.nrrd", "big.mha", "big.nii"])
def test_reading_holds_at_most_three_copies(tmp_path, name):
    big = np.zeros((192, 256, 256), np.int16)
    big[::2] = -500
    save(big, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert float(done.stdout) < 3
