"""Headers of any kind against readers that share nothing with ours: nibabel, pynrrd and pydicom."""

from __future__ import annotations

import itertools
import shutil

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from CTSuperResolutionLib.volume.reading import read_volume

many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
shapes = st.tuples(*[st.integers(8, 11)] * 3)
lengths = st.tuples(*[st.floats(0.05, 10)] * 3)
places = st.tuples(*[st.floats(-1500, 1500)] * 3)
turns = st.tuples(*[st.floats(-3, 3)] * 3)
paddings = st.sampled_from([None, -1500, -2000, -3024, -32768])
RAS = np.diag([-1.0, -1.0, 1.0])
fresh = itertools.count()


def scan(shape, padding):
    """Noise as of tissue and air, its first columns padding; and where it is measured."""
    hu = np.random.default_rng(0).integers(-1000, 1500, shape).astype(np.int16)
    measured = np.ones(shape, dtype=bool)
    if padding is not None:
        measured[:, :, :3] = False
        hu[~measured] = padding
    return hu, measured


def expect(volume, values, measured, axes, origin):
    """The volume has those values where it was measured, and lies where (3, 3) LPS axes in mm put it."""
    assert volume.valid is None if measured.all() else np.array_equal(volume.valid, measured)
    scale = max(1.0, abs(values[measured]).max())
    np.testing.assert_allclose(volume.array[measured], values[measured], rtol=0, atol=2e-7 * scale)
    assert (volume.array[~measured] == -1024).all()
    steps = np.linalg.norm(axes, axis=0)
    np.testing.assert_allclose(volume.spacing, steps[::-1], rtol=2e-6)
    z, y, x = volume.shape
    for corner in itertools.product((0, z - 1), (0, y - 1), (0, x - 1)):
        stated = axes @ corner[::-1] + origin
        assert np.abs((np.array(volume.point(corner)) - stated) / steps.min()).max() < 0.1


@many
@given(
    shapes, lengths, places, turns, st.booleans(), paddings,
    st.sampled_from(["mm", "um", "cm"]), st.sampled_from(["left-posterior-superior", "right-anterior-superior"]),
    st.sampled_from(["raw", "gzip", "bzip2"]),
)  # fmt: skip
def test_nrrd(tmp_path, shape, spacing, origin, turn, mirror, padding, unit, space, encoding):
    hu, measured = scan(shape, padding)
    axes = Rotation.from_euler("xyz", turn).as_matrix() * spacing * [1, 1, -1 if mirror else 1]
    factor = {"mm": 1, "um": 1e-3, "cm": 10}[unit]
    path = tmp_path / f"{next(fresh)}.nrrd"
    header = {
        "space": space, "space directions": axes.T, "space origin": np.array(origin), "space units": [unit] * 3,
        "encoding": encoding,
    }  # fmt: skip
    nrrd.write(str(path), hu, header, index_order="C")
    values, stated = nrrd.read(str(path), index_order="C")
    signs = RAS if stated["space"] == "right-anterior-superior" else np.eye(3)
    axes, origin = factor * signs @ stated["space directions"].T, factor * signs @ stated["space origin"]
    expect(read_volume(path, allow_unusual=True), values.astype(float), measured, axes, origin)


