"""Inputs that people really have, each read as the index beside them says; what they have in common is tested apart."""

from __future__ import annotations

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.reading import open_scan, read_volume

CUBE = np.ones((3, 3, 3))


@pytest.fixture
def read(reading_cases):
    """``volume, notes = read(name, ...)``."""

    def read(name, **options):
        notes = []
        return read_volume(reading_cases / name, note=notes.append, **options), notes

    return read


def test_two_blocks_with_a_tilt_are_told_as_that(read, job_error):
    with job_error(
        "in 2 blocks, tilted by 18.5 degrees",
        "slices 1 to 14 are 4 mm apart and 4 mm thick",
        "slices 15 to 28 are 7 mm apart and 7 mm thick",
        "none is missing",
        "choose a block with --series 2.1 or 2.2 and untilt it",
    ):
        read("two_blocks_tilted")


@pytest.mark.parametrize(("block", "step", "files"), [(1, 4.0, range(1, 15)), (2, 7.0, range(15, 29))])
def test_a_tilted_block_can_be_untilted(reading_cases, read, job_error, block, step, files):
    with job_error("gantry tilt of 18.5 degrees", "--untilt", "dcm2niix"):
        read("two_blocks_tilted", series=f"2.{block}")
    volume, _ = read("two_blocks_tilted", series=f"2.{block}", untilt=True)
    assert volume.spacing == pytest.approx((step, 3.90625, 3.90625), abs=0.01)
    assert volume.acquisition.slice_thickness == step and volume.acquisition.convolution_kernel == "STD+"
    for k, name in enumerate(files):
        slice_ = pydicom.dcmread(reading_cases / "two_blocks_tilted" / f"{name:02}.dcm")
        # Every pixel of a slice is where the slice's own tags have it.
        row, column = np.reshape(slice_.ImageOrientationPatient, (2, 3)).astype(float)
        for y, x in ((20, 30), (40, 25)):
            place = np.array(slice_.ImagePositionPatient, float) + 3.9062496 * (x * row + y * column)
            index = volume_index(volume, place)
            assert index[0] == pytest.approx(k, abs=0.02) and index[2] == pytest.approx(x, abs=1e-3)
            # Interpolated between two rows of it.
            low, high = np.sort(slice_.pixel_array[y - 1 : y + 2, x])[[0, -1]]
            value = ndi.map_coordinates(volume.array[k], [[index[1]], [x]], order=1)[0]
            assert low - 60 <= value <= high + 60
    with job_error("there is no 3"):
        read("two_blocks_tilted", series="2.3", untilt=True)


def volume_index(volume, point):
    """The voxel index (z, y, x) of an LPS point."""
    offset = np.reshape(volume.direction, (3, 3)).T @ (np.asarray(point) - volume.origin)
    return (offset / volume.spacing[::-1])[::-1]


def test_slices_without_rescale_among_others(read, job_error):
    with job_error("has 2 of 16 slices, such as 006.dcm, that do not say what their values mean", "export"):
        read("dicom_no_rescale_in_two")


def test_a_secondary_capture_is_left_out(reading_cases, read):
    volume, notes = read("dicom_sc_in_series")
    paths = sorted((reading_cases / "dicom_sc_in_series").glob("*.dcm"))[:16]
    assert np.array_equal(volume.array, [pydicom.dcmread(path).pixel_array.astype(int) - 1024 for path in paths])
    assert notes == ["017.dcm is a secondary capture or localizer, and was left out."]


def test_stated_padding(reading_cases, read):
    volume, notes = read("dicom_pad1500")
    paths = sorted((reading_cases / "dicom_pad1500").glob("*.dcm"))
    stored = np.array([pydicom.dcmread(path).pixel_array for path in paths])
    assert np.array_equal(volume.valid, stored != -1500)
    assert np.array_equal(volume.array, np.where(volume.valid, stored, -1024))
    assert len(notes) == 1 and "24.4% of the voxels are padding" in notes[0]


