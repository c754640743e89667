"""Projection is linear, its gradient is back-projection, and it can be watched and stopped."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection import cone
from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector


@st.composite
def scans(draw):
    shape = draw(st.tuples(*[st.integers(1, 12)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 4.0)] * 3))
    angles = tuple(draw(st.lists(st.floats(-7, 7), min_size=1, max_size=4)))
    detector = draw(st.tuples(*[st.integers(1, 20)] * 2)), draw(st.tuples(*[st.floats(0.2, 5.0)] * 2))
    source = draw(st.none() | st.floats(60, 1000))
    return shape, spacing, ScanGeometry(angles, *detector, source, source and source * draw(st.floats(0.5, 3)))


@given(scan=scans(), seed=st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_gradient_is_the_transpose(scan, seed):
    shape, spacing, geometry = scan
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, dtype=torch.float64, generator=random, requires_grad=True)
    y = torch.randn((geometry.views, *geometry.detector_shape), dtype=torch.float64, generator=random)
    projector = Projector(VolumeGrid(shape, spacing), geometry)
    projected = projector.forward(x)
    (gradient,) = torch.autograd.grad(projected, x, y)
    there, back = float((projected * y).sum().detach()), float((x * gradient).sum().detach())
    assert math.isclose(there, back, rel_tol=1e-9, abs_tol=1e-9 * float(projected.detach().abs().max() + 1e-6))
    torch.testing.assert_close(gradient, projector.adjoint(y))


def test_gradient_is_the_transpose_right_before_the_source():
    shape, spacing = (3, 20, 22), (1.0, 1.0, 1.0)
    geometry = cone_beam(views=7, volume_shape=shape, spacing=spacing, source_distance=18.0, detector_distance=30.0)
    x = torch.rand(shape, dtype=torch.float64)
    y = torch.rand((geometry.views, *geometry.detector_shape), dtype=torch.float64)
    projector = Projector(VolumeGrid(shape, spacing), geometry)
    there, back = (projector.forward(x) * y).sum(), (x * projector.adjoint(y)).sum()
    torch.testing.assert_close(there, back, rtol=1e-12, atol=0)


@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
def test_gradcheck(factory):
    shape, spacing = (2, 4, 3), (2.0, 1.0, 1.3)
    geometry = factory(views=2, volume_shape=shape, spacing=spacing)
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    projector = Projector(VolumeGrid(shape, spacing), geometry)
    assert torch.autograd.gradcheck(projector.forward, x)
    assert torch.autograd.gradgradcheck(projector.forward, x)


def test_blocks_of_columns_change_nothing(monkeypatch):
    shape, spacing = (5, 9, 12), (2.0, 1.0, 0.8)
    geometry = cone_beam(views=4, volume_shape=shape, spacing=spacing, source_distance=80, detector_distance=100)
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)

    def run():
        image = Projector(VolumeGrid(x.shape, spacing), geometry).forward(x)
        return image.detach(), torch.autograd.grad((image**2).sum(), x)[0]

    whole = run()
    monkeypatch.setattr(cone, "_SAMPLES", 700)
    torch.testing.assert_close(run(), whole, rtol=1e-12, atol=1e-12)


class Watch(Progress):
    def __init__(self, stop_at=None):
        self.steps, self.stop_at = 0, stop_at

    def advance(self, steps=1):
        self.steps += steps
        if self.steps == self.stop_at:
            raise Cancelled("stopped")


@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
def test_progress_counts_views_and_can_stop(factory):
    shape, spacing = (2, 4, 4), (1.0, 1.0, 1.0)
    geometry = factory(views=7, volume_shape=shape, spacing=spacing)
    watch = Watch()
    projector = Projector(VolumeGrid(shape, spacing), geometry)
    image = projector.forward(torch.ones(shape), progress=watch)
    assert watch.steps == 7
    projector.adjoint(image, progress=watch)
    assert watch.steps == 14
    with pytest.raises(Cancelled):
        projector.forward(torch.ones(shape), progress=Watch(stop_at=3))


def test_what_does_not_fit_is_refused():
    geometry = cone_beam(views=2, volume_shape=(4, 6, 6), spacing=(1.0, 1.0, 1.0))
    volume = torch.zeros(4, 6, 6)
    for bad, spacing, says in [
        (volume[0], (1.0, 1.0, 1.0), "shape"),
        (volume, (1.0, 1.0), "3 positive lengths"),
        (volume, (1.0, 0.0, 1.0), "3 positive lengths"),
        (volume.int(), (1.0, 1.0, 1.0), "float32 or float64"),
        (volume, (1.0, 400.0, 400.0), "too near the X-ray source"),
    ]:
        with pytest.raises(JobError, match=says):
            Projector(VolumeGrid(bad.shape, spacing), geometry).forward(bad)
    with pytest.raises(JobError, match="projections have shape"):
        Projector(VolumeGrid((4, 6, 6), (1.0, 1.0, 1.0)), geometry).adjoint(torch.zeros(2, 3, 3))
