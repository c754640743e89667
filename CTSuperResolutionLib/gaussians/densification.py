"""Adaptive density control: Gaussians are cloned, split and pruned while the field is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from gsplat.strategy import ops

from CTSuperResolutionLib.gaussians.adam import Adam
from CTSuperResolutionLib.gaussians.field import GaussianField

PRUNE_BELOW = 1e-5  # of the magnitude: a signed field keeps its negative Gaussians
SHRINK = 1.6  # gsplat's split divides scales by this


@dataclass
class AdaptiveDensityControl:
    """Collects gradients of positions, and densifies the field where they are large.

    A parallel beam's gradient of a 3D position is that of its place on the detector, so no second one is kept.

    Attributes:
        gradient: mean gradient norm (loss per scene unit) from which a Gaussian is refined; R2-Gaussian's 5e-5.
        small: Gaussians whose largest scale is below this (scene units) are cloned, larger ones split.
        limit: no more Gaussians than this.
    """

    gradient: float
    small: float
    limit: int

    def __post_init__(self) -> None:
        self._state: dict[str, torch.Tensor] = {}

    def collect(self, field: GaussianField) -> None:
        """Add the gradients of one step."""
        gradient = field.parameters["means"].grad
        assert gradient is not None, "gradients are collected after backward"
        norm = gradient.norm(dim=-1)
        if not self._state:
            self._state = {"sum": torch.zeros_like(norm), "seen": torch.zeros_like(norm)}
        self._state["sum"] += norm
        self._state["seen"] += norm > 0

    @torch.no_grad()
    def refine(self, field: GaussianField, optimizers: dict[str, Adam]) -> None:
        """Clone, split and prune; the optimizers' states follow, and collecting starts anew."""
        if not self._state:
            return
        mean = self._state["sum"] / self._state["seen"].clamp(min=1)
        grow = mean >= self.gradient
        room = max(self.limit - len(field), 0)
        if int(grow.sum()) > room:
            strongest = torch.zeros_like(grow)
            strongest[mean.topk(room).indices] = True
            grow &= strongest
        large = field.parameters["scales"].exp().amax(-1) > self.small
        clone(field, optimizers, grow & ~large)
        added = len(field) - len(grow)
        split(field, optimizers, torch.cat([grow & large, grow.new_zeros(added)]))
        weak = field.magnitudes() < PRUNE_BELOW
        outside = (field.parameters["means"].abs() > 1).any(-1)
        if len(field) > int((weak | outside).sum()):
            ops.remove(field.parameters, optimizers, {}, weak | outside)
        self._state = {}


@torch.no_grad()
def clone(field: GaussianField, optimizers: dict[str, Adam], mask: torch.Tensor) -> None:
    """Two Gaussians in place of each marked one, with half its density each: the field stays what it was."""
    if mask.any():
        field.scale_densities(mask, 0.5)
        ops.duplicate(field.parameters, optimizers, {}, mask)


@torch.no_grad()
def split(field: GaussianField, optimizers: dict[str, Adam], mask: torch.Tensor) -> None:
    """Two smaller Gaussians, sampled inside each marked one; together they have its mass.

    Each has half the mass in 1.6⁻³ of the space.
    """
    if mask.any():
        field.scale_densities(mask, 0.5 * SHRINK**3)
        ops.split(field.parameters, optimizers, {}, mask)