@many
@given(
    shapes, lengths, places, turns, st.booleans(), paddings,
    st.sampled_from(["meter", "mm", "micron", "unknown"]),
    st.sampled_from([(1, 1), (0, 1), (0, 2), (1, 0), (2, 0)]), st.booleans(),
    st.sampled_from([(1, 0), (1, -1024), (0.5, 3), (2, -1)]),
)  # fmt: skip
def test_nifti(tmp_path, shape, spacing, origin, turn, mirror, padding, unit, codes, swapped, rescale):
    hu, measured = scan(shape, padding)
    slope, intercept = rescale
    stored = np.clip(np.round((hu.astype(float) - intercept) / slope), -32768, 32767)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn).as_matrix() * spacing * [1, 1, -1 if mirror else 1]
    affine[:3, 3] = origin
    affine[:3] *= {"meter": 1e-3, "micron": 1e3}.get(unit, 1)  # lengths in mm as the file's unit has them
    image = nibabel.Nifti1Image(stored.astype(np.int16).transpose(2, 1, 0), affine)
    image.set_qform(affine, code=codes[0])
    image.set_sform(affine, code=codes[1])
    image.header.set_xyzt_units(unit)
    image.header.set_slope_inter(slope, intercept)
    if swapped:
        image = nibabel.Nifti1Image(image.dataobj, image.affine, image.header.as_byteswapped())
        image.header.set_slope_inter(slope, intercept)
    path = tmp_path / f"{next(fresh)}.nii.gz"
    nibabel.save(image, path)
    loaded = nibabel.load(path)
    factor = {"meter": 1e3, "micron": 1e-3}.get(loaded.header.get_xyzt_units()[0], 1)
    axes, place = factor * RAS @ loaded.affine[:3, :3], factor * RAS @ loaded.affine[:3, 3]
    values = loaded.get_fdata().T
    expect(read_volume(path, allow_unusual=True), values, measured, axes, place)


@many
@given(
    shapes, lengths, places, turns, paddings, st.sampled_from([(1, 0), (1, -1024), (0.5, -1000), (2, -3000)]),
    st.booleans(), st.booleans(), st.sampled_from([None, 0, -2, 1, 50]), st.sampled_from([None, -1, 0, 1]),
)  # fmt: skip
def test_dicom(
    tmp_path, save_slice, shape, spacing, origin, turn, padding, rescale, signed, downwards, thickness, between
):
    """Thickness and spacing are in parts of the slices' distance, and often cannot be."""
    hu, measured = scan(shape, padding)
    (slope, intercept), (dx, dy, dz) = rescale, spacing
    rotation = Rotation.from_euler("xyz", turn).as_matrix()
    low, high = (-32768, 32767) if signed else (0, 65535)
    stored = np.clip(np.round((hu.astype(float) - intercept) / slope), low, high)
    tag = None
    if padding is not None:
        tag = int(np.clip(np.round((padding - intercept) / slope), low, high))
        stored[~measured] = tag
    folder = tmp_path / f"{next(fresh)}"
    for k, pixels in enumerate(stored):
        place = np.array(origin) + rotation[:, 2] * dz * (len(hu) - 1 - k if downwards else k)
        save_slice(
            folder / f"{k:03}", k, hu[k], PixelData=pixels.astype("<i2" if signed else "<u2").tobytes(),
            PixelRepresentation=int(signed), RescaleSlope=slope, RescaleIntercept=intercept, PixelPaddingValue=tag,
            PixelSpacing=[f"{dy:.9g}", f"{dx:.9g}"], ImagePositionPatient=[f"{v:.9g}" for v in place],
            ImageOrientationPatient=[f"{v:.9g}" for v in rotation[:, :2].T.ravel()],
            SliceThickness=None if thickness is None else f"{thickness * dz:.6g}",
            SpacingBetweenSlices=None if between is None else f"{between * dz:.6g}",
        )  # fmt: skip
    slices = sorted(
        map(pydicom.dcmread, folder.iterdir()), key=lambda s: np.dot(s.ImagePositionPatient, rotation[:, 2])
    )
    values = np.array([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])
    row, column = np.reshape(slices[0].ImageOrientationPatient, (2, 3)).astype(float)
    first, last = (np.array(s.ImagePositionPatient, float) for s in (slices[0], slices[-1]))
    rows, columns = map(float, slices[0].PixelSpacing)
    axes = np.column_stack([row * columns, column * rows, (last - first) / (len(slices) - 1)])
    visible = -1024 if padding is None else float(tag * slope + intercept)
    if visible >= -1024 and padding is not None:  # clipped by the pixels' kind: padding of a value that air has
        return
    volume = read_volume(folder, allow_unusual=True)
    expect(volume, values, measured, axes, first)
    assert volume.acquisition.slice_thickness == (pytest.approx(dz, rel=1e-4) if thickness == 1 else None)
    assert volume.acquisition.spacing_between_slices == (pytest.approx(dz, rel=1e-4) if between == 1 else None)
    shutil.rmtree(folder)
