"""Parts of the phantom: rods that keep their volume, trees, textures, distances."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.phantom.shapes import catmull_rom, cone, ellipsoid, smooth_minimum
from CTSuperResolutionLib.phantom.slab import Slab
from CTSuperResolutionLib.phantom.texture import Texture
from CTSuperResolutionLib.phantom.tree import grow
from CTSuperResolutionLib.phantom.vessels import rod_occupancy


def cube(n: int, spacing: float, shift: float = 0.0) -> Slab:
    axis = (np.arange(n) - (n - 1) / 2) * spacing + shift
    return Slab(axis, axis, axis, spacing)


@pytest.mark.parametrize("radius", [0.1, 0.3, 0.5, 0.8, 2.5])
@pytest.mark.parametrize("direction", [(1, 0, 0), (0.3, 0.5, 0.81), (1, 1, 1)])
def test_a_rod_keeps_its_cross_section(radius, direction):
    """However thin against the voxel, wherever it lies: voxel volume times shares is pi r^2 times its length."""
    slab = cube(40, 1.0)
    way = np.array(direction) / np.linalg.norm(direction)
    middle = np.array([0.21, -0.37, 0.14])
    share = {}
    for length in (10.0, 24.0):  # the difference leaves the rounded ends out
        rod = np.concatenate([middle - way * length / 2, middle + way * length / 2, [radius, radius]])
        share[length] = rod_occupancy(slab, rod[None]).sum(dtype=float)
    assert (share[24.0] - share[10.0]) / 14.0 == pytest.approx(np.pi * radius**2, rel=0.06)


def test_rods_across_the_slab_edge_are_cut_not_lost():
    rod = np.array([[0.5, 0.5, -30.0, 0.5, 0.5, 30.0, 1.2, 0.8]])
    whole = rod_occupancy(cube(24, 1.0), rod)
    half = rod_occupancy(Slab(np.arange(0.5, 12), *cube(24, 1.0).axes[1:], 1.0), rod)
    assert whole[12:, 12, 12].min() == 1.0  # a rod wider than a voxel fills those on its axis
    np.testing.assert_allclose(whole[12:], half, atol=1e-5)


def test_occupancy_of_a_ball_is_its_volume():
    slab = cube(32, 0.7, shift=0.11)
    share = slab.occupancy(ellipsoid(slab.coordinates(), (6.0, 6.0, 6.0)))
    assert share.sum(dtype=float) * 0.7**3 == pytest.approx(4 / 3 * np.pi * 6.0**3, rel=0.01)
    slab.paint(ellipsoid(slab.coordinates(), (6.0, 6.0, 6.0)), 50.0)
    assert slab.hu[16, 16, 16] == 50.0 and slab.hu[0, 0, 0] == -1000.0


def test_box_holds_all_voxels_asked_for():
    slab = cube(20, 2.0)
    z, y, x = slab.coordinates(slab.box((-5, -1, 3), (6, 1, 9)))
    assert z.min() <= -5 and z.max() >= 6 and y.size >= 2 and x.min() <= 3 and x.max() >= 9
    assert slab.box((50, 0, 0), (60, 1, 1)) is None


def test_cone_distance_at_hand_computed_points():
    at = tuple(np.array([[[value]]], dtype=np.float32) for value in (3.0, 4.0, 5.0))  # z, y, x
    assert cone(at, (0, 0, 0), (10, 0, 0), 1.0, 2.0).item() == pytest.approx(5.0 - 1.5, abs=1e-5)
    assert cone(at, (5, 4, 0), (5, 4, 10), 1.0, 1.0).item() == pytest.approx(-1.0, abs=1e-5)


def test_smooth_minimum_only_rounds_the_seam():
    one, other = np.array([-3.0, 0.0, 5.0]), np.array([4.0, 0.0, -1.0])
    np.testing.assert_allclose(smooth_minimum(one, other, 2.0), [-3.0, -0.5, -1.0])


def test_catmull_rom_passes_through_its_points():
    points = np.array([[0.0, 0, 0, 2], [5, 3, 1, 1], [9, 2, 4, 3]])
    curve = catmull_rom(points, 4)
    np.testing.assert_allclose(curve[::4], points)
    assert len(curve) == 9


def test_texture_has_unit_deviation_and_lives_in_space():
    texture = Texture(np.random.default_rng(0), (2.0, 2.0, 2.0), (48, 48, 48))
    coarse, fine = cube(48, 1.0), cube(144, 1.0 / 3.0)
    values = texture.sample(coarse)
    assert abs(values.mean()) < 0.05 and 0.8 < values.std() < 1.05
    mean = texture.sample(fine).reshape(48, 3, 48, 3, 48, 3).mean(axis=(1, 3, 5))
    assert np.corrcoef(values.ravel(), mean.ravel())[0, 1] > 0.99
    assert texture.sample(cube(12, 8.0)).std() < 0.35  # detail finer than a voxel averages out


@pytest.fixture(scope="module")
def tree():
    rng = np.random.default_rng(3)
    targets = rng.uniform(-40, 40, (600, 3))
    targets = targets[np.linalg.norm(targets, axis=1) < 40]
    return targets, grow(np.array([-40.0, 0, 0]), targets, rng, tip_radius=0.3, exponent=3.0)


def test_tree_reaches_every_target(tree):
    targets, grown = tree
    is_tip = ~np.isin(np.arange(len(grown.parent)), grown.parent)
    assert is_tip.sum() == len(targets)
    gaps = np.linalg.norm(targets[:, None] - grown.stop[is_tip][None], axis=2).min(axis=1)
    assert np.median(gaps) < 4.0 and gaps.max() < 15.0


def test_tree_is_connected_and_tapers(tree):
    _, grown = tree
    inner = grown.parent >= 0
    assert (~inner).sum() == 1 and np.all(grown.parent < np.arange(len(grown.parent)))
    np.testing.assert_allclose(grown.start[inner], grown.stop[grown.parent[inner]])
    assert np.all(grown.radius[inner] <= grown.radius[grown.parent[inner]] + 1e-12)
    cubes = np.bincount(grown.parent[inner], grown.radius[inner] ** 3, len(grown.parent))
    branching = cubes > 0
    np.testing.assert_allclose(cubes[branching], grown.radius[branching] ** 3)  # Murray's law


def test_tree_has_many_generations(tree):
    _, grown = tree
    generation = np.zeros(len(grown.parent), dtype=int)
    for branch, parent in enumerate(grown.parent):
        generation[branch] = generation[parent] + 1 if parent >= 0 else 0
    assert generation.max() >= 9
