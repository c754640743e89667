"""The field's own rules: signed densities, where it starts, and that refining keeps what it says."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from CTSuperResolutionLib.gaussians.backends.reference import voxelize
from CTSuperResolutionLib.gaussians.density import prelu, prelu_inverse
from CTSuperResolutionLib.gaussians.density_control import PRUNE_BELOW, DensityControl, clone, split
from CTSuperResolutionLib.gaussians.field import FAINT, GaussianField, edge_strength, energy, initial_field
from CTSuperResolutionLib.gaussians.scene import Scene

SMALL = 0.12  # scene units, among the sizes of the fields below


def small_field(count: int = 6, seed: int = 0) -> GaussianField:
    generator = torch.Generator().manual_seed(seed)
    values = {
        "means": torch.rand(count, 3, generator=generator) - 0.5,
        "scales": math.log(0.1) + 0.2 * torch.randn(count, 3, generator=generator),
        "quats": torch.randn(count, 4, generator=generator),
        "densities": torch.randn(count, generator=generator),
    }
    return GaussianField(
        {k: torch.nn.Parameter(v) for k, v in values.items()}, torch.nn.Parameter(torch.tensor(-2.0)), 1e-4
    )


def stepped_optimizers(field: GaussianField) -> dict[str, torch.optim.Optimizer]:
    """Optimizers that have a state to keep in step."""
    optimizers = {name: torch.optim.Adam([p], lr=0.0) for name, p in field.parameters.items()}
    for name, parameter in field.parameters.items():
        parameter.grad = torch.ones_like(parameter)
        optimizers[name].step()
    return optimizers


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 10))
def test_prelu_and_its_inverse(density, gamma):
    gamma = torch.tensor(gamma, dtype=torch.float64)
    raw = prelu_inverse(torch.tensor(density, dtype=torch.float64), gamma)
    assert prelu(raw, gamma).item() == pytest.approx(density, rel=1e-12, abs=1e-300)


def test_prelu_slopes():
    raw = torch.tensor([-2.0, 3.0], requires_grad=True)
    prelu(raw, torch.tensor(0.1)).sum().backward()
    torch.testing.assert_close(raw.grad, torch.tensor([0.1, 1.0]))


class TestStart:
    shape, spacing = (20, 24, 28), (1.5, 1.0, 1.0)

    def start(self, seed: int = 0, count: int = 500) -> GaussianField:
        volume = torch.zeros(self.shape)
        volume[5:15, 6:18, 7:21] = 1.0
        residual = torch.full(self.shape, -0.2)
        grid = Scene.around(self.shape, self.spacing).grid
        generator = torch.Generator().manual_seed(seed)
        return initial_field(edge_strength(volume, grid), residual, grid, count=count, gamma=0.1, generator=generator)

    def test_gaussians_sit_on_edges(self):
        grid = Scene.around(self.shape, self.spacing).grid
        index = (self.start().parameters["means"].detach().flip(1) - torch.tensor(grid.first)) / torch.tensor(
            grid.spacing
        )
        low, high = torch.tensor([5.0, 6.0, 7.0]), torch.tensor([15.0, 18.0, 21.0])
        outside = torch.maximum(low - 0.5 - index, index - high + 0.5)
        assert (outside.amax(1).abs() < 1.6).float().mean() > 0.95

    def test_together_their_densities_are_those_of_the_residual(self):
        """However many share a place: the field's values there are the residual's, not their multiple."""
        grid = Scene.around(self.shape, self.spacing).grid
        for count in (50, 5000):
            field = self.start(count=count)
            assert field.gamma.item() == pytest.approx(0.1, rel=1e-5)
            index = (field.parameters["means"].detach().flip(1) - torch.tensor(grid.first)) / torch.tensor(grid.spacing)
            z, y, x = index.round().long().unbind(1)
            values = voxelize(*field.gaussians(), grid).detach()[z, y, x]
            assert values.mean().item() == pytest.approx(-0.2, abs=0.08)

    def test_they_start_with_a_faint_spread(self):
        densities = self.start().gaussians()[3].detach()
        assert densities.max() < 0 and (densities - densities.mean()).std() > 0.5 * FAINT

    def test_by_energy_they_sit_where_the_residual_is(self):
        residual = torch.zeros(self.shape)
        residual[4, 5, 6], residual[15, 20, 22] = 2.0, -1.0
        grid, generator = Scene.around(self.shape, self.spacing).grid, torch.Generator().manual_seed(0)
        field = initial_field(energy(residual), residual, grid, count=1000, gamma=0.1, generator=generator)
        signs = field.gaussians()[3].detach().sign()
        assert (signs > 0).float().mean() == pytest.approx(0.8, abs=0.05)  # 2² to 1²

    def test_seeded(self):
        first, again, other = (self.start(seed).parameters["means"] for seed in (0, 0, 1))
        assert torch.equal(first, again) and not torch.equal(first, other)


def test_cloning_changes_nothing_of_the_field():
    field, grid = small_field(), Scene.around((16, 16, 16), (1, 1, 1)).grid
    before = voxelize(*field.gaussians(), grid).detach()
    clone(field, stepped_optimizers(field), torch.tensor([1, 0, 1, 0, 0, 1], dtype=torch.bool))
    assert len(field) == 9
    torch.testing.assert_close(voxelize(*field.gaussians(), grid).detach(), before)


def test_splitting_keeps_the_mass():
    field = small_field()

    def mass() -> torch.Tensor:
        _, scales, _, densities = field.gaussians()
        return (densities * scales.sum(-1).exp()).sum().detach()

    before, mask = mass(), torch.tensor([0, 1, 1, 0, 0, 0], dtype=torch.bool)
    sizes = field.parameters["scales"].detach()[mask]
    split(field, stepped_optimizers(field), mask)
    assert len(field) == 8
    torch.testing.assert_close(mass(), before)
    torch.testing.assert_close(field.parameters["scales"].detach()[-4:-2], sizes - math.log(1.6))


class TestControl:
    def refined(self, gradients: list[float], *, limit: int = 100, densities: dict[int, float] | None = None):
        field = small_field()
        for k, value in (densities or {}).items():
            field.parameters["densities"].data[k] = value
        optimizers = stepped_optimizers(field)
        control = DensityControl(gradient=0.5, small=SMALL, limit=limit)
        field.parameters["means"].grad = torch.tensor(gradients)[:, None] * torch.tensor([[0.6, 0.8, 0.0]])
        control.collect(field)
        large = field.parameters["scales"].exp().amax(-1) > SMALL
        control.refine(field, optimizers)
        return field, optimizers, large

    def test_only_strong_gradients_grow_the_field(self):
        field, _, _ = self.refined([1.0, 0.1, 0.6, 0.0, 0.4, 0.0])
        assert len(field) == 8

    def test_small_ones_are_cloned_and_large_ones_split(self):
        field, _, large = self.refined([1.0] * 6)
        assert len(field) == 12 and large.any() and not large.all()
        shrunk = math.log(SMALL) - field.parameters["scales"].detach().amax(-1)
        assert (shrunk > 0).sum() >= 2 * large.sum()  # split ones are 1.6 times smaller

    def test_the_limit_keeps_the_strongest(self):
        field, _, _ = self.refined([1.0, 2.0, 3.0, 0.9, 0.8, 0.7], limit=7)
        assert len(field) == 7

    def test_only_all_but_zero_densities_are_pruned(self):
        """A signed field keeps its negative Gaussians."""
        field, _, _ = self.refined([0.0] * 6, densities={0: -5.0, 1: 0.5 * PRUNE_BELOW, 2: -2 * PRUNE_BELOW})
        assert len(field) == 5
        assert -5.0 in field.parameters["densities"] and torch.tensor(-2 * PRUNE_BELOW) in field.parameters["densities"]

    def test_optimizer_states_follow(self):
        field, optimizers, _ = self.refined([1.0, 0.1, 0.6, 0.0, 0.4, 0.0], densities={3: 0.0})
        for name, parameter in field.parameters.items():
            (held,) = optimizers[name].param_groups[0]["params"]
            assert held is parameter and optimizers[name].state[parameter]["exp_avg"].shape == parameter.shape
