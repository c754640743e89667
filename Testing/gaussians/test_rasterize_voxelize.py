"""Every backend against numerical line integrals, direct evaluation, and numerical gradients, in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from CTSuperResolutionLib.gaussians.scene import Scene, VoxelGrid
from CTSuperResolutionLib.kernels.constants import FLOOR, RADIUS
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector

ANGLES = (0.0, 0.4, math.pi / 2, 2.5)
PARALLEL = ScanGeometry(ANGLES, (30, 41), (0.07, 0.06))
CONE = ScanGeometry(ANGLES, (34, 45), (0.09, 0.08), source_distance=6.0, detector_distance=8.0)


def random_gaussians(count: int, seed: int = 0, scale: float = 0.12):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    means = torch.rand(count, 3, generator=generator, dtype=torch.float64) * 1.2 - 0.6
    return means, math.log(scale) + 0.35 * normal(count, 3), normal(count, 4), normal(count)


def field_value(points: np.ndarray, means, log_scales, quats, densities) -> np.ndarray:
    """Σ ρ exp(−½ dᵀ Σ⁻¹ d) at points (…, 3), with SciPy's rotations."""
    total = np.zeros(points.shape[:-1])
    for mean, log_scale, quat, density in zip(means, log_scales, quats, densities, strict=True):
        own_axes = Rotation.from_quat(quat.numpy()[[1, 2, 3, 0]]).as_matrix()
        d = (points - mean.numpy()) @ own_axes / np.exp(log_scale.numpy())
        total += density.item() * np.exp(-0.5 * (d**2).sum(-1))
    return total


def line_integrals(geometry: ScanGeometry, view: int, gaussians) -> np.ndarray:
    """The view by the trapezoidal rule along every ray, from the geometry's definition."""
    t = geometry.angles[view]
    e_u, e_v = np.array([math.cos(t), math.sin(t), 0]), np.array([0, 0, 1.0])
    d = np.array([-math.sin(t), math.cos(t), 0])
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    u = (np.arange(nu) - (nu - 1) / 2) * du
    v = (np.arange(nv) - (nv - 1) / 2) * dv
    pixels = u[None, :, None] * e_u + v[:, None, None] * e_v
    if geometry.is_cone:
        source = -geometry.source_distance * d
        rays = pixels + (geometry.detector_distance - geometry.source_distance) * d - source
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        start, along = source + rays * (geometry.source_distance - 3), np.linspace(0, 6, 1501)
    else:
        rays, start, along = np.broadcast_to(d, (nv, nu, 3)), pixels - 3 * d, np.linspace(0, 6, 1501)
    values = [field_value(start + s * rays, *gaussians) for s in along]
    return np.trapezoid(values, along, axis=0)


@pytest.mark.parametrize("view", range(len(ANGLES)))
def test_parallel_beam_is_exact(kernels, view):
    gaussians = random_gaussians(6)
    expected = line_integrals(PARALLEL, view, gaussians)
    rendered = kernels.rasterize(*gaussians, PARALLEL, view).numpy()
    # What remains is the floor that every footprint's tail is cut at.
    highest = line_integrals(PARALLEL, view, [g.abs() if k == 3 else g for k, g in enumerate(gaussians)]).max()
    np.testing.assert_allclose(rendered, expected, atol=6 * FLOOR * highest)


@pytest.mark.parametrize("view", [0, 1, 3])
def test_cone_beam_is_right_to_first_order(kernels, view):
    """Local linearity: the error falls with the square of the Gaussians' size."""
    errors = []
    for scale in (0.08, 0.04):
        means, log_scales, quats, densities = random_gaussians(1, seed=2, scale=scale)
        gaussians = (means * 0.8, log_scales, quats, densities)
        fine = ScanGeometry(CONE.angles, (121, 121), (0.02, 0.02), CONE.source_distance, CONE.detector_distance)
        expected = line_integrals(fine, view, gaussians)
        rendered = kernels.rasterize(*gaussians, fine, view).numpy()
        errors.append(abs(rendered - expected).max() / abs(expected).max())
    assert errors[0] < 0.02 and errors[1] < max(0.6 * errors[0], 2 * FLOOR)


