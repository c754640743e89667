"""Projections against closed forms (ellipsoids) and against dense sampling of the interpolated volume."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector

BEAMS = {"parallel": parallel_beam, "cone": cone_beam}
CENTRE, AXES, TURN = np.array([3.0, -5.0, 2.0]), np.array([20.0, 11.0, 8.0]), 0.6  # mm (x, y, z), mm, radians about z


def project(volume, spacing, geometry):
    return Projector(VolumeGrid(volume.shape, spacing), geometry).forward(volume)


def rays(geometry: ScanGeometry, angle: float):
    """Origins and unit directions (nv, nu, 3) in (x, y, z), from the definition of the geometry."""
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    u = (np.arange(nu) - (nu - 1) / 2) * du
    v = (np.arange(nv) - (nv - 1) / 2) * dv
    along_u = np.array([math.cos(angle), math.sin(angle), 0.0])
    central = np.array([-math.sin(angle), math.cos(angle), 0.0])
    pixels = u[None, :, None] * along_u + v[:, None, None] * np.array([0.0, 0.0, 1.0])
    if not geometry.is_cone:
        return pixels, np.broadcast_to(central, pixels.shape)
    source = -geometry.source_distance * central
    directions = pixels + (geometry.detector_distance - geometry.source_distance) * central - source
    return np.broadcast_to(source, pixels.shape), directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def to_unit_ball(vectors: np.ndarray) -> np.ndarray:
    """The linear part of the map that makes the ellipsoid a unit ball."""
    turned = np.array([[math.cos(TURN), math.sin(TURN), 0], [-math.sin(TURN), math.cos(TURN), 0], [0, 0, 1]])
    return vectors @ turned.T / AXES


def chords(geometry: ScanGeometry) -> np.ndarray:
    """(views, nv, nu) lengths of the rays within the ellipsoid, mm."""
    lengths = []
    for angle in geometry.angles:
        origins, directions = rays(geometry, angle)
        origin, direction = to_unit_ball(origins - CENTRE), to_unit_ball(directions)
        a, b, c = (direction**2).sum(-1), (origin * direction).sum(-1), (origin**2).sum(-1) - 1
        lengths.append(2 * np.sqrt(np.maximum(b**2 - a * c, 0)) / a)
    return np.stack(lengths)


@cache
def ellipsoid(shape, spacing, fine=4) -> torch.Tensor:
    """The share of each voxel that the ellipsoid fills, from fine^3 points in each."""
    axes = [(np.arange(n * fine) - (n * fine - 1) / 2) * s / fine for n, s in zip(shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    inside = (to_unit_ball(np.stack((x, y, z), -1) - CENTRE) ** 2).sum(-1) <= 1
    return torch.from_numpy(inside.reshape(shape[0], fine, shape[1], fine, shape[2], fine).mean((1, 3, 5)))


@pytest.mark.parametrize("beam", BEAMS)
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((24, 50, 60), (1.0, 1.0, 1.0)), ((13, 51, 44), (2.0, 0.9, 1.3)), ((48, 41, 55), (0.5, 1.2, 1))],
)
def test_ellipsoid(beam, shape, spacing):
    geometry = BEAMS[beam](views=9, volume_shape=shape, spacing=spacing)
    expected = chords(geometry)
    error = project(ellipsoid(shape, spacing), spacing, geometry).numpy() - expected
    # Voxels smear the edge, so the bound on the whole goes with their size; it is tighter well inside.
    assert math.sqrt((error**2).mean() / (expected**2).mean()) < 0.04 * max(spacing)
    assert abs(error[expected > 0.7 * expected.max()]).max() < 0.012 * expected.max()
    if beam == "parallel":
        masses = (error + expected).sum((1, 2)) * math.prod(geometry.detector_spacing)
        assert abs(masses / (4 / 3 * math.pi * AXES.prod()) - 1).max() < 1e-3
    # A voxel's misplacement would be seen.
    shifted = project(ellipsoid(shape, spacing).roll(1, 2), spacing, geometry).numpy() - expected
    assert (shifted**2).mean() > 3 * (error**2).mean()


@pytest.mark.parametrize("beam", BEAMS)
@pytest.mark.parametrize("angle", [0.0, math.pi / 2, math.pi])
def test_way_through_a_uniform_plate(beam, angle):
    """Rays in at one face and out at the other, rising by up to 0.4 mm a mm where a CT scanner's rise by 0.05."""
    turned = angle == math.pi / 2
    shape, spacing = ((40, 60, 8), (1.0, 0.5, 1.25)) if turned else ((40, 8, 60), (1.0, 1.25, 0.5))
    geometry = replace(BEAMS[beam](views=1, volume_shape=shape, spacing=spacing), angles=(angle,))
    if beam == "cone":
        geometry = replace(geometry, source_distance=40.0, detector_distance=60.0)
    origins, directions = rays(geometry, angle)
    forward = directions[..., :2] @ np.array([-math.sin(angle), math.cos(angle)])  # share of the way through the plate
    inside = np.ones(geometry.detector_shape, dtype=bool)
    for depth in (-6.0, 6.0):  # the plate reaches 5 mm either way, its interpolant a half voxel more
        start = -geometry.source_distance if geometry.is_cone else 0.0
        points = origins + directions * ((depth - start) / forward)[..., None]
        inside &= np.abs(points[..., 2]) < 19.5
        inside &= np.abs(points[..., 1 if turned else 0]) < 14.75
    assert inside.sum() > 400
    found = project(torch.ones(shape, dtype=torch.float64), spacing, geometry)[0].numpy()
    np.testing.assert_allclose(found[inside], (10 / forward)[inside], rtol=1e-9)
    if geometry.is_cone:
        assert (1 / forward[inside]).max() > 1.05


