"""Where a voxel's shadow falls and how much of it there is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CTSuperResolutionLib.projection.geometry import cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector


def project(volume, spacing, geometry):
    return Projector(VolumeGrid(volume.shape, spacing), geometry).forward(volume)


def one_voxel(shape, index):
    volume = torch.zeros(shape, dtype=torch.float64)
    volume[index] = 1.0
    return volume


def centroid(image, geometry):
    """(v, u) in mm of the image's mass."""
    found = []
    for axis, (n, pitch) in enumerate(zip(geometry.detector_shape, geometry.detector_spacing, strict=True)):
        position = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * pitch
        found.append(float((image.sum(1 - axis) * position).sum() / image.sum()))
    return found


@st.composite
def placements(draw):
    shape = draw(st.tuples(*[st.integers(1, 24)] * 3))
    index = tuple(draw(st.integers(0, n - 1)) for n in shape)
    spacing = draw(st.tuples(*[st.floats(0.5, 3.0)] * 3))
    return shape, index, spacing, draw(st.floats(-math.pi, math.pi))


@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
@settings(max_examples=40, deadline=None)
@given(placement=placements())
def test_centroid_of_a_voxels_shadow(factory, placement):
    shape, index, spacing, angle = placement
    z, y, x = ((i - (n - 1) / 2) * s for i, n, s in zip(index, shape, spacing, strict=True))
    coarse = replace(factory(views=1, volume_shape=shape, spacing=spacing), angles=(angle,))
    # So fine that sampling the shadow does not move its centroid; a parallel detector ends with the last slice's row.
    geometry = coarse.refined(4 if coarse.is_cone else 1, 4)
    v, u = centroid(project(one_voxel(shape, index), spacing, geometry)[0], geometry)
    expected_u, expected_v = x * math.cos(angle) + y * math.sin(angle), z
    if geometry.is_cone:
        magnification = 1500 / (1000 - x * math.sin(angle) + y * math.cos(angle))
        expected_u, expected_v = expected_u * magnification, expected_v * magnification
    assert abs(u - expected_u) < 0.01 * coarse.detector_spacing[1]
    assert abs(v - expected_v) < 0.01 * coarse.detector_spacing[0]


@pytest.mark.parametrize("n", [8, 9])
def test_at_right_angles_projection_is_a_sum(n):
    volume = torch.rand((3, n, n), dtype=torch.float64)
    geometry = parallel_beam(views=2, volume_shape=(3, n, n), spacing=(2.0, 1.5, 1.5))
    front, side = project(volume, (2.0, 1.5, 1.5), geometry)
    margin = (geometry.detector_shape[1] - n) // 2
    torch.testing.assert_close(front[:, margin : margin + n], volume.sum(1) * 1.5)
    torch.testing.assert_close(side[:, margin : margin + n], volume.sum(2) * 1.5)
    assert front[:, :margin].abs().max() < 1e-12


def smooth(shape):
    z, y, x = torch.meshgrid(*(torch.linspace(-3, 3, n, dtype=torch.float64) for n in shape), indexing="ij")
    return torch.exp(-((x - 0.4) ** 2) - (y + 0.3) ** 2 - z**2) * (1.5 + torch.sin(2 * x + y))


@given(shape=st.tuples(st.integers(4, 10), st.integers(16, 30), st.integers(16, 30)), ratio=st.floats(0.7, 1.4))
@settings(max_examples=20, deadline=None)
def test_every_parallel_view_holds_the_whole_mass(shape, ratio):
    volume = smooth(shape)
    for spacing, finer, tolerance in (((2.0, 1.0, 1.0), 1, 1e-4), ((2.0, 1.0, ratio), 4, 1e-3)):
        geometry = parallel_beam(views=8, volume_shape=shape, spacing=spacing).refined(1, finer)
        mass = volume.sum() * math.prod(spacing)
        masses = project(volume, spacing, geometry).sum((1, 2)) * math.prod(geometry.detector_spacing)
        assert ((masses - mass).abs() < tolerance * mass).all()


@pytest.mark.parametrize("index", [(0, 0, 0), (2, 3, 9), (4, 10, 5)])
def test_even_one_voxel_keeps_its_mass(index):
    volume, spacing = one_voxel((5, 11, 10), index), (1.0, 1.2, 1.2)
    coarse = parallel_beam(views=12, volume_shape=(5, 11, 10), spacing=spacing)
    # Columns as wide as voxels sample the shadow's spectrum, sinc^2 sinc^2, at most 2 sinc(1/sqrt 2)^4 off.
    for geometry, tolerance in ((coarse, 0.033), (coarse.refined(1, 4), 1e-4)):
        masses = project(volume, spacing, geometry).sum((1, 2)) * math.prod(geometry.detector_spacing)
        assert (masses / math.prod(spacing) - 1).abs().max() < tolerance


@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
def test_refined_sees_the_same_image(factory):
    shape, spacing = (8, 26, 30), (2.0, 1.0, 1.0)
    volume = smooth(shape)
    coarse = factory(views=5, volume_shape=shape, spacing=spacing)
    image = project(volume, spacing, coarse)
    fine = project(volume, spacing, coarse.refined(3, 3))
    # The middle one of three by three pixels is where the coarse pixel is.
    torch.testing.assert_close(fine[:, 1::3, 1::3], image, rtol=0, atol=1e-9 * float(image.max()))
