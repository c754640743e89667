"""Untilted scans: every slice in its plane, where the file has it, and its values as interpolation within it gives."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.geometry import GridGeometry
from CTSuperResolutionLib.volume.reading import open_scan, read_volume
from CTSuperResolutionLib.volume.untilting import Untilting

SHAPE = (9, 40, 36)
TILT = np.radians(15)
STEP = 2.5


@pytest.fixture
def smooth() -> np.ndarray:
    """HU without what interpolation would change much, int16 (z, y, x)."""
    noise = np.random.default_rng(0).normal(0, 4000, SHAPE)
    return (ndi.gaussian_filter(noise, (0, 3, 3)) - 100).round().clip(-1000, 1500).astype(np.int16)


@pytest.fixture
def tilted(tmp_path, smooth, save_series):
    """A series whose table goes along z and whose slices lean; and (n, 3) their positions."""
    positions = np.array([-30.0, -20.0, 5.0]) + np.arange(len(smooth))[:, None] * np.array([0, 0, STEP])
    orientation = [1, 0, 0, 0, np.cos(TILT), np.sin(TILT)]
    save_series(tmp_path / "series", smooth, positions=positions, ImageOrientationPatient=orientation)
    return tmp_path / "series", positions, np.reshape(orientation, (2, 3))


def values_at(volume, point):
    """A volume's value at an LPS point, linear within its slice."""
    offset = np.reshape(volume.direction, (3, 3)).T @ (np.asarray(point) - volume.origin)
    z, y, x = (offset / volume.spacing[::-1])[::-1]
    assert abs(z - round(z)) < 1e-3  # slices stay where they are
    return ndi.map_coordinates(volume.array[round(z)], [[y], [x]], order=3)[0]


def test_every_pixel_stays_where_its_slice_has_it(tilted, smooth):
    folder, positions, (row, column) = tilted
    volume = read_volume(folder, untilt=True)
    assert volume.spacing == pytest.approx((STEP * np.cos(TILT), 0.7, 0.8))
    for k in range(len(smooth)):
        for y, x in ((5, 5), (20, 18), (34, 30)):
            point = positions[k] + 0.7 * y * column + 0.8 * x * row
            assert values_at(volume, point) == pytest.approx(smooth[k, y, x], abs=3)


def test_all_of_the_scan_is_there_and_what_is_beside_it_is_not_measured(tilted, smooth):
    folder, *_ = tilted
    volume = read_volume(folder, untilt=True)
    shift = (len(smooth) - 1) * STEP * np.sin(TILT) / 0.7
    assert volume.shape == (9, 40 + int(np.ceil(shift)), 36)
    rows = volume.valid.all(2).sum(1)
    assert set(rows) <= {39, 40}  # the first and the last row of a slice lie between two of the canvas
    assert (volume.array[~volume.valid] == -1024).all()
    assert volume.acquisition.slice_thickness is None


def test_without_untilting_it_is_refused_with_the_way_out(tilted, job_error):
    with job_error("gantry tilt of 15.0 degrees", "--untilt"):
        read_volume(tilted[0])


def test_a_region_of_it(tilted):
    whole = read_volume(tilted[0], untilt=True)
    source = open_scan(tilted[0], untilt=True)
    assert source.shape == whole.shape and source.geometry.origin == pytest.approx(whole.origin)
    region = (slice(0, 8), slice(2, 40), slice(4, 30))
    part = source.read(region)
    expected = whole.crop(region)
    assert np.array_equal(part.array, expected.array) and np.array_equal(part.valid, expected.valid)
    assert part.origin == pytest.approx(expected.origin)


def test_the_same_scan_as_a_sheared_nifti(tilted, smooth, tmp_path):
    """As dcm2niix writes it when it is told not to straighten."""
    folder, positions, (row, column) = tilted
    axes = np.column_stack([0.8 * row, 0.7 * column, positions[1] - positions[0]])
    affine = np.eye(4)
    affine[:3] = np.diag([-1, -1, 1]) @ np.column_stack([axes, positions[0]])
    image = nibabel.Nifti1Image(smooth.transpose(2, 1, 0), affine)
    image.set_sform(affine, code=1)
    nibabel.save(image, tmp_path / "a.nii.gz")
    of_nifti, of_dicom = read_volume(tmp_path / "a.nii.gz", untilt=True), read_volume(folder, untilt=True)
    assert of_nifti.shape == of_dicom.shape
    assert np.allclose(of_nifti.origin, of_dicom.origin, atol=1e-4)
    assert np.allclose(of_nifti.direction, of_dicom.direction, atol=1e-6)
    assert abs(of_nifti.array - of_dicom.array).max() < 1


