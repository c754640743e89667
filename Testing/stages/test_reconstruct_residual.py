"""The residual behind views, given the true views of a volume that is known."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.projection.geometry import parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume
from CTSuperResolutionLib.stages.reconstruct_residual import reconstruct_residual, residual_steps
from CTSuperResolutionLib.stages.restore_views import Restored
from CTSuperResolutionLib.volume.intensity import to_unit

SHAPE, SPACING = (16, 40, 40), (2.0, 2.0, 2.0)
SETTINGS = {"views": 40, "iterations": 60, "gaussians": 3000, "max_gaussians": 4000}


def project(volume, geometry):
    return Projector(VolumeGrid(SHAPE, SPACING), geometry).forward(volume)


class Count(Progress):
    """Steps that were announced as done."""

    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


def reconstructed(views, base_views, consistent, base, geometry, /, **settings):
    """The residual volume; and that progress is told of exactly what was promised."""
    p, count = Parameters.of("preview", {**SETTINGS, **settings}), Count()
    restored = Restored(views, ProjectedVolume(consistent, base_views))
    projector, base = Projector(VolumeGrid(SHAPE, SPACING), geometry), ProjectedVolume(base, base_views)
    found = reconstruct_residual(restored, base, projector, p, seed=0, progress=count)
    assert count.done == residual_steps(p)
    volume = found.voxels(count)
    assert count.done == residual_steps(p) + SHAPE[0] and volume.shape == SHAPE
    return volume, found.report


@pytest.fixture(scope="module")
def blob():
    """A Gaussian of σ 6 mm off the axis, ½ at its peak, and its line integrals in closed form."""
    geometry = parallel_beam(views=40, volume_shape=SHAPE, spacing=SPACING)
    sigma, (x0, y0) = 6.0, (8.0, -5.0)

    def centres(n: int, step: float) -> torch.Tensor:
        return (torch.arange(n) - (n - 1) / 2) * step

    z, y, x = (centres(n, s) for n, s in zip(SHAPE, SPACING, strict=True))
    along = torch.exp(-0.5 * (z / sigma) ** 2)
    across = (x - x0) ** 2 + (y[:, None] - y0) ** 2
    volume = 0.5 * along[:, None, None] * torch.exp(-0.5 * across / sigma**2)
    u = centres(geometry.detector_shape[1], geometry.detector_spacing[1])
    peak = 0.5 * sigma * math.sqrt(2 * math.pi)
    places = [x0 * math.cos(t) + y0 * math.sin(t) for t in geometry.angles]
    views = torch.stack([peak * along[:, None] * torch.exp(-0.5 * ((u - at) / sigma) ** 2) for at in places])
    return geometry, volume, views


@pytest.mark.parametrize(("steps", "error"), [(1, 0.04), (3, 0.02)])
def test_voxels_give_a_blob_back_from_its_closed_form_integrals(blob, steps, error):
    geometry, volume, views = blob
    nothing = torch.zeros(SHAPE)
    found, report = reconstructed(
        views, torch.zeros_like(views), nothing, nothing, geometry, residual="grid", grid_steps=steps
    )
    assert (found - volume).norm() < error * volume.norm()
    assert report == {}


def test_more_steps_agree_better_with_the_views(blob):
    geometry, _, views = blob
    nothing, left = torch.zeros(SHAPE), []
    for steps in (1, 3):
        found, _ = reconstructed(
            views, torch.zeros_like(views), nothing, nothing, geometry, residual="grid", grid_steps=steps
        )
        left.append((views - project(found, geometry)).norm())
    assert left[1] < 0.7 * left[0] < 0.1 * views.norm()


def test_a_residual_is_what_the_base_lacks(blob):
    geometry, volume, views = blob
    base = torch.full(SHAPE, 0.2)
    base_views = project(base, geometry)
    found, _ = reconstructed(base_views + views, base_views, base, base, geometry, residual="grid")
    assert (found - volume).norm() < 0.02 * volume.norm()


@pytest.fixture(scope="module")
def chest():
    """A chest no sharper than a few hundred Gaussians can be, and a blurred one to start from."""
    chest = gaussian_filter(thorax(shape=SHAPE, spacing=8.0).array, 1.2)
    volume = to_unit(torch.from_numpy(chest), (-1024, 3071))
    geometry = parallel_beam(views=40, volume_shape=SHAPE, spacing=SPACING)
    blurred = torch.from_numpy(gaussian_filter(volume.numpy(), 2.0))
    return geometry, volume, blurred, project(volume, geometry)


@pytest.mark.parametrize("start", ["residual", "edges"])
@pytest.mark.parametrize("activation", ["prelu", "softplus", "relu", "sine"])
def test_a_field_without_a_base_is_the_whole_volume(chest, activation, start):
    """R2-Gaussian's way, from true views and from either start."""
    geometry, volume, blurred, views = chest
    nothing = torch.zeros(()).expand(SHAPE)
    found, report = reconstructed(
        views, torch.zeros_like(views), blurred, nothing, geometry, base="none", activation=activation, start=start
    )
    assert (found.clamp(min=0) - volume).norm() < 0.6 * (blurred - volume).norm()
    assert 100 < report["gaussians"] <= 4000
    assert (report["gamma"] is None) == (activation != "prelu")
