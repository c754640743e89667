"""The loss terms against scikit-image and numpy, and a whole fit against a field that is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from CTSuperResolutionLib.gaussians.activations import ACTIVATIONS
from CTSuperResolutionLib.gaussians.backends import reference
from CTSuperResolutionLib.gaussians.backends.reference import rasterize, voxelize
from CTSuperResolutionLib.gaussians.field import edge_strength, energy, initial_field
from CTSuperResolutionLib.gaussians.fit import FitSettings, fit
from CTSuperResolutionLib.gaussians.losses import total_variation, view_loss
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.gaussians.voxelization import SLAB, voxelize_residual
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.geometry import parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector

SHAPE, SPACING = (20, 24, 24), (2.0, 1.5, 1.5)


@pytest.mark.parametrize("shape", [(40, 52), (4, 30)])
def test_the_similarity_is_wangs(shape):
    """Against SciPy's Gaussian filter, whose window is as wide, divided by what of it lies inside the image."""
    rng = np.random.default_rng(0)
    x = rng.random(shape)
    y = x + 0.1 * rng.standard_normal(shape)

    def local_mean(image: np.ndarray) -> np.ndarray:
        blurred, inside = (gaussian_filter(i, 1.5, radius=5, mode="constant") for i in (image, np.ones(shape)))
        return blurred / inside

    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 1.3) ** 2, (0.03 * 1.3) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (sum(variances) + c2)
    loss, _ = view_loss(torch.from_numpy(x), torch.from_numpy(y), 1.3, absolute=2.0, dissimilarity=0.7)
    assert loss.item() == pytest.approx(2 * np.abs(x - y).mean() + 0.7 * (1 - similarity.mean()), abs=1e-12)


