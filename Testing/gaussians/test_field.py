"""The field's own rules: signed densities, where it starts, and that refining keeps what it says."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from CTSuperResolutionLib.gaussians.activations import ACTIVATIONS, MOST_SINE
from CTSuperResolutionLib.gaussians.adam import Adam
from CTSuperResolutionLib.gaussians.backends.reference import voxelize
from CTSuperResolutionLib.gaussians.densification import PRUNE_BELOW, AdaptiveDensityControl, clone, split
from CTSuperResolutionLib.gaussians.field import FAINT, GaussianField, edge_strength, energy, initial_field, matter
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.job.parameters import PARAMETERS

SMALL = 0.12  # scene units, among the sizes of the fields below


def small_field(count: int = 6, seed: int = 0, activation: str = "prelu") -> GaussianField:
    generator = torch.Generator().manual_seed(seed)
    values = {
        "means": torch.rand(count, 3, generator=generator) - 0.5,
        "scales": math.log(0.1) + 0.2 * torch.randn(count, 3, generator=generator),
        "quats": torch.randn(count, 4, generator=generator),
        "densities": torch.randn(count, generator=generator),
    }
    return GaussianField(
        {k: torch.nn.Parameter(v) for k, v in values.items()},
        torch.nn.Parameter(torch.tensor(-2.0)),
        1e-4,
        ACTIVATIONS[activation],
    )


def stepped_optimizers(field: GaussianField) -> dict[str, Adam]:
    """Optimizers that have a state to keep in step."""
    optimizers = {name: Adam(parameter) for name, parameter in field.parameters.items()}
    for name, parameter in field.parameters.items():
        parameter.grad = torch.ones_like(parameter)
        optimizers[name].step(0.0)
    return optimizers


RANGES = {"prelu": (-1e3, 1e3), "softplus": (1e-8, 1e3), "relu": (0, 1e3), "sine": (-MOST_SINE, MOST_SINE)}


def test_the_table_of_parameters_offers_every_activation():
    assert PARAMETERS["activation"].choices == tuple(ACTIVATIONS) == tuple(RANGES)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(share=st.floats(0, 1), gamma=st.floats(1e-3, 10))
def test_an_activation_and_its_inverse(name, share, gamma):
    (low, high), phi = RANGES[name], ACTIVATIONS[name]
    density, gamma = low + share * (high - low), torch.tensor(gamma, dtype=torch.float64)
    raw = phi.raw(torch.tensor(density, dtype=torch.float64), gamma)
    assert phi.density(raw, gamma).item() == pytest.approx(density, rel=1e-9, abs=1e-15)  # torch: linear from z = 20


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("prelu", lambda z: z if z >= 0 else 0.1 * z),
        ("softplus", lambda z: math.log1p(math.exp(z))),
        ("relu", lambda z: max(z, 0.0)),
        ("sine", math.sin),
    ],
)
def test_activations_and_their_slopes(name, expected):
    """Against the closed forms, and their central differences."""
    raw = torch.tensor([-3.0, -0.7, 0.2, 1.5, 4.0], dtype=torch.float64, requires_grad=True)
    density = ACTIVATIONS[name].density(raw, torch.tensor(0.1, dtype=torch.float64))
    assert density.tolist() == pytest.approx([expected(z) for z in raw.tolist()], abs=1e-14)
    density.sum().backward()
    slopes = [(expected(z + 1e-6) - expected(z - 1e-6)) / 2e-6 for z in raw.tolist()]
    assert raw.grad.tolist() == pytest.approx(slopes, abs=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_only_signed_activations_have_negative_densities(name):
    density = ACTIVATIONS[name].density(torch.linspace(-9, 9, 200), torch.tensor(0.1))
    assert bool((density < 0).any()) == ACTIVATIONS[name].signed == (name in ("prelu", "sine"))


class TestStart:
    shape, spacing = (20, 24, 28), (1.5, 1.0, 1.0)

    def start(self, seed: int = 0, count: int = 500, **options) -> GaussianField:
        volume = torch.zeros(self.shape)
        volume[5:15, 6:18, 7:21] = 1.0
        residual = torch.full(self.shape, -0.2)
        grid = Scene.around(self.shape, self.spacing).grid
        generator = torch.Generator().manual_seed(seed)
        strength = edge_strength(volume, grid)
        return initial_field(strength, residual, grid, count=count, gamma=0.1, generator=generator, **options)

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

    @pytest.mark.parametrize("name", ["softplus", "relu"])
    def test_without_negative_densities_a_negative_residual_starts_faint(self, name):
        field = self.start(activation=ACTIVATIONS[name])
        torch.testing.assert_close(field.gaussians()[3].detach(), torch.full((500,), FAINT))

    def test_a_sine_starts_where_it_still_has_a_slope(self):
        field = self.start(activation=ACTIVATIONS["sine"])
        signed = self.start().gaussians()[3].detach()
        torch.testing.assert_close(field.gaussians()[3].detach(), signed)
        grid, bright = Scene.around(self.shape, self.spacing).grid, torch.full(self.shape, 1e3)
        generator, sine = torch.Generator().manual_seed(0), ACTIVATIONS["sine"]
        bright = initial_field(bright, bright, grid, count=50, gamma=0.1, generator=generator, activation=sine)
        field_densities = bright.gaussians()[3]
        field_densities.sum().backward()
        assert field_densities.max() < 1 and bright.parameters["densities"].grad.min() > 0.1

    def test_a_whole_field_sits_where_matter_is(self):
        volume = torch.full(self.shape, 0.04)
        volume[5:15, 6:18, 7:21] = 0.4
        grid, generator = Scene.around(self.shape, self.spacing).grid, torch.Generator().manual_seed(0)
        field = initial_field(matter(volume), volume, grid, count=2000, gamma=0.1, generator=generator)
        index = (field.parameters["means"].detach().flip(1) - torch.tensor(grid.first)) / torch.tensor(grid.spacing)
        z, y, x = index.round().long().clamp(min=0).unbind(1)
        assert (volume[z, y, x] > 0.05).float().mean() > 0.98

    def test_few_gaussians_may_start_wide(self):
        """A field without a base fills the inside of organs."""
        step = math.log(1.5 * Scene.around(self.shape, self.spacing).grid.spacing[1])
        narrow, wide = (self.start(count=20, **o).parameters["scales"][:, 0].max() for o in ({}, {"widest": 6.0}))
        assert narrow.item() == pytest.approx(step) and wide > step + 0.5

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


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_cloning_changes_nothing_of_the_field(name):
    field, grid = small_field(activation=name), Scene.around((16, 16, 16), (1, 1, 1)).grid
    before = voxelize(*field.gaussians(), grid).detach()
    clone(field, stepped_optimizers(field), torch.tensor([1, 0, 1, 0, 0, 1], dtype=torch.bool))
    assert len(field) == 9
    torch.testing.assert_close(voxelize(*field.gaussians(), grid).detach(), before)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_splitting_keeps_the_mass(name):
    field = small_field(activation=name)
    field.parameters["densities"].data *= 0.2  # a sine's would go beyond 1

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
        control = AdaptiveDensityControl(gradient=0.5, small=SMALL, limit=limit)
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

    def test_a_relu_that_went_negative_is_pruned(self):
        """It renders nothing and has no gradient to come back with."""
        field = small_field(activation="relu")
        field.parameters["densities"].data[:] = torch.tensor([-1.0, 0.5, -0.01, 0.2, 0.3, 0.4])
        field.parameters["means"].grad = torch.zeros(6, 3)
        control = AdaptiveDensityControl(gradient=0.5, small=SMALL, limit=100)
        control.collect(field)
        control.refine(field, stepped_optimizers(field))
        assert field.parameters["densities"].tolist() == pytest.approx([0.5, 0.2, 0.3, 0.4])

    def test_optimizer_states_follow(self):
        field, optimizers, _ = self.refined([1.0, 0.1, 0.6, 0.0, 0.4, 0.0], densities={3: 0.0})
        for name, parameter in field.parameters.items():
            (held,) = optimizers[name].param_groups[0]["params"]
            assert held is parameter and optimizers[name].state[parameter]["exp_avg"].shape == parameter.shape