def test_one_gaussians_projection_integrates_to_its_mass_at_any_angle(kernels):
    means, log_scales, quats, densities = random_gaussians(1, seed=5)
    mass = densities.item() * (2 * math.pi) ** 1.5 * log_scales.exp().prod().item()
    wide = ScanGeometry(tuple(np.linspace(0, 3, 7)), (120, 120), (0.03, 0.03))
    # The floor takes (1 + R²/2) exp(−R²/2) of a 2D Gaussian's integral, no more.
    lost = (1 + RADIUS**2 / 2) * FLOOR
    for view in range(wide.views):
        total = kernels.rasterize(means, log_scales, quats, densities, wide, view).sum().item() * 0.03 * 0.03
        assert total / mass == pytest.approx(1 - lost, abs=2e-4)


def test_projection_of_a_sum_is_the_sum(kernels):
    gaussians = random_gaussians(9)
    parts = [kernels.rasterize(*[g[k::3] for g in gaussians], PARALLEL, 1) for k in range(3)]
    torch.testing.assert_close(sum(parts), kernels.rasterize(*gaussians, PARALLEL, 1))


def test_voxelizer_equals_direct_evaluation(kernels):
    grid = VoxelGrid((20, 26, 23), (0.07, 0.05, 0.06), (-0.62, -0.66, -0.7))
    gaussians = random_gaussians(7)
    z, y, x = (f + s * np.arange(n) for f, s, n in zip(grid.first, grid.spacing, grid.shape, strict=True))
    points = np.stack([a.T for a in np.meshgrid(x, y, z, indexing="ij")], -1)
    expected = field_value(points, *gaussians)
    highest = gaussians[3].abs().sum().item()
    np.testing.assert_allclose(kernels.voxelize(*gaussians, grid).numpy(), expected, atol=FLOOR * highest)


def test_half_voxel_placement(kernels):
    """A Gaussian centred on a voxel is brightest there; centred between two, both are equal."""
    scene = Scene.around((8, 10, 12), (2.0, 1.0, 1.0))
    centre = scene.grid.crop((3, 4, 5), (1, 1, 1)).first
    for offset, ratio in ((0.0, None), (0.5, 1.0)):
        mean = torch.tensor([[centre[2] + offset * scene.grid.spacing[2], centre[1], centre[0]]], dtype=torch.float64)
        shape = (torch.full((1, 3), math.log(0.1), dtype=torch.float64), torch.tensor([[1.0, 0, 0, 0]]).double())
        volume = kernels.voxelize(mean, *shape, torch.ones(1, dtype=torch.float64), scene.grid)
        if ratio is None:
            assert volume[3, 4, 5].item() == volume.max().item() == pytest.approx(1 - FLOOR)
        else:
            assert volume[3, 4, 5].item() == pytest.approx(volume[3, 4, 6].item())


def test_sub_box_equals_the_crop(kernels):
    scene = Scene.around((24, 30, 28), (1.0, 1.0, 1.0))
    gaussians = random_gaussians(40)
    whole = kernels.voxelize(*gaussians, scene.grid)
    box = kernels.voxelize(*gaussians, scene.grid.crop((5, 11, 0), (7, 9, 28)))
    torch.testing.assert_close(box, whole[5:12, 11:20, :28])


@pytest.mark.parametrize("beam", [PARALLEL, CONE], ids=["parallel", "cone"])
def test_voxelize_then_project_equals_rasterize(kernels, beam):
    """The two operations and the ray-caster share one world: no shift, no scale between them."""
    grid = VoxelGrid((80, 80, 80), (0.025,) * 3, (-0.9875,) * 3)
    gaussians = tuple(g.float() for g in random_gaussians(5, scale=0.1))
    cast = Projector(VolumeGrid(grid.shape, grid.spacing), beam).forward(kernels.voxelize(*gaussians, grid))[1]
    rendered = kernels.rasterize(*gaussians, beam, 1)
    assert (cast - rendered).abs().max() < 0.02 * rendered.abs().max()


