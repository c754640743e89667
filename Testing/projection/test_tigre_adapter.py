"""The TIGRE adapter against a stand-in: TIGRE itself runs on CUDA alone, which no test machine can be counted on for.

The stand-in takes the arguments that CERN's does, makes its checks of them, and casts rays as its sources describe:
at angle a from (cos a, sin a)*DSO, detector columns along (-sin a, cos a), rows along z. So what is tested is that
the adapter speaks TIGRE's conventions, as read from its sources, not that TIGRE computes what it says.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection import raycast, tigre_adapter
from CTSuperResolutionLib.projection.cone import ConeRays
from CTSuperResolutionLib.projection.geometry import cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.parallel import ParallelRays
from CTSuperResolutionLib.projection.projector import Projector


def stand_in() -> ModuleType:
    module = ModuleType("tigre")
    module.calls = []

    def geometry(mode="cone", nVoxel=None):
        assert mode in ("cone", "parallel")
        assert (nVoxel is not None) == (mode == "parallel")
        return SimpleNamespace(mode=mode)

    def ax(img, geo, angles, projection_type="Siddon"):
        assert img.dtype == np.float32
        assert img.flags.c_contiguous
        assert not any(img.shape != geo.nVoxel)
        for name, count in (("Voxel", 3), ("Detector", 2)):
            n, d, s = (getattr(geo, letter + name) for letter in "nds")
            assert n.shape == d.shape == s.shape == (count,)
            assert n.dtype.kind == "i"
            assert np.abs(n * d - s).sum() < 1e-6
        assert type(geo.DSO) is float
        assert type(geo.DSD) is float
        assert geo.DSD > geo.DSO > np.hypot(*geo.sVoxel[1:]) / 2  # sources and detector outside the turning volume
        assert geo.accuracy <= 0.5
        assert projection_type == "interpolated"
        module.calls.append(len(angles))
        return np.stack([view(img, geo, a) for a in np.asarray(angles, dtype=np.float32)])

    module.geometry, module.Ax = geometry, ax
    return module


def view(img, geo, angle):
    """One projection with TIGRE's axes, sampled far more finely than TIGRE does."""
    to_source, along_u = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
    v, u = ((np.arange(n) - n / 2 + 0.5) * d for n, d in zip(geo.nDetector, geo.dDetector, strict=True))
    offset = u[None, :, None] * along_u + v[:, None, None] * np.array([0, 0, 1])
    pixels = offset - (geo.DSD - geo.DSO) * to_source
    sources = geo.DSO * to_source + (offset if geo.mode == "parallel" else 0 * offset)
    length = np.linalg.norm(pixels - sources, axis=-1)
    steps = 1500
    total = np.zeros(length.shape)
    padded = np.pad(img, 1)
    for k in range(steps):
        points = sources + (pixels - sources) * ((k + 0.5) / steps)
        index = points[..., ::-1] / geo.dVoxel + (np.array(padded.shape) - 1) / 2
        total += map_coordinates(padded, np.moveaxis(index, -1, 0), order=1)
    return (total * length / steps).astype(np.float32)


@pytest.fixture
def tigre(monkeypatch):
    module = stand_in()
    monkeypatch.setitem(sys.modules, "tigre", module)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return module


@pytest.mark.parametrize(
    "geometry",
    [
        parallel_beam(views=5, volume_shape=(6, 9, 12), spacing=(2.0, 1.5, 1.5)),
        cone_beam(
            views=5, volume_shape=(6, 9, 12), spacing=(2.0, 1.5, 1.5), source_distance=50.0, detector_distance=75.0
        ),
    ],
    ids=["parallel", "cone"],
)
def test_same_conventions_as_the_ray_caster(tigre, geometry):
    volume = torch.rand((6, 9, 12), generator=torch.Generator().manual_seed(2))
    grid = VolumeGrid((6, 9, 12), (2.0, 1.5, 1.5))
    rays = (ConeRays if geometry.is_cone else ParallelRays)(grid, geometry)
    expected = raycast.project(volume, rays, Progress())
    found = tigre_adapter.project(volume, grid, geometry)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 0.01 * expected.max()
    for wrong in (found.flip(0), found.flip(1), found.flip(2), found.roll(1, 2), found.roll(1, 1)):
        assert (wrong - expected).abs().max() > 0.1 * expected.max()


