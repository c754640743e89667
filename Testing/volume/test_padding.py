"""Padding, masks and saturated metal: marked wherever they are, and never what was measured."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi
import SimpleITK as sitk

from CTSuperResolutionLib.volume.reading import open_scan, read_volume

SHAPE = (12, 72, 80)
MIDDLE = np.array([40.0, 31.0])  # of the field of view, which the image cuts, as crops do
RADIUS = 38.0


def distances() -> np.ndarray:
    """(y, x): distance from the middle of the field of view, in voxels."""
    y, x = np.indices(SHAPE[1:])
    return np.hypot(y - MIDDLE[0], x - MIDDLE[1])


@pytest.fixture
def scan() -> np.ndarray:
    """A noisy patient wider than the field of view, so that tissue, not air, lies at its rim; int16 HU."""
    rng = np.random.default_rng(0)
    y, x = np.indices(SHAPE[1:])
    body = np.hypot((y - 40) / 22, (x - 31) / 60) < 1
    hu = np.where(body, 40.0, -1000.0)
    hu = ndi.gaussian_filter(np.broadcast_to(hu, SHAPE), (0, 0.8, 0.8))
    return (hu + rng.normal(0, 12, SHAPE)).round().astype(np.int16)


@pytest.fixture
def outside() -> np.ndarray:
    return np.broadcast_to(distances() > RADIUS, SHAPE)


@pytest.fixture
def read(tmp_path):
    def read(hu, *, spacing=(0.8, 0.8, 5), **options):
        image = sitk.GetImageFromArray(hu)
        image.SetSpacing(spacing)
        sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
        return read_volume(tmp_path / "a.nrrd", **options)

    return read


@pytest.mark.parametrize("value", [-1500, -2000, -3024, -32768])
def test_a_flat_spike_below_air(scan, outside, read, value):
    volume = read(np.where(outside, np.int16(value), scan))
    assert np.array_equal(volume.valid, ~outside)
    assert np.array_equal(volume.array, np.where(outside, -1024, scan))


@pytest.mark.parametrize("value", [-1024, -1000, 0])
def test_a_value_that_matter_may_have_is_padding_beyond_the_field_of_view(scan, outside, read, value):
    volume = read(np.where(outside, np.int16(value), scan))
    assert np.array_equal(volume.valid, ~outside)
    assert np.array_equal(volume.array, np.where(outside, value, scan))


def test_a_region_knows_of_the_field_of_view(scan, outside, read):
    region = (slice(2, 11), slice(20, 60), slice(40, 80))
    volume = read(np.where(outside, np.int16(-1024), scan), region=region)
    assert 0 < outside[region].mean() < 1 and np.array_equal(volume.valid, ~outside[region])


def test_the_field_of_view_of_a_sagittal_stack(scan, outside, read):
    volume = read(np.where(outside, np.int16(-1024), scan).transpose(2, 1, 0), spacing=(5, 0.8, 0.8))
    assert np.array_equal(volume.valid, ~outside.transpose(2, 1, 0))


def test_there_is_none_in_a_whole_scan(scan, read):
    assert read(scan).valid is None


@pytest.mark.parametrize("lowest", [-1024, -1000, -990])
def test_clipped_air_was_measured(scan, read, lowest):
    """Half of the air has one value, and all of it where there is little noise; its edge to skin is a blur."""
    assert read(np.maximum(scan, np.int16(lowest))).valid is None
    quiet = ndi.gaussian_filter(np.where(scan < -900, -1024.0, scan), 0.7).round().astype(np.int16)
    assert read(np.maximum(quiet, np.int16(lowest))).valid is None


def test_a_round_patient_in_clipped_air_is_no_field_of_view(read):
    """What is scanned ends in a blur."""
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE[1:])
    disc = ndi.gaussian_filter(np.where(np.hypot(y - 36, x - 40) < 30, 40.0, -1024), 0.8)
    hu = np.where(disc > -1020, disc + rng.normal(0, 12, SHAPE), -1024).clip(min=-1024)
    assert read(hu.round().astype(np.int16)).valid is None


def test_the_undershoot_of_a_sharp_kernel_was_measured(scan, read):
    """It may come below -1200 HU, scattered along edges."""
    sharp = scan + 1.8 * (scan - ndi.gaussian_filter(scan.astype(float), (0, 1, 1)))
    sharp = sharp.round().astype(np.int16)
    assert sharp.min() < -1200
    volume = read(sharp)
    assert volume.valid is None and np.array_equal(volume.array, sharp)


@pytest.mark.parametrize(("order", "layers"), [(1, 2), (3, 3)])
def test_padding_that_was_resampled(scan, outside, read, order, layers):
    """Neither what lies between padding and tissue, nor the overshoot beside it, counts as measured."""
    zoom = (1, 1.3, 1.3)
    padded = ndi.zoom(np.where(outside, -2000.0, scan), zoom, order=order)
    truth = ndi.zoom(np.where(outside, -1024.0, scan), zoom, order=order)
    volume = read(padded.round().astype(np.int16))
    off = abs(padded - truth) > 10
    assert (volume.array >= -1100).all()
    if order == 1:
        assert not off[volume.valid].any()
    else:  # a spline rings on for ever, ever less
        assert (off & volume.valid).mean() < 0.02
    touched = ndi.zoom(outside.astype(float), zoom, order=1) > 0
    far = ~ndi.binary_dilation(touched, np.ones((3, 3, 3)), iterations=layers)
    assert far.any() and volume.valid[far].all()


def test_a_masked_part(scan, read):
    """A face that was taken out, with a value that neither clipped air nor metal has."""
    face = np.zeros(SHAPE, dtype=bool)
    face[:, 22:34, 20:44] = True
    volume = read(np.where(face, np.int16(0), scan))
    assert np.array_equal(volume.valid[face], np.zeros(face.sum(), dtype=bool))
    assert volume.valid[~face].mean() > 0.99  # a voxel of noise may have the value, too
    assert (volume.array[face] == 0).all()


def test_flat_parts_of_a_noiseless_phantom_are_no_masks(read):
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 10:60, 10:60], hu[:, 20:30, 20:30], hu[:, 40:50, 30:50] = 0, 300, -100
    assert read(hu).valid is None


@pytest.mark.parametrize("top", [3071, 30000])
def test_saturated_metal(scan, read, top):
    metal = np.zeros(SHAPE, dtype=bool)
    metal[4:8, 38:43, 30:36] = True
    volume = read(np.where(metal, np.int16(top), scan))
    assert np.array_equal(volume.valid, ~metal)
    assert (volume.array[metal] == top).all()


def test_bone_and_metal_within_the_scale_were_measured(scan, read):
    metal = np.zeros(SHAPE, dtype=bool)
    metal[4:8, 38:43, 30:36] = True
    hu = np.where(metal, 6000 + 5 * scan, scan)
    assert read(hu.astype(np.int16)).valid is None


def test_what_is_found_is_told(scan, outside, read):
    notes = []
    hu = np.where(outside, np.int16(-2000), scan)
    hu[6, 38:43, 30:36] = 3071
    read(hu, note=notes.append)
    assert notes == [
        f"{outside.mean():.1%} of the voxels are padding or masked, not measured, and stand for nothing.",
        "30 voxels are saturated, at the end of the scanner's scale.",
    ]


def test_nothing_but_padding(read, job_error):
    with job_error("nothing but padding"):
        read(np.full(SHAPE, -2000, np.int16))


def test_a_region_of_nothing_but_padding_is_no_wrong_volume(scan, outside, tmp_path, job_error):
    sitk.WriteImage(sitk.GetImageFromArray(np.where(outside, np.int16(-2000), scan)), str(tmp_path / "a.nrrd"))
    corner = (slice(0, 12), slice(0, 3), slice(77, 80))
    for allow_unusual in (False, True):
        with job_error("region of", "a.nrrd", "choose another region"):
            open_scan(tmp_path / "a.nrrd", allow_unusual=allow_unusual).read(corner)


def test_padding_does_not_make_stored_values_pass_for_hu(scan, outside, read, job_error):
    """HU + 1024: the only negative values are those of the padding."""
    stored = np.where(outside, np.int16(-2000), np.maximum(scan + 1024, 0)).astype(np.int16)
    with job_error("not CT in Hounsfield units", "padding aside", "subtract"):
        read(stored)


@pytest.mark.parametrize("offset", [1000, 1024])
def test_an_offset_with_some_noise_below_zero(scan, read, offset, job_error):
    with job_error("stored with an offset of 1000 or 1024", "subtract the offset", "--allow-unusual"):
        read((scan + offset).astype(np.int16))


# DICOM states padding.


def series(scan, padding, save_slice, folder, *, slope=1, intercept=-1024, signed=False, **tags):
    """Slices whose stored numbers where ``padding`` is are those that the tag says."""
    stored = (scan.astype(np.int32) - intercept) // slope
    stored[padding] = tags["PixelPaddingValue"] if signed or tags["PixelPaddingValue"] >= 0 else 0
    kind = "<i2" if signed else "<u2"
    for k, pixels in enumerate(stored):
        save_slice(
            folder / f"{k:02}", k, scan[k], RescaleSlope=slope, RescaleIntercept=intercept,
            PixelRepresentation=int(signed), PixelData=pixels.astype(kind).tobytes(), **tags,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("slope", "intercept", "value", "signed"),
    [(1, 0, -1500, True), (1, -1024, 63536 - 65536, True), (2, -3000, 7, False)],
)
def test_stated_padding_is_of_stored_numbers(scan, save_slice, tmp_path, slope, intercept, value, signed):
    corner = np.zeros(SHAPE, dtype=bool)
    corner[:, :9, :7] = True
    series(scan, corner, save_slice, tmp_path, slope=slope, intercept=intercept, signed=signed, PixelPaddingValue=value)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.valid, ~corner)
    assert (volume.array[corner] == max(-1024, slope * value + intercept)).all()


def test_a_range_of_stated_padding(scan, save_slice, tmp_path):
    corner = np.zeros(SHAPE, dtype=bool)
    corner[:, :9, :7] = True
    tags = {"PixelPaddingValue": -1600, "PixelPaddingRangeLimit": -1400}
    series(scan, corner, save_slice, tmp_path, intercept=0, signed=True, **tags)
    assert np.array_equal(read_volume(tmp_path).valid, ~corner)


def test_stated_padding_that_air_has_too_is_padding_at_the_border_only(scan, save_slice, tmp_path):
    """PixelPaddingValue 0 of unsigned numbers is -1024 HU, to which many scanners clip air."""
    clipped = np.maximum(scan, np.int16(-1005))
    clipped[clipped == -1005] = -1024
    border = np.zeros(SHAPE, dtype=bool)
    border[:, :, :5] = True
    clipped[:, :, 5][clipped[:, :, 5] == -1024] = -1000
    series(clipped, border, save_slice, tmp_path, PixelPaddingValue=0)
    volume = read_volume(tmp_path)
    clipped_air = (clipped == -1024) & ~border
    assert not volume.valid[border].any() and clipped_air.sum() > 2000
    assert volume.valid[clipped_air].mean() > 0.7