@pytest.mark.parametrize("beam", [PARALLEL, CONE], ids=["parallel", "cone"])
def test_rasterizer_gradients(kernels, beam):
    small = ScanGeometry(beam.angles, (9, 11), (0.2, 0.18), beam.source_distance, beam.detector_distance)
    inputs = [g.requires_grad_() for g in random_gaussians(3, seed=4)]
    assert torch.autograd.gradcheck(lambda *g: kernels.rasterize(*g, small, 1), inputs, atol=1e-5)


def test_voxelizer_gradients(kernels):
    grid = VoxelGrid((5, 6, 4), (0.25, 0.2, 0.3), (-0.5, -0.5, -0.4))
    inputs = [g.requires_grad_() for g in random_gaussians(3, seed=4)]
    assert torch.autograd.gradcheck(lambda *g: kernels.voxelize(*g, grid), inputs, atol=1e-5)


class TestEdges:
    grid = VoxelGrid((9, 8, 7), (0.2, 0.2, 0.2), (-0.8, -0.7, -0.6))

    def test_no_gaussians(self, kernels):
        empty = random_gaussians(0)
        assert not kernels.rasterize(*empty, PARALLEL, 0).any() and not kernels.voxelize(*empty, self.grid).any()

    def test_gaussians_beyond_the_detector_leave_it_empty(self, kernels):
        means, log_scales, quats, densities = random_gaussians(4)
        far = means + torch.tensor([50.0, 50.0, 50.0], dtype=torch.float64)
        assert not kernels.rasterize(far, log_scales, quats, densities, PARALLEL, 0).any()
        assert not kernels.voxelize(far, log_scales, quats, densities, self.grid).any()

    def test_a_gaussian_larger_than_the_detector_and_centred_off_it(self, kernels):
        mean = torch.tensor([[9.0, 0.0, 2.0]], dtype=torch.float64)
        gaussian = (mean, torch.full((1, 3), math.log(4.0)).double(), torch.tensor([[1.0, 0, 0, 0]]).double())
        rendered = kernels.rasterize(*gaussian, torch.ones(1).double(), PARALLEL, 0)
        u = (torch.arange(41) - 20) * 0.06 - 9.0
        v = (torch.arange(30) - 14.5) * 0.07 - 2.0
        height = 4 * math.sqrt(2 * math.pi)
        expected = height * (torch.exp(-(v[:, None] ** 2 + u**2) / 32) - FLOOR)
        torch.testing.assert_close(rendered, expected.double(), rtol=1e-5, atol=1e-8)

    def test_tails_end_without_a_step(self, kernels):
        """Just inside the support's edge the value is all but zero."""
        mean, one = torch.zeros(1, 3).double(), torch.ones(1).double()
        shape = (torch.full((1, 3), math.log(0.1)).double(), torch.tensor([[1.0, 0, 0, 0]]).double())
        at_edge = VoxelGrid((1, 1, 2), (1.0, 1.0, 0.002), (0.0, 0.0, 0.1 * RADIUS - 0.001))
        inside, outside = kernels.voxelize(mean, *shape, one, at_edge).flatten().tolist()
        assert 0 < inside < 2e-5 and outside == 0


@given(
    count=st.integers(1, 6),
    nv=st.integers(1, 17),
    nu=st.integers(1, 17),
    seed=st.integers(0, 99),
    spread=st.floats(0, 2.5),
)
@settings(max_examples=25, deadline=None)
def test_any_scene_is_finite_and_signed_sums_cancel(kernels, count, nv, nu, seed, spread):
    """Needles, plates and any detector: finite, and a Gaussian with its negative is nothing."""
    means, log_scales, quats, densities = random_gaussians(count, seed=seed)
    log_scales = log_scales + spread * torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    geometry = ScanGeometry((0.3,), (nv, nu), (0.1, 0.13))
    rendered = kernels.rasterize(means, log_scales, quats, densities, geometry, 0)
    assert rendered.shape == (nv, nu) and rendered.isfinite().all()
    doubled = [torch.cat([g, g]) for g in (means, log_scales, quats)]
    both = kernels.rasterize(*doubled, torch.cat([densities, -densities]), geometry, 0)
    assert both.abs().max() <= 1e-9 * max(1.0, rendered.abs().max().item())
