"""A volume from its projections, on both beams."""

import pytest
import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.geometry import cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector

SHAPE, SPACING = (12, 30, 30), (1.0, 1.0, 1.0)


@pytest.fixture(params=[parallel_beam, cone_beam], ids=["parallel", "cone"])
def case(request):
    geometry = request.param(views=40, volume_shape=SHAPE, spacing=SPACING)
    volume = torch.zeros(SHAPE)
    volume[3:9, 8:20, 10:24] = 1.0
    volume[5:7, 12:16, 14:18] = -0.5
    projector = Projector(VolumeGrid(SHAPE, SPACING), geometry)
    return volume, projector, projector.forward(volume)


def test_one_step_comes_near_and_more_come_nearer(case):
    volume, projector, views = case
    errors = [float((projector.reconstruct(views, steps=steps) - volume).norm() / volume.norm()) for steps in (1, 3)]
    assert errors[0] < 0.35 and errors[1] < 0.75 * errors[0]


def test_nothing_gives_nothing(case):
    _, projector, views = case
    assert not projector.reconstruct(torch.zeros_like(views)).any()


def test_progress_moves_twice_a_view_and_step(case):
    class Count(Progress):
        count = 0

        def advance(self, steps: int = 1) -> None:
            self.count += steps

    _, projector, views = case
    counted = Count()
    projector.reconstruct(views, steps=2, progress=counted)
    assert counted.count == 2 * 2 * projector.geometry.views