@pytest.mark.parametrize("beam", BEAMS)
def test_ellipsoid_error_falls_with_the_voxel(beam):
    errors = []
    for fine in (1, 2):
        shape, spacing = (18 * fine, 34 * fine, 38 * fine), (1.5 / fine,) * 3
        geometry = BEAMS[beam](views=5, volume_shape=shape, spacing=spacing)
        expected = chords(geometry)
        projected = project(ellipsoid(shape, spacing, fine=3), spacing, geometry).numpy()
        errors.append(math.sqrt(((projected - expected) ** 2).mean() / (expected**2).mean()))
    # The chord's edge is a square root: its error in the mean square falls as the voxel, short of a logarithm.
    assert errors[1] < 0.6 * errors[0]


def sampled(volume: np.ndarray, spacing, geometry: ScanGeometry, step: float) -> np.ndarray:
    """Line integrals of the trilinear interpolant, zero beyond a voxel outside it, by the midpoint rule."""
    padded = np.pad(volume, 1)
    middle = (np.array(padded.shape) - 1) / 2
    reach = np.linalg.norm(np.array(padded.shape) * spacing) / 2
    views = []
    for angle in geometry.angles:
        origins, directions = rays(geometry, angle)
        nearest = -(origins * directions).sum(-1, keepdims=True)  # way to the point nearest the volume's centre
        total = np.zeros(geometry.detector_shape)
        for way in np.arange(-reach, reach, step) + step / 2:
            points = origins + (nearest + way) * directions  # (x, y, z)
            index = points[..., ::-1] / np.array(spacing) + middle
            total += map_coordinates(padded, np.moveaxis(index, -1, 0), order=1, mode="constant") * step
        views.append(total)
    return np.stack(views)


ANGLES = (0.0, 0.3, math.pi / 4, math.pi / 2, 1.9, 3.0)


@pytest.mark.parametrize(("shape", "spacing"), [((6, 11, 8), (1.0, 1.0, 1.0)), ((5, 8, 12), (2.0, 0.8, 1.3))])
def test_parallel_integrals_of_noise_are_exact(shape, spacing):
    volume = torch.from_numpy(np.random.default_rng(3).normal(size=shape))
    own = parallel_beam(views=1, volume_shape=shape, spacing=spacing)
    odd = ScanGeometry(ANGLES, (9, 21), (1.1, 0.7))  # a detector that fits neither slices nor voxels
    flat = ScanGeometry(ANGLES, (shape[0], 15), (0.6 * spacing[0], 1.0))  # as many rows as slices, but other ones
    for geometry in (replace(own, angles=ANGLES), replace(own, angles=ANGLES).refined(1, 3), odd, flat):
        expected = sampled(volume.numpy(), spacing, geometry, step=0.02)
        assert np.abs(project(volume, spacing, geometry).numpy() - expected).max() < 2e-3 * expected.std()


@pytest.mark.parametrize(("shape", "spacing"), [((6, 11, 8), (1.0, 1.0, 1.0)), ((5, 8, 12), (2.0, 0.8, 1.3))])
def test_cone_integrals_of_noise_are_near_exact(shape, spacing):
    volume = torch.from_numpy(np.random.default_rng(3).normal(size=shape))
    own = cone_beam(views=1, volume_shape=shape, spacing=spacing, source_distance=60, detector_distance=90)
    for geometry in (replace(own, angles=ANGLES), ScanGeometry(ANGLES, (9, 21), (1.1, 0.7), 40.0, 55.0)):
        expected = sampled(volume.numpy(), spacing, geometry, step=0.02)
        error = project(volume, spacing, geometry).numpy() - expected
        # Within a line of voxels the height is taken as one; these rays rise 0.1 mm a mm, ten times a CT scanner's.
        assert math.sqrt((error**2).mean()) < 0.02 * expected.std()


def test_cone_with_a_far_source_is_parallel():
    shape, spacing = (7, 12, 10), (1.5, 1.0, 1.2)
    volume = torch.from_numpy(np.random.default_rng(5).normal(size=shape))
    parallel = parallel_beam(views=5, volume_shape=shape, spacing=spacing)
    far = replace(parallel, source_distance=1e8, detector_distance=1e8)
    torch.testing.assert_close(project(volume, spacing, far), project(volume, spacing, parallel), rtol=0, atol=1e-5)


def test_single_precision_is_close_to_double():
    shape, spacing = (16, 40, 36), (1.0, 0.7, 0.7)
    volume = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    for factory in BEAMS.values():
        geometry = factory(views=4, volume_shape=shape, spacing=spacing)
        single, double = (project(v, spacing, geometry) for v in (volume, volume.double()))
        assert single.dtype == torch.float32
        assert (single - double).abs().max() < 2e-6 * double.max()