def test_inside_the_image_it_is_scikit_images():
    """Constant borders: there both windows see the same."""
    rng = np.random.default_rng(0)
    x = np.full((60, 70), 0.4)
    x[15:-15, 15:-15] += rng.random((30, 40))
    y = np.full((60, 70), 0.4)
    y[15:-15, 15:-15] += rng.random((30, 40))
    options = {"data_range": 1.3, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, similarity = structural_similarity(x, y, full=True, **options)
    loss, _ = view_loss(torch.from_numpy(x), torch.from_numpy(y), 1.3, absolute=0.0, dissimilarity=1.0)
    assert 1 - loss.item() == pytest.approx(similarity.mean(), abs=1e-9)


def slopes(loss, at: torch.Tensor, step: float = 1e-6) -> torch.Tensor:
    """Central differences of a loss in every element."""
    found = torch.zeros_like(at)
    for k in range(at.numel()):
        nudge = torch.zeros_like(at).view(-1)
        nudge[k] = step
        found.view(-1)[k] = (loss(at + nudge.view_as(at)) - loss(at - nudge.view_as(at))) / (2 * step)
    return found


def test_the_gradients_are_those_of_the_losses():
    rng = np.random.default_rng(1)
    x, y = torch.from_numpy(rng.random((13, 9))), torch.from_numpy(rng.random((13, 9)))
    weights = {"absolute": 2.0, "dissimilarity": 0.5}
    _, gradient = view_loss(x, y, 1.0, **weights)
    torch.testing.assert_close(gradient, slopes(lambda x: view_loss(x, y, 1.0, **weights)[0], x), atol=1e-8, rtol=1e-6)
    volume = torch.from_numpy(rng.random((4, 5, 6)))
    expected = slopes(lambda v: total_variation(v)[0], volume)
    torch.testing.assert_close(total_variation(volume)[1], expected, atol=1e-8, rtol=1e-6)


def test_total_variation():
    volume = np.random.default_rng(0).random((4, 5, 6))
    expected = sum(np.abs(np.diff(volume, axis=a)).mean() for a in range(3))
    assert total_variation(torch.from_numpy(volume))[0].item() == pytest.approx(expected)
    assert not total_variation(torch.ones(1, 1, 3))[1].any()


@pytest.fixture(scope="module")
def case():
    """Views of an upsampled volume, and of it plus a known residual of both signs."""
    torch.manual_seed(0)
    scene = Scene.around(SHAPE, SPACING)
    geometry = parallel_beam(views=12, volume_shape=SHAPE, spacing=SPACING)
    volume = torch.zeros(SHAPE)
    volume[5:15, 6:18, 6:18] = 0.5
    edges, generator = edge_strength(volume, scene.grid), torch.Generator().manual_seed(3)
    truth = initial_field(edges, torch.ones(SHAPE), scene.grid, count=150, gamma=1.0, generator=generator)
    means, scales, quats, _ = (g.detach() for g in truth.gaussians())
    densities = 0.1 * torch.randn(150)
    in_scene = scene.geometry(geometry)
    residual = torch.stack([rasterize(means, scales, quats, densities, in_scene, k) for k in range(12)]) / scene.per_mm
    base = torch.full_like(residual, 8.0)
    return scene, geometry, edges, base, base + residual, voxelize(means, scales, quats, densities, scene.grid)


def fitted(case, **changes):
    scene, geometry, edges, base, views, _ = case
    generator, start = torch.Generator().manual_seed(0), torch.full(SHAPE, 0.003)
    field = initial_field(edges, start, scene.grid, count=200, gamma=0.1, generator=generator)
    options = FitSettings(
        iterations=150,
        views_per_step=1,
        shape_rate=1,
        density_rate=1,
        limit=400,
        lambda_tv=0.01,
        lambda_ssim=0.5,
        densify_every=40,
        densify_gradient=5e-5,
        seed=0,
    )
    fit(field, views, base, geometry, scene, replace(options, **changes), kernels=reference)
    return field


@pytest.mark.slow
def test_a_known_residual_is_found(case):
    scene, truth = case[0], case[5]
    field = fitted(case)
    found = voxelize_residual(field, scene.grid, kernels=reference, progress=Progress())
    assert truth.min() < -0.05 and found.min() < -0.02  # negative densities are learnt too
    assert (found - truth).norm() < 0.6 * truth.norm()
    assert 200 <= len(field) <= 400


@pytest.mark.slow
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
    torch.testing.assert_close(voxelize_residual(field, scene.grid, kernels=reference, progress=Progress()), whole)


def test_cancelling_is_noticed_within_one_iteration(case):
    class Stop(Progress):
        count = 0

        def advance(self, steps: int = 1) -> None:
            self.count += 1
            if self.count == 3:
                raise KeyboardInterrupt

    scene, geometry, edges, base, views, _ = case
    field = initial_field(edges, edges, scene.grid, count=50, gamma=0.1, generator=torch.Generator().manual_seed(0))
    stop = Stop()
    options = FitSettings(100, 1, 1, 1, 50, 0.05, 0.5, 10, 5e-5, 0)
    with pytest.raises(KeyboardInterrupt):
        fit(field, views, base, geometry, scene, options, kernels=reference, progress=stop)
    assert stop.count == 3


@pytest.mark.slow
def test_starting_at_the_residual_is_starting_near(case):
    """Half the iterations from the least-squares residual end nearer than from edges."""
    scene, geometry, edges, base, views, truth = case
    missing = Projector(VolumeGrid(SHAPE, SPACING), geometry).reconstruct(views - base)
    errors = {}
    for name, strength, start in (("edges", edges, torch.zeros(SHAPE)), ("residual", energy(missing), missing)):
        generator = torch.Generator().manual_seed(0)
        field = initial_field(strength, start, scene.grid, count=200, gamma=0.1, generator=generator)
        iterations = 60 if name == "edges" else 30
        options = FitSettings(iterations, 2, 3, 1, 200, 0.01, 0.5, 1000, 5e-5, 0)
        fit(field, views, base, geometry, scene, options, kernels=reference)
        found = voxelize_residual(field, scene.grid, kernels=reference, progress=Progress())
        errors[name] = float((found - truth).norm())
    assert errors["residual"] < 0.95 * errors["edges"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_only_signed_activations_can_take_away(case, name):
    """The views of a residual that only takes away: the positive activations can do no better than nothing."""
    scene, geometry, _, base, views, _ = case
    projector = Projector(VolumeGrid(SHAPE, SPACING), geometry)
    missing = projector.reconstruct(base - views).clamp(min=0).neg()
    views = base + projector.forward(missing)
    generator, activation = torch.Generator().manual_seed(0), ACTIVATIONS[name]
    field = initial_field(
        energy(missing), missing, scene.grid, count=200, gamma=0.1, generator=generator, activation=activation
    )
    options = FitSettings(30, 2, 3, 1, 200, 0.0, 0.5, 1000, 5e-5, 0)
    fit(field, views, base, geometry, scene, options, kernels=reference)
    found = voxelize_residual(field, scene.grid, kernels=reference, progress=Progress())
    if activation.signed:
        assert (found - missing).norm() < 0.8 * missing.norm()
    else:
        assert found.min() >= 0 and (found - missing).norm() > 0.999 * missing.norm()
