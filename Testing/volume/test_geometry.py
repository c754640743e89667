"""One rule for axes that are not at right angles, the same for every format, and the place of NIfTI's two forms."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from CTSuperResolutionLib.errors import JobError, Untilt
from CTSuperResolutionLib.volume.geometry import CORNER_TOLERANCE, corner_shift, grid_geometry, nearest_rotation
from CTSuperResolutionLib.volume.reading import read_volume

STEPS = np.array([0.5, 0.6, 2.5])  # mm, (x, y, z)
ORIGIN = np.array([-20.5, 30.25, -700.125])
angles = st.tuples(*[st.floats(-3, 3)] * 3)


def write_nrrd(path, hu, axes, origin):
    vectors = " ".join(f"({','.join(map(repr, map(float, axis)))})" for axis in axes.T)
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, hu.shape[::-1]))}\nspace directions: {vectors}\n"
        f"space origin: ({','.join(map(repr, map(float, origin)))})\nendian: little\nencoding: raw\n\n"
    )
    path.write_bytes(header.encode() + hu.astype("<i2").tobytes())


def write_mha(path, hu, axes, origin):
    steps = np.linalg.norm(axes, axis=0)

    def text(values):
        return " ".join(repr(float(v)) for v in np.ravel(values))

    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"TransformMatrix = {text((axes / steps).T)}\nOffset = {text(origin)}\nElementSpacing = {text(steps)}\n"
        f"DimSize = {' '.join(map(str, hu.shape[::-1]))}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + hu.astype("<i2").tobytes())


def write_nifti(path, hu, axes, origin, *, qform=None, codes=(0, 1)):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = np.diag([-1, -1, 1]) @ axes, np.diag([-1, -1, 1]) @ origin
    image = nibabel.Nifti1Image(hu.transpose(2, 1, 0), affine)
    image.set_qform(affine if qform is None else qform, code=codes[0])
    image.set_sform(affine, code=codes[1])
    nibabel.save(image, path)


WRITERS = {"a.nrrd": write_nrrd, "a.mha": write_mha, "a.nii.gz": write_nifti}


def sheared(angle, plane=(1, 2)):
    """Axes at right angles but for two, which are that much off; radians."""
    cosines = np.eye(3)
    first, second = plane
    cosines[first, second], cosines[second, second] = np.sin(angle), np.cos(angle)
    return Rotation.from_euler("xyz", (0.1, -0.2, 0.3)).as_matrix() @ cosines * STEPS


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("plane", [(0, 1), (0, 2), (1, 2)])
def test_the_rule_is_the_same_for_every_format(tmp_path, hu, job_error, name, plane):
    limit = CORNER_TOLERANCE / corner_shift(sheared(1e-3, plane), rotated(1e-3, plane), hu.shape) * 1e-3
    for angle in (0.0, 1e-7, 0.5 * limit, 0.95 * limit):
        WRITERS[name](tmp_path / name, hu, sheared(angle, plane), ORIGIN)
        volume = read_volume(tmp_path / name)
        directions = np.reshape(volume.direction, (3, 3))
        np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=3e-6)
        assert farthest(volume, sheared(angle, plane)) <= CORNER_TOLERANCE + 2e-4
    WRITERS[name](tmp_path / name, hu, sheared(1.1 * limit, plane), ORIGIN)
    with job_error("not at right angles", "resample it to a straight grid"):
        read_volume(tmp_path / name)


def rotated(angle, plane):
    axes = sheared(angle, plane)
    return nearest_rotation(axes / STEPS) * STEPS


def farthest(volume, axes):
    """How far a corner of a volume is from where ``axes`` and ORIGIN have it, along any axis, in voxels."""
    z, y, x = volume.shape
    ends = np.array(np.meshgrid((-0.5, x - 0.5), (-0.5, y - 0.5), (-0.5, z - 0.5))).reshape(3, -1)
    stated = axes @ ends + ORIGIN[:, None]
    ours = np.array([volume.point(corner[::-1]) for corner in ends.T]).T
    return np.abs(np.reshape(volume.direction, (3, 3)).T @ (ours - stated) / STEPS[:, None]).max()


@given(angles, st.tuples(*[st.floats(-2e-2, 2e-2)] * 3), st.tuples(*[st.integers(1, 600)] * 3))
def test_what_is_accepted_is_within_a_tenth_of_a_voxel(turn, shears, shape):
    """Independently of how the corner's way is computed: every corner, as the straight grid has it and as stated."""
    a, b, c = shears
    cosines = np.array([[1, a, b], [0, 1, c], [0, 0, 1]])
    cosines = Rotation.from_euler("xyz", turn).as_matrix() @ (cosines / np.linalg.norm(cosines, axis=0))
    axes = cosines * STEPS
    found = grid_geometry(axes, ORIGIN, shape)
    if found is None:
        return
    directions = np.reshape(found.direction, (3, 3))
    for corner in np.ndindex(2, 2, 2):
        index = np.array([(-0.5, n - 0.5)[c] for c, n in zip(corner, reversed(shape), strict=True)])
        stated = axes @ index + ORIGIN
        ours = directions * np.array(found.spacing[::-1]) @ index + found.origin
        assert np.abs(directions.T @ (ours - stated) / STEPS).max() <= CORNER_TOLERANCE + 1e-3