def test_a_table_that_moved(tmp_path, smooth, save_series):
    """Any displacement within the planes is undone, not only one that grows evenly."""
    positions = np.array([-30.0, -20.0, 5.0]) + np.arange(len(smooth))[:, None] * np.array([0, 0, STEP])
    positions[4:, 0] += 2 * 0.8
    save_series(tmp_path, smooth, positions=positions)
    volume = read_volume(tmp_path, untilt=True)
    assert volume.shape == (9, 40, 38)
    assert np.array_equal(volume.array[:4, :, :36], smooth[:4])  # by whole pixels: nothing is interpolated
    assert np.array_equal(volume.array[4:, :, 2:], smooth[4:])
    assert not volume.valid[:4, :, 36:].any() and not volume.valid[4:, :, :2].any()


def test_a_straight_scan_stays_as_it_is(tmp_path, smooth, save_series):
    save_series(tmp_path, smooth)
    plain, asked = read_volume(tmp_path), read_volume(tmp_path, untilt=True)
    assert np.array_equal(plain.array, asked.array) and asked.valid is None and plain.origin == asked.origin


def test_padding_does_not_ring_into_tissue():
    """The spline sees the nearest measured value in its place."""
    plane = np.full((30, 30), 40, np.float32)
    outside = np.zeros((30, 30), dtype=bool)
    outside[:, :9] = True
    plane[outside] = -3024
    moved, beside = Untilting(np.array([[0.0, 0.0], [0.5, 0.25]]), (30, 30)).place(1, plane, outside)
    assert np.allclose(moved[~beside], 40, atol=1e-3) and (moved[beside] == -1024).all()
    assert beside[:, :9].all() and not beside[2:-2, 11:-2].any()


def test_the_canvas_begins_with_the_slice_that_is_shifted_least():
    untilting = Untilting(np.array([[0.0, 0.0], [-2.25, 3.5]]), (10, 12))
    assert untilting.first == (-3, 0) and untilting.canvas == (13, 16)
    grid = untilting.geometry(GridGeometry((3.0, 0.5, 0.8), (1.0, 2.0, 3.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1)))
    assert grid.origin == (1.0, 2.0 - 3 * 0.5, 3.0)


@pytest.mark.parametrize("angle", [50, 89.99])
def test_no_gantry_leans_so_far(tmp_path, smooth, save_series, job_error, angle):
    """In a sheared file, and in slices that lie farther apart sideways than they are high or wide."""
    way = np.array([0, np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    axes = np.column_stack([[0.8, 0, 0], [0, 0.7, 0], STEP * way])
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1, -1, 1]) @ axes
    image = nibabel.Nifti1Image(smooth.transpose(2, 1, 0), affine)
    image.set_sform(affine, code=1)
    nibabel.save(image, tmp_path / "a.nii")
    with job_error("not at right angles"):
        read_volume(tmp_path / "a.nii", untilt=True)
    positions = np.arange(9)[:, None] * np.array([0.0, 30.0 if angle > 60 else 5.0, STEP])
    save_series(tmp_path / "series", smooth, positions=positions)
    with job_error("shifted sideways", "straighten it, for example"):
        read_volume(tmp_path / "series", untilt=True)


def test_pixels_that_are_far_from_square(tmp_path, smooth, save_series):
    """Rows and columns are off by as much as text rounds to; the rule is in voxels of either axis."""
    save_series(
        tmp_path, smooth, PixelSpacing=["0.01", "9"], ImageOrientationPatient=["1", "0.00001", "0", "0", "1", "0"]
    )
    assert read_volume(tmp_path).shape == SHAPE
