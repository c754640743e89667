"""Where the rays run: factories, refinement and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam

sizes = st.tuples(*[st.integers(1, 70)] * 3)
spacings = st.tuples(*[st.floats(0.2, 6.0)] * 3)


def corners(shape, spacing):
    """World (x, y, z) of the corners of the volume's box, faces included."""
    half = [n * s / 2 for n, s in zip(shape, spacing, strict=True)]
    return [(x, y, z) for x in (-half[2], half[2]) for y in (-half[1], half[1]) for z in (-half[0], half[0])]


@given(shape=sizes, spacing=spacings, views=st.integers(1, 12))
def test_parallel_detector_sees_every_corner_in_every_view(shape, spacing, views):
    geometry = parallel_beam(views=views, volume_shape=shape, spacing=spacing)
    assert geometry.views == views
    assert geometry.angles == tuple(math.pi * k / views for k in range(views))
    assert not geometry.is_cone
    assert geometry.detector_shape[0] == shape[0]
    assert geometry.detector_spacing == (spacing[0], min(spacing[1:]))
    half_width = geometry.detector_shape[1] * geometry.detector_spacing[1] / 2
    for x, y, _ in corners(shape, spacing):
        assert all(abs(x * math.cos(t) + y * math.sin(t)) <= half_width for t in geometry.angles)


def test_cone_beam_is_1500_and_1000_mm_unless_told():
    geometry = cone_beam(views=2, volume_shape=(4, 5, 6), spacing=(1.0, 2.0, 3.0))
    assert geometry.is_cone
    assert (geometry.source_distance, geometry.detector_distance) == (1000.0, 1500.0)
    assert geometry.detector_spacing == (1.5, 3.0)
    assert geometry.angles == (0.0, math.pi / 2)


@given(shape=sizes, spacing=spacings, nearness=st.floats(1.12, 20), magnification=st.floats(1, 3))
def test_cone_detector_sees_every_corner_at_every_angle(shape, spacing, nearness, magnification):
    source = nearness * math.hypot((shape[1] + 1) * spacing[1], (shape[2] + 1) * spacing[2]) / 2
    detector = source * magnification
    geometry = cone_beam(
        views=1, volume_shape=shape, spacing=spacing, source_distance=source, detector_distance=detector
    )
    height, width = (n * d / 2 for n, d in zip(geometry.detector_shape, geometry.detector_spacing, strict=True))
    for t in (math.pi * k / 60 for k in range(120)):
        for x, y, z in corners(shape, spacing):
            magnified = detector / (source - x * math.sin(t) + y * math.cos(t))
            assert abs(x * math.cos(t) + y * math.sin(t)) * magnified <= width
            assert abs(z) * magnified <= height


@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
@given(shape=sizes)
def test_pixel_centres_meet_voxel_centres_at_angle_zero(factory, shape):
    geometry = factory(views=1, volume_shape=shape, spacing=(1.0, 1.0, 1.0))
    assert (geometry.detector_shape[1] - shape[2]) % 2 == 0
    assert (geometry.detector_shape[0] - shape[0]) % 2 == 0


@given(shape=sizes, spacing=spacings, scale_v=st.integers(1, 8), scale_u=st.integers(1, 8))
def test_refined_covers_the_same_area(shape, spacing, scale_v, scale_u):
    coarse = parallel_beam(views=3, volume_shape=shape, spacing=spacing)
    fine = coarse.refined(scale_v, scale_u)
    assert fine.detector_shape == (coarse.detector_shape[0] * scale_v, coarse.detector_shape[1] * scale_u)
    for axis in (0, 1):
        area = [g.detector_shape[axis] * g.detector_spacing[axis] for g in (coarse, fine)]
        assert math.isclose(*area, rel_tol=1e-12)
    assert fine.angles == coarse.angles


def test_refined_keeps_source_and_detector():
    fine = cone_beam(views=2, volume_shape=(4, 5, 6), spacing=(1.0, 1.0, 1.0)).refined(2, 3)
    assert (fine.source_distance, fine.detector_distance) == (1000.0, 1500.0)


def test_repr_is_a_constructor_call():
    geometry = cone_beam(views=2, volume_shape=(4, 5, 6), spacing=(1.0, 2.0, 3.0))
    assert eval(repr(geometry)) == geometry


good = {"angles": (0.0,), "detector_shape": (2, 3), "detector_spacing": (1.0, 1.0)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"angles": ()}, "at least one view"),
        ({"angles": (math.nan,)}, "finite"),
        ({"detector_shape": (0, 3)}, "detector shape"),
        ({"detector_shape": (3,)}, "detector shape"),
        ({"detector_spacing": (1.0, 0.0)}, "positive lengths"),
        ({"detector_spacing": (1.0, math.inf)}, "positive lengths"),
        ({"source_distance": 1000.0}, "needs both"),
        ({"source_distance": 1000.0, "detector_distance": -1.0}, "positive lengths"),
    ],
)
def test_what_is_no_scan_is_refused(change, says):
    with pytest.raises(JobError, match=says):
        ScanGeometry(**(good | change))


@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
@pytest.mark.parametrize(
    "change", [{"views": 0}, {"volume_shape": (0, 4, 4)}, {"volume_shape": (4, 4)}, {"spacing": (1.0, -1.0, 1.0)}]
)
def test_factories_refuse_what_is_no_volume(factory, change):
    with pytest.raises(JobError):
        factory(**({"views": 2, "volume_shape": (4, 4, 4), "spacing": (1.0, 1.0, 1.0)} | change))


def test_object_too_large_for_the_orbit_is_refused():
    with pytest.raises(JobError, match="too near the X-ray source"):
        cone_beam(views=2, volume_shape=(10, 512, 512), spacing=(1.0, 3.0, 3.0))
    with pytest.raises(JobError, match="too near the X-ray source"):
        cone_beam(views=2, volume_shape=(8, 64, 64), spacing=(1.0, 1.0, 1.0), source_distance=45.0)


def test_refined_refuses_factors_below_one():
    with pytest.raises(JobError, match="factors of 1 or more"):
        ScanGeometry(**good).refined(0, 2)