@given(angles)
def test_straight_axes_are_taken_as_they_are(turn):
    cosines = Rotation.from_euler("xyz", turn).as_matrix() @ np.diag([1, 1, -1])
    found = grid_geometry(cosines * STEPS, ORIGIN, (9, 12, 10))
    np.testing.assert_allclose(np.reshape(found.direction, (3, 3)), cosines, atol=1e-14)
    assert found.origin == tuple(ORIGIN)


def test_a_shear_of_the_slices_alone_offers_untilting(tmp_path, hu, job_error):
    """A tilted gantry displaces slices; no shift within slices mends a shear of their own axes."""
    for name, write in WRITERS.items():
        write(tmp_path / name, hu, sheared(0.3, (1, 2)), ORIGIN)
        with job_error("--untilt"):
            read_volume(tmp_path / name)
        write(tmp_path / name, hu, sheared(0.3, (0, 1)), ORIGIN)
        with pytest.raises(JobError) as caught:
            read_volume(tmp_path / name)
        assert Untilt() not in caught.value.remedies
        with job_error("not at right angles"):
            read_volume(tmp_path / name, untilt=True)


STRAIGHT = np.diag([-0.5, -0.6, 2.5, 1.0])
ELSEWHERE = np.vstack([np.hstack([STRAIGHT[:3, :3], [[50], [60], [70]]]), [0, 0, 0, 1]])


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (1, 4), (0, 1), (1, 0), (0, 2)])
def test_of_two_places_the_one_counts_that_slicer_takes(tmp_path, hu, codes):
    """And the user is told that there are two."""
    image = nibabel.Nifti1Image(hu.transpose(2, 1, 0), STRAIGHT)
    image.set_qform(STRAIGHT, code=codes[0])
    image.set_sform(ELSEWHERE, code=codes[1])
    nibabel.save(image, tmp_path / "a.nii")
    notes = []
    volume = read_volume(tmp_path / "a.nii", note=notes.append)
    expected = sitk.ReadImage(str(tmp_path / "a.nii"))
    assert np.allclose(volume.origin, expected.GetOrigin(), atol=1e-5)
    assert np.allclose(volume.direction, expected.GetDirection(), atol=1e-6)
    assert len(notes) == (0 not in codes) and all("states two places in space, which differ" in n for n in notes)


def test_a_sheared_scanner_form_is_not_dropped_for_the_other(tmp_path, hu, job_error):
    """ITK takes the straight qform beside it, and a tilted scan lands centimetres off."""
    write_nifti(tmp_path / "a.nii", hu, sheared(0.3, (1, 2)), ORIGIN, qform=STRAIGHT, codes=(1, 1))
    assert sitk.ReadImage(str(tmp_path / "a.nii")).GetOrigin() == (0, 0, 0)
    with job_error("not at right angles", "--untilt"):
        read_volume(tmp_path / "a.nii")


def test_a_template_s_sheared_form_does_not_hide_the_scanner_s(tmp_path, hu):
    """An affine registration (code 4) may shear; the qform is where the scanner was."""
    write_nifti(tmp_path / "a.nii", hu, sheared(0.3, (1, 2)), ORIGIN, qform=STRAIGHT, codes=(1, 4))
    notes = []
    volume = read_volume(tmp_path / "a.nii", note=notes.append)
    assert np.allclose(volume.spacing, STEPS[::-1]) and volume.origin == (0, 0, 0)
    assert notes == ["a.nii states two places in space, which differ; the qform's was taken."]
