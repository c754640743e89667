"""The loss terms against scikit-image and numpy, and a whole fit against a field that is known."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from CTSuperResolutionLib.gaussians.backends.reference import rasterize, voxelize
from CTSuperResolutionLib.gaussians.field import initial_field
from CTSuperResolutionLib.gaussians.fit import FitSettings, fit
from CTSuperResolutionLib.gaussians.losses import ssim, total_variation
from CTSuperResolutionLib.gaussians.residual import SLAB, voxelize_residual
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.geometry import parallel_beam
from CTSuperResolutionLib.job.events import Progress

SHAPE, SPACING = (20, 24, 24), (2.0, 1.5, 1.5)


def test_ssim_is_wangs():
    rng = np.random.default_rng(0)
    first = rng.random((40, 52))
    second = first + 0.1 * rng.standard_normal(first.shape)
    expected = structural_similarity(
        first, second, data_range=1.3, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = ssim(torch.from_numpy(first), torch.from_numpy(second), 1.3)
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_total_variation():
    volume = np.random.default_rng(0).random((4, 5, 6))
    expected = sum(np.abs(np.diff(volume, axis=a)).mean() for a in range(3))
    assert total_variation(torch.from_numpy(volume)).item() == pytest.approx(expected)


@pytest.fixture(scope="module")
def case():
    """Views of an upsampled volume, and of it plus a known residual of both signs."""
    torch.manual_seed(0)
    scene = Scene.around(SHAPE, SPACING)
    geometry = parallel_beam(views=12, volume_shape=SHAPE, spacing=SPACING)
    volume = torch.zeros(SHAPE)
    volume[5:15, 6:18, 6:18] = 0.5
    truth = initial_field(
        volume, torch.ones(SHAPE), scene.grid, count=150, gamma=1.0, generator=torch.Generator().manual_seed(3)
    )
    means, scales, quats, _ = (g.detach() for g in truth.gaussians())
    densities = 0.1 * torch.randn(150)
    in_scene = scene.geometry(geometry)
    residual = torch.stack([rasterize(means, scales, quats, densities, in_scene, k) for k in range(12)]) / scene.per_mm
    base = torch.full_like(residual, 8.0)
    return scene, geometry, volume, base, base + residual, voxelize(means, scales, quats, densities, scene.grid)


def fitted(case, **changes):
    scene, geometry, volume, base, views, _ = case
    field = initial_field(
        volume, torch.full(SHAPE, 0.02), scene.grid, count=200, gamma=0.1, generator=torch.Generator().manual_seed(0)
    )
    options = {"iterations": 150, "limit": 400, "lambda_tv": 0.01, "lambda_ssim": 0.5, "densify_every": 40,
               "densify_gradient": 5e-5, "seed": 0}  # fmt: skip
    fit(field, views, base, geometry, scene, FitSettings(**{**options, **changes}))
    return field


@pytest.mark.slow
def test_a_known_residual_is_found(case):
    scene, truth = case[0], case[5]
    field = fitted(case)
    found = voxelize_residual(field, scene.grid, progress=Progress())
    assert truth.min() < -0.05 and found.min() < -0.02  # negative densities are learnt too
    assert (found - truth).norm() < 0.6 * truth.norm()
    assert 200 <= len(field) <= 400


def test_one_seed_gives_one_field(case):
    first, again, other = (fitted(case, iterations=45, seed=seed) for seed in (0, 0, 1))
    for name in first.parameters:
        assert torch.equal(first.parameters[name], again.parameters[name])
    assert len(other) != len(first) or not torch.equal(other.parameters["means"], first.parameters["means"])


def test_slabs_equal_the_whole(case):
    scene = case[0]
    assert scene.grid.shape[0] > SLAB
    field = fitted(case, iterations=1)
    whole = voxelize(*field.gaussians(), scene.grid).detach()
    torch.testing.assert_close(voxelize_residual(field, scene.grid, progress=Progress()), whole)


def test_cancelling_is_noticed_within_one_iteration(case):
    class Stop(Progress):
        count = 0

        def advance(self, steps: int = 1) -> None:
            self.count += 1
            if self.count == 3:
                raise KeyboardInterrupt

    scene, geometry, volume, base, views, _ = case
    field = initial_field(volume, volume, scene.grid, count=50, gamma=0.1, generator=torch.Generator().manual_seed(0))
    stop = Stop()
    options = FitSettings(100, 50, 0.05, 0.5, 10, 5e-5, 0)
    with pytest.raises(KeyboardInterrupt):
        fit(field, views, base, geometry, scene, options, progress=stop)
    assert stop.count == 3