def test_interpolated_padding(read):
    volume, _ = read("padding_interpolated.nrrd")
    truth, _ = read("padding_interpolated_truth.nrrd")
    off = abs(volume.array - truth.array) > 10
    assert not off[volume.valid].any()  # nothing that is mixed with padding counts as measured
    rim = ndi.binary_dilation(volume.valid, CUBE, iterations=2) & ~volume.valid
    core = ~volume.valid & ~rim
    assert (volume.array[core & (truth.array == -1024)] == -1024).all()
    # What was measured stays: all but two voxels beside the mixtures and padding.
    mixed = (truth.array == -1024) | off
    assert volume.valid[~ndi.binary_dilation(mixed, CUBE, iterations=2)].all()


def test_an_offset_shows_behind_padding(read, job_error):
    with job_error("its values run from -24 to 1761 (padding aside)", "stored with an offset", "subtract the offset"):
        read("stored_plus1000_padded.mha")
    volume, _ = read("stored_plus1000_padded.mha", allow_unusual=True)
    assert volume.value_scale is None and volume.array[volume.valid].min() == -24
    assert (volume.array[~volume.valid] == -1024).all()


@pytest.mark.parametrize("name", ["mu_per_mm.mha", "grey_uint16.nrrd"])
def test_values_that_are_no_hu_keep_their_own_range(reading_cases, read, job_error, name):
    with job_error("not CT in Hounsfield units", "--allow-unusual to process it in its own range"):
        read(name)
    volume, _ = read(name, allow_unusual=True)
    stored = reading_stored(reading_cases / name)
    values = volume.value_scale.values(volume.array)
    assert volume.array.min() == -1024 and volume.array.max() == pytest.approx(3071, abs=1e-3)
    np.testing.assert_allclose(values, stored, rtol=0, atol=3e-7 * abs(stored).max())
    assert volume.valid.mean() == pytest.approx(0.756, abs=0.001)  # outside the field of view is one value


def reading_stored(path):
    """The voxels by other means than ours."""
    if path.suffix == ".nrrd":
        return nrrd.read(str(path), index_order="C")[0].astype(float)
    content = path.read_bytes()
    data = content[content.index(b"LOCAL\n") + len(b"LOCAL\n") :]
    return np.frombuffer(data, "<f4").reshape(28, 64, 64).astype(float)


def test_nifti_in_metres(read):
    volume, notes = read("nifti_in_metres.nii.gz")
    assert volume.spacing == pytest.approx((2.5, 0.7, 0.7))
    assert notes == ["nifti_in_metres.nii.gz states its lengths in m; they were converted to mm."]


def test_nrrd_in_micrometres(read):
    volume, notes = read("nrrd_space_units_um.nrrd")
    assert volume.spacing == pytest.approx((0.035, 0.035, 0.035)) and "in um" in notes[0]


@pytest.mark.parametrize("name", ["sform_only_3e-4.nii.gz", "sform_only_2e-3.nii.gz"])
def test_a_shear_of_rounding_is_the_nearest_rotation(reading_cases, read, name):
    volume, _ = read(name)
    directions = np.reshape(volume.direction, (3, 3))
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    stated = nibabel.load(reading_cases / name)
    corners = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in stated.shape))).reshape(3, -1)
    lps = np.diag([-1, -1, 1]) @ (stated.affine[:3, :3] @ corners + stated.affine[:3, 3:])
    ours = np.array([volume.point(corner[::-1]) for corner in corners.T]).T
    assert np.linalg.norm(ours - lps, axis=0).max() < 0.1 * 0.4945
    assert np.array_equal(volume.array, stated.get_fdata().T.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("dicom_sc_in_series", (16, 64, 64)),
        ("padding_interpolated.nrrd", (16, 58, 58)),
        ("mu_per_mm.mha", (28, 64, 64)),
    ],
)
def test_the_header_says_the_grid_before_anything_is_read(reading_cases, read, name, shape):
    source = open_scan(reading_cases / name, allow_unusual=True)
    volume, _ = read(name, allow_unusual=True)
    assert source.shape == shape == volume.shape
    assert (source.geometry.spacing, source.geometry.origin) == (volume.spacing, volume.origin)