def test_many_views_go_in_batches_that_can_be_cancelled(tigre):
    class Count(Progress):
        steps = 0

        def advance(self, steps=1):
            self.steps += steps

    geometry, count = parallel_beam(views=37, volume_shape=(1, 2, 2), spacing=(1.0, 1.0, 1.0)), Count()
    volume, grid = torch.rand(1, 2, 2), VolumeGrid((1, 2, 2), (1.0, 1.0, 1.0))
    found = tigre_adapter.project(volume, grid, geometry, progress=count)
    assert count.steps == sum(tigre.calls) == 37
    assert len(tigre.calls) > 1
    expected = raycast.project(volume, ParallelRays(grid, geometry), Progress())
    assert (found - expected).abs().max() < 0.02 * expected.max()


def test_available_with_tigre_and_cuda(tigre, monkeypatch):
    assert tigre_adapter.available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not tigre_adapter.available()


def test_package_of_the_same_name_is_not_mistaken_for_it(tigre, monkeypatch):
    impostor = ModuleType("tigre")  # what PyPI has under the name: neither Ax nor geometry
    impostor.__version__ = "2.0.4"
    monkeypatch.setitem(sys.modules, "tigre", impostor)
    assert not tigre_adapter.available()
    with pytest.raises(JobError, match="not installed"):
        tigre_adapter.project(
            torch.zeros(1, 2, 2),
            VolumeGrid((1, 2, 2), (1.0, 1.0, 1.0)),
            parallel_beam(views=1, volume_shape=(1, 2, 2), spacing=(1.0, 1.0, 1.0)),
        )


def test_a_broken_installation_counts_as_none(tigre, monkeypatch):
    monkeypatch.setitem(sys.modules, "tigre", None)  # import raises ImportError
    assert not tigre_adapter.available()


CUBE = (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "spacing", "beam", "chosen"),
    [
        ({}, CUBE, parallel_beam, "tigre"),
        ({}, CUBE, cone_beam, "tigre"),
        ({}, (3.0, 1.0, 1.0), parallel_beam, "tigre"),
        ({}, (1.0, 1.0, 2.0), cone_beam, "tigre"),
        ({}, (1.0, 1.0, 2.0), parallel_beam, "raycast"),  # TIGRE's parallel rays end early
        ({"is_cuda": False}, CUBE, parallel_beam, "raycast"),
        ({"requires_grad": True}, CUBE, parallel_beam, "raycast"),
        ({"dtype": torch.float64}, CUBE, parallel_beam, "raycast"),
    ],
)
def test_who_projects(tigre, monkeypatch, change, spacing, beam, chosen):
    for name, module in (("tigre", tigre_adapter), ("raycast", raycast)):
        monkeypatch.setattr(module, "project", lambda *_, name=name, **__: name)
    tensor = {"shape": (4, 6, 6), "dtype": torch.float32, "is_cuda": True, "requires_grad": False}
    geometry = beam(views=2, volume_shape=(4, 6, 6), spacing=spacing)
    projector = Projector(VolumeGrid((4, 6, 6), spacing), geometry)
    assert projector.forward(SimpleNamespace(**(tensor | change))) == chosen


def test_without_tigre_the_ray_caster_projects_on_cuda(tigre, monkeypatch):
    monkeypatch.setitem(sys.modules, "tigre", None)
    monkeypatch.setattr(raycast, "project", lambda *_, **__: "raycast")
    volume = SimpleNamespace(shape=(4, 6, 6), dtype=torch.float32, is_cuda=True, requires_grad=False)
    geometry = parallel_beam(views=2, volume_shape=(4, 6, 6), spacing=CUBE)
    assert Projector(VolumeGrid((4, 6, 6), CUBE), geometry).forward(volume) == "raycast"
