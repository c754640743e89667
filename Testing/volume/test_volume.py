"""The voxel grid in space, against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from CTSuperResolutionLib.job.refinement import Refinement
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.volume.volume import Volume

lengths = st.floats(0.05, 10)
places = st.floats(-1000, 1000)


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    """Any grid: anisotropic, oblique, possibly mirrored."""
    shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
    turn = Rotation.from_euler("xyz", draw(st.tuples(*[st.floats(-3, 3)] * 3))).as_matrix()
    mirror = np.diag(draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)))
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Volume(
        values,
        draw(st.tuples(lengths, lengths, lengths)),
        draw(st.tuples(places, places, places)),
        tuple(map(float, (turn @ mirror).ravel())),
    )


scales = st.tuples(*[st.integers(1, 10)] * 3)


def itk(shape, spacing, origin, direction) -> sitk.Image:
    image = sitk.Image([int(n) for n in shape[::-1]], sitk.sitkUInt8)
    image.SetSpacing(spacing[::-1])
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


def itk_of(volume: Volume) -> sitk.Image:
    return itk(volume.shape, volume.spacing, volume.origin, volume.direction)


@given(volumes(), st.tuples(*[st.floats(-5, 20)] * 3))
def test_point_is_itks(volume, index):
    expected = itk_of(volume).TransformContinuousIndexToPhysicalPoint(index[::-1])
    assert np.allclose(volume.point(index), expected, rtol=0, atol=1e-9)


@given(volumes(), scales, st.data())
def test_refined_voxels_lie_where_they_cover_the_coarse_ones(volume, scale, data):
    shape, spacing, origin = volume.refined_grid(scale)
    assert shape == tuple(n * s for n, s in zip(volume.shape, scale, strict=True))
    fine = itk(shape, spacing, origin, volume.direction)
    j = np.array([data.draw(st.integers(0, n - 1)) for n in shape])
    coarse_index = (j + 0.5) / scale - 0.5
    here = fine.TransformContinuousIndexToPhysicalPoint([float(v) for v in j[::-1]])
    there = itk_of(volume).TransformContinuousIndexToPhysicalPoint([float(v) for v in coarse_index[::-1]])
    assert np.allclose(here, there, rtol=0, atol=1e-6)


@given(volumes(), scales)
def test_refining_keeps_the_corners_of_the_volume(volume, scale):
    shape, spacing, origin = volume.refined_grid(scale)
    fine = itk(shape, spacing, origin, volume.direction)
    for corner in np.ndindex(2, 2, 2):
        coarse_end = [(-0.5, n - 0.5)[c] for c, n in zip(corner, volume.shape, strict=True)][::-1]
        fine_end = [(-0.5, n - 0.5)[c] for c, n in zip(corner, shape, strict=True)][::-1]
        assert np.allclose(
            itk_of(volume).TransformContinuousIndexToPhysicalPoint(coarse_end),
            fine.TransformContinuousIndexToPhysicalPoint(fine_end),
            rtol=0,
            atol=1e-6,
        )


@given(volumes(), scales)
def test_with_array_takes_the_grid_that_fits(volume, scale):
    shape, spacing, origin = volume.refined_grid(scale)
    fine = volume.with_array(np.ones(shape, dtype=np.float64), scale)
    assert (fine.spacing, fine.origin, fine.direction) == (spacing, origin, volume.direction)
    assert fine.array.dtype == np.float32
    with pytest.raises(ValueError, match="does not fit"):
        volume.with_array(np.ones((shape[0] + 1, *shape[1:])), scale)


@given(volumes(), st.tuples(*[st.floats(1.01, 10)] * 3))
def test_a_target_grid_has_the_middle_of_the_volume(volume, factors):
    wanted = tuple(d / factor for d, factor in zip(volume.spacing, factors, strict=True))
    target = TargetGrid.over(volume.shape, volume.spacing, Refinement.to_spacing(wanted, volume.spacing))
    fine = volume.on_target(np.ones(target.shape), target)
    middles = [
        itk_of(v).TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in v.shape[::-1]]) for v in (volume, fine)
    ]
    assert np.allclose(*middles, rtol=0, atol=1e-6) and fine.spacing == pytest.approx(wanted, rel=1e-6)
    with pytest.raises(ValueError, match="does not fit"):
        volume.on_target(np.ones((target.shape[0] + 1, *target.shape[1:])), target)


@given(volumes(), st.data())
def test_crop_is_itks_region(volume, data):
    start = [data.draw(st.integers(0, n - 1)) for n in volume.shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, volume.shape, strict=True)]
    image = sitk.GetImageFromArray(volume.array)
    image.CopyInformation(itk_of(volume))
    expected = sitk.RegionOfInterest(
        image, [b - a for a, b in zip(start, stop, strict=True)][::-1], [int(a) for a in start[::-1]]
    )
    cropped = volume.crop(tuple(map(slice, start, stop)))
    assert np.array_equal(cropped.array, sitk.GetArrayFromImage(expected))
    assert np.allclose(cropped.origin, expected.GetOrigin(), rtol=0, atol=1e-9)
    assert not np.shares_memory(cropped.array, volume.array)


def small(shape=(4, 5, 6)) -> Volume:
    return Volume(np.zeros(shape, np.float32), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))


@pytest.mark.parametrize("part", [slice(2, 2), slice(3, 1), slice(0, 6), slice(-2, 4), slice(0, 4, 2), slice(9, None)])
def test_crop_outside_or_empty(part, job_error):
    with job_error("takes z", "voxels 0 to 4"):
        small().crop((part, slice(None), slice(None)))


def test_crop_of_everything_is_everything():
    assert small().crop((slice(None),) * 3).shape == (4, 5, 6)


@pytest.mark.parametrize(
    "change",
    [
        {"array": np.zeros((4, 5), np.float32)},
        {"array": np.zeros((4, 5, 6))},
        {"spacing": (1.0, 0.0, 1.0)},
        {"spacing": (1.0, float("nan"), 1.0)},
        {"spacing": (1.0, 1.0)},
        {"direction": (1.0, 0, 0)},
    ],
)
def test_volume_refuses_what_is_no_volume(change):
    whole = small()
    parts = {name: getattr(whole, name) for name in ("array", "spacing", "origin", "direction")}
    with pytest.raises(ValueError):
        Volume(**(parts | change))


def test_repr_is_short():
    assert len(repr(small((100, 100, 100)))) < 200
