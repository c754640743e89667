"""The Gaussian field: the learnable parameters of signed Gaussians, and their initialization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from CTSuperResolutionLib.gaussians.activations import PRELU, Activation
from CTSuperResolutionLib.gaussians.scene import VoxelGrid

FAINT = 1e-3  # spread of the starting densities around what is known
NEIGHBOURS = 17  # itself and those whose overlap is counted
WIDEST = 1.5  # voxels; where a Gaussian of a residual starts, not how wide it may grow
MATTER = 0.05  # of the intensity range: R2-Gaussian samples its points where a volume is denser


@dataclass
class GaussianField:
    """Learnable signed Gaussians Σ ρ exp(−½ dᵀ Σ⁻¹ d) in scene units.

    Attributes:
        parameters: "means" (n, 3) as (x, y, z); "scales" (n, 3), logarithms of the standard deviations along the
            Gaussian's own axes; "quats" (n, 4), rotation (w, x, y, z), any length; "densities" (n,), raw z.
        raw_gamma: scalar; γ = softplus(raw_gamma) stays positive.
        smallest: standard deviations below this are rendered as this, (scalar): a Gaussian much narrower than a
            voxel would fall between the samples.
        activation: φ.
    """

    parameters: dict[str, torch.nn.Parameter]
    raw_gamma: torch.nn.Parameter
    smallest: float
    activation: Activation = PRELU

    def __len__(self) -> int:
        return len(self.parameters["means"])

    @property
    def gamma(self) -> torch.Tensor:
        """γ, the slope of φ for negative raw densities."""
        return torch.nn.functional.softplus(self.raw_gamma)

    def gaussians(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Means, log-scales, quaternions and signed densities, as the rasterizer and the voxelizer take them."""
        p = self.parameters
        scales = p["scales"].clamp(min=float(np.log(self.smallest)))
        return p["means"], scales, p["quats"], self.activation.density(p["densities"], self.gamma)

    def magnitudes(self) -> torch.Tensor:
        """The magnitudes that pruning compares, (n,): |ρ|, but with prelu the paper's |z|, which is |ρ| at γ = 1."""
        raw = self.parameters["densities"].detach()
        return self.activation.density(raw, raw.new_ones(())).abs()

    @torch.no_grad()
    def scale_densities(self, mask: torch.Tensor, factor: float) -> None:
        """Multiply the densities ρ of the marked Gaussians; prelu is linear on either side of 0, so any γ will do."""
        raw, any_gamma = self.parameters["densities"], self.raw_gamma.new_ones(())
        density = self.activation.density(raw[mask], any_gamma)
        raw[mask] = self.activation.raw(factor * density, any_gamma)


def edge_strength(volume: torch.Tensor, grid: VoxelGrid) -> torch.Tensor:
    """|∇volume|, (z, y, x), nowhere quite zero: where an upsampled volume misses detail."""
    strength = torch.zeros_like(volume)
    for axis, step in enumerate(grid.spacing):
        strength += torch.gradient(volume, spacing=step, dim=axis)[0].square_()
    return _nowhere_zero(strength.sqrt_())


def energy(residual: torch.Tensor) -> torch.Tensor:
    """residual², (z, y, x), nowhere quite zero: what a Gaussian at a voxel can take off the squared error."""
    return _nowhere_zero(residual.square())


def matter(volume: torch.Tensor) -> torch.Tensor:
    """1 where a volume in [0, 1], (z, y, x), is denser than ``MATTER``, nowhere quite zero: where a whole field is."""
    return _nowhere_zero((volume > MATTER).to(volume))


def _nowhere_zero(strength: torch.Tensor) -> torch.Tensor:
    return strength.add_(1e-3 * strength.mean() + 1e-30)


