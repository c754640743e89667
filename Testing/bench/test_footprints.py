"""Samples are counted as the reference implementation evaluates them."""

from __future__ import annotations

import pytest
import torch

from CTSuperResolutionLib.bench import footprints
from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.footprints import Footprints
from CTSuperResolutionLib.bench.scenes import VIEW, make_field, make_footprints, make_geometry, make_grid
from CTSuperResolutionLib.gaussians.backends import reference


def wild_field(seed):
    """One Gaussian of any shape, perhaps beside the array."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    means = 2.6 * torch.rand(1, 3, generator=generator, dtype=torch.float64) - 1.3
    return [means, -2.5 + normal(1, 3), normal(1, 4), torch.ones(1, dtype=torch.float64)]


@pytest.mark.parametrize("beam", ["parallel", "cone", None])
def test_samples_inside_are_those_that_the_reference_evaluates(beam):
    case = BenchmarkCase("rasterize" if beam else "voxelize", beam, 1, 24)
    total = 0
    for seed in range(40):
        field = wild_field(seed)
        if beam is None:
            found = Footprints.on_grid(field, make_grid(case))
            rendered = reference.voxelize(*field, make_grid(case))
        else:
            found = Footprints.on_detector(field, make_geometry(case), VIEW)
            rendered = reference.rasterize(*field, make_geometry(case), VIEW)
        assert found.samples() == int((rendered > 0).sum()), seed
        total += found.samples()
    assert total > 1000


def test_many_gaussians_are_the_sum_of_each(monkeypatch):
    """In parts, too: a field's lines are not all looked at together."""
    case = BenchmarkCase("voxelize", None, 50, 20)
    field = [tensor.detach() for tensor in make_field(case, "cpu")]
    grid = make_grid(case)
    each = sum(Footprints.on_grid([tensor[k : k + 1] for tensor in field], grid).samples() for k in range(50))
    assert make_footprints(case).samples() == each
    monkeypatch.setattr(footprints, "LINES_AT_ONCE", 300)
    assert make_footprints(case).samples() == each


def test_gaussians_beside_the_array_or_behind_the_source_count_nothing():
    case = BenchmarkCase("rasterize", "cone", 3, 24)
    field = [tensor.detach().clone() for tensor in make_field(case, "cpu")]
    field[0] = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1e3], [0.0, -1e3, 0.0]])
    geometry = make_geometry(case, views=1)  # at angle 0 the source lies at y = −6
    found = Footprints.on_detector(field, geometry, 0)
    assert found.touching == 1 and found.samples() > 0


def test_an_empty_field_touches_nothing():
    case = BenchmarkCase("voxelize", None, 5, 16)
    field = [tensor.detach()[:0] for tensor in make_field(case, "cpu")]
    found = Footprints.on_grid(field, make_grid(case))
    assert (found.touching, found.samples(), found.window_samples()) == (0, 0, 0)
