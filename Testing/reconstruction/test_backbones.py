"""Fitted representations: their parts against other libraries, and what a fit and a guide do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import gaussian_filter

from CTSuperResolutionLib.gaussians.losses import view_loss
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.gaussian_backbone import GaussianBackbone
from CTSuperResolutionLib.reconstruction.hash_encoding import HashEncoding
from CTSuperResolutionLib.reconstruction.naf import NafBackbone
from CTSuperResolutionLib.reconstruction.rays import ray_segments
from CTSuperResolutionLib.reconstruction.settings import Settings
from CTSuperResolutionLib.reconstruction.ssim_3d import ssim_3d


def test_a_grid_that_its_table_holds_is_interpolated_as_scipy_does():
    torch.manual_seed(0)
    encoding = HashEncoding(levels=1, finest=8, rows=2**12).double()
    torch.nn.init.normal_(encoding.table)
    places = torch.rand((50, 3), dtype=torch.float64)
    side = np.linspace(0, 1, 9)
    table = encoding.table.detach().numpy().reshape(9, 9, 9, 2)  # (z, y, x)
    expected = RegularGridInterpolator((side, side, side), table)(places.numpy()[:, ::-1])
    assert np.allclose(encoding(places).detach().numpy(), expected)


def test_a_grid_larger_than_its_table_is_continuous_and_shares_rows():
    torch.manual_seed(0)
    encoding = HashEncoding(levels=3, finest=64, rows=2**10)
    torch.nn.init.normal_(encoding.table)
    face = torch.tensor([[0.5, 0.3, 0.7]])
    beside = face + torch.tensor([[1e-6, 0.0, 0.0]])
    assert torch.allclose(encoding(face - (beside - face)), encoding(beside), atol=2e-3)
    assert encoding.table.shape == (9**3 + 2 * 2**10, 2)
    assert torch.isfinite(encoding(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))).all()


@pytest.mark.parametrize("beam", ["cone", "parallel"])
def test_means_along_ray_segments_are_the_projector_s_line_integrals(beam, scans):
    """A smooth volume, sampled on the rays by scipy, against the ray-caster."""
    scan = scans[beam]
    grid, rays = scan.place.grid, scan.geometry
    noise = np.random.default_rng(0).normal(size=grid.shape)
    noise[:4], noise[-4:], noise[:, :6], noise[:, -6:], noise[..., :6], noise[..., -6:] = (0,) * 6
    smooth = gaussian_filter(noise, 2.5, mode="constant")
    # Zero near the faces, where scipy's function ends at once and the projector's within a voxel.
    smooth[:2], smooth[-2:], smooth[:, :2], smooth[:, -2:], smooth[..., :2], smooth[..., -2:] = (0,) * 6
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in grid.axes]
    at = RegularGridInterpolator(axes, smooth, bounds_error=False, fill_value=0.0)
    expected = Projector(grid, rays).forward(torch.from_numpy(smooth))
    generator = torch.Generator().manual_seed(1)
    pixels = [torch.randint(n, (300,), generator=generator) for n in expected.shape]
    entry, along, length = ray_segments(rays, grid, *pixels)
    way = (torch.arange(400) + 0.5) / 400 * length[:, None]
    places = entry[:, None] + way[..., None] * along[:, None]
    found = at(places.numpy()[..., ::-1]).mean(1) * length.numpy()
    wanted = expected[tuple(pixels)].numpy()
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    box = torch.tensor([n * s / 2 for n, s in reversed(grid.axes)])
    assert bool((places[length > 0].abs() <= box + 1e-2).all())


def test_the_similarity_of_three_planes_is_the_mean_of_that_of_slices():
    """Slice by slice by the loss of the views, which is proven against skimage."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand((2, 9, 14, 17), generator=generator, dtype=torch.float64)
    means = []
    for axis in range(3):
        slices = [(a, b) for a, b in zip(x.movedim(axis, 0), y.movedim(axis, 0), strict=True)]
        losses = [view_loss(a, b, 1.0, absolute=0.0, dissimilarity=1.0)[0] for a, b in slices]
        means.append(1 - float(sum(losses)) / len(losses))
    assert float(ssim_3d(x, y, 1.0)) == pytest.approx(np.mean(means), abs=1e-9)
    assert float(ssim_3d(x, x, 1.0)) == pytest.approx(1)


def _backbone(kind, scan, steps):
    settings = Settings.of({"gaussians": 1500, "rays": 128, "hash_bits": 11, "naf_rate": 2e-2})
    make = {"gaussians": GaussianBackbone, "naf": NafBackbone}[kind]
    return make(scan.water_mm(), scan.projector, settings, iterations=steps, seed=0)


@pytest.mark.parametrize("kind", ["gaussians", "naf"])
def test_a_backbone_comes_near_the_views_stays_positive_and_repeats(kind, scans):
    scan, steps = scans["parallel"], 60
    water = scan.water_mm()

    def missing(volume) -> float:
        return float((scan.projector.forward(volume) - water).norm() / water.norm())

    ends = []
    for _ in range(2):
        backbone = _backbone(kind, scan, steps)
        start = missing(backbone.volume())
        for _ in range(steps):
            backbone.step()
        ends.append(backbone.volume())
    assert torch.equal(*ends)
    assert float(ends[0].min()) >= 0
    assert missing(ends[0]) < 0.6 * start


@pytest.mark.parametrize("kind", ["gaussians", "naf"])
def test_a_guide_pulls_a_slab_to_its_reference(kind, scans):
    """Slices 4 to 12 are asked to be empty, against the views: those few become so, and only with the guide."""
    scan = scans["parallel"]
    means = []
    for guided in (False, True):
        backbone = _backbone(kind, scan, 30)
        for _ in range(30):
            guides = []
            if guided:
                slab = backbone.slab(4, 12)
                guides = [(slab, 100 * slab.detach() / slab.numel())]
            backbone.step(guides)
        volume = backbone.volume()
        with torch.no_grad():
            assert torch.allclose(backbone.slab(4, 12), volume[4:12], atol=1e-5)
        means.append(float(volume[4:12].mean()))
    assert means[1] < 0.5 * means[0]