def _drawn(strength: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Flat indices of so many voxels, drawn with probability ∝ strength (z, y, x); those of a sum over all of it.

    That sum, of float64, is made by the slice and twice: all of it would be several volumes.
    """
    ends = [0.0]
    for plane in strength:
        ends.append(float(_running_sum(plane, ends[-1])[-1]))
    values = torch.rand(count, generator=generator, dtype=torch.float64) * ends[-1]
    slices = torch.searchsorted(torch.tensor(ends[1:], dtype=torch.float64), values).clamp(max=len(strength) - 1)
    chosen = torch.empty(count, dtype=torch.int64)
    for index in slices.unique().tolist():
        here, sums = slices == index, _running_sum(strength[index], ends[index])
        chosen[here] = index * len(sums) + torch.searchsorted(sums, values[here]).clamp(max=len(sums) - 1)
    return chosen


def _running_sum(plane: torch.Tensor, before: float) -> torch.Tensor:
    """Sums of a slice's voxels up to each one, and of what was before it, float64."""
    values = plane.flatten().cpu().double()
    values[0] += before
    return values.cumsum(0)


def initial_field(
    strength: torch.Tensor,
    residual: torch.Tensor,
    grid: VoxelGrid,
    *,
    count: int,
    gamma: float,
    generator: torch.Generator,
    activation: Activation = PRELU,
    widest: float = WIDEST,
) -> GaussianField:
    """A field whose Gaussians are placed at random, where there is the most for them to do.

    Positions are sampled with probability ∝ ``strength`` and jittered inside their voxel; scales are the same number of
    voxels along every axis, the mean distance to three neighbours; raw densities are φ⁻¹ of the residual at that
    point, shared with the neighbours that reach it, and a faint random part of either sign. Where φ has no negative
    densities, these start faint and positive.

    Args:
        strength: (z, y, x), not negative; :func:`energy`, :func:`edge_strength` or :func:`matter`.
        residual: densities start at it, same shape.
        grid: the volume's voxels in scene units.
        count: number of Gaussians, at least 4.
        gamma: first γ of eq. 3.
        generator: CPU generator of all random numbers.
        activation: φ.
        widest: largest starting scale, voxels.
    """
    chosen = _drawn(strength, count, generator)
    # numpy's, for torch's imports its symbolic algebra first, which takes as long as everything else here.
    index = torch.from_numpy(np.stack(np.unravel_index(chosen.numpy(), tuple(strength.shape)), 1))
    jittered = index + torch.rand(count, 3, generator=generator, dtype=torch.float64) - 0.5
    means = (torch.tensor(grid.first) + jittered * torch.tensor(grid.spacing)).flip(1)

    near, neighbours = cKDTree(jittered.numpy()).query(jittered.numpy(), k=min(count, NEIGHBOURS))
    # A lone Gaussian in a flat region would be huge, cost thousands of pixels a step, and have no detail to carry.
    voxels = torch.from_numpy(near[:, 1:4].mean(1).clip(0.5, widest))
    overlap = torch.exp(-0.5 * (torch.from_numpy(near) / voxels[torch.from_numpy(neighbours)]).square()).sum(1)
    scales = voxels[:, None] * torch.tensor(grid.spacing[::-1], dtype=torch.float64)
    raw_gamma = torch.log(torch.expm1(torch.tensor(gamma, dtype=torch.float64)))
    # A density of exactly zero would be pruned before it has seen a view.
    there = residual[tuple(index.to(residual.device).T)].cpu()
    density = (there / overlap).float() + FAINT * torch.randn(count, generator=generator)
    if not activation.signed:
        density = density.clamp(min=FAINT)

    def parameter(values: torch.Tensor) -> torch.nn.Parameter:
        return torch.nn.Parameter(values.to(device=strength.device, dtype=strength.dtype))

    return GaussianField(
        parameters={
            "means": parameter(means),
            "scales": parameter(scales.log()),
            "quats": parameter(torch.tensor([1.0, 0, 0, 0]).repeat(count, 1)),
            "densities": parameter(activation.raw(density, torch.tensor(gamma))),
        },
        raw_gamma=parameter(raw_gamma),
        smallest=0.35 * min(grid.spacing),
        activation=activation,
    )
