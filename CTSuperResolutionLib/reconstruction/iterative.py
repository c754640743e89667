"""Iterative reconstruction without a learned part: SART on subsets of the views, and ASD-POCS with total variation."""

from __future__ import annotations

from dataclasses import replace

import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.projector import Projector

SUBSETS = 6  # of the views, each updated at once
LEAST = 1e-6  # of a weight: below, a ray misses the volume, or a voxel all rays
SMOOTH = 1e-4  # of total variation, in units of the values: where it is rounded off

# Of ASD-POCS (Sidky and Pan 2008, section 3). Its authors' 0.2, 0.95 and 0.95 smooth details away in so few rounds.
TV_STEPS = 10
RELAXATION_DECAY = 0.995
TV_LENGTH, TV_DECAY, TV_MOST = 0.005, 0.8, 0.5


class OrderedSubsets:
    """SART (Andersen and Kak 1984) on a few views at a time, interleaved: x += λ Aᵀ[(y − A x) / A1] / Aᵀ1, then x ≥ 0.

    Args:
        projections: y, (views, v, u), value x mm. projector: A.
    """

    def __init__(self, projections: torch.Tensor, projector: Projector) -> None:
        geometry = projector.geometry
        count = min(SUBSETS, geometry.views)
        self._parts = []
        for first in range(count):
            chosen = list(range(first, geometry.views, count))
            part = Projector(projector.grid, replace(geometry, angles=tuple(geometry.angles[k] for k in chosen)))
            ones = projections.new_ones(projector.grid.shape)
            rays = part.forward(ones)
            voxels = part.adjoint(torch.ones_like(rays))
            self._parts.append((part, projections[chosen], _inverse(rays), _inverse(voxels)))

    @property
    def steps(self) -> int:
        """How often a sweep advances its progress."""
        return len(self._parts)

    def sweep(self, volume: torch.Tensor, relaxation: float, progress: Progress) -> None:
        """Update a volume, (z, y, x), in place, once by every view."""
        for part, views, per_ray, per_voxel in self._parts:
            missing = (views - part.forward(volume)) * per_ray
            volume.add_(part.adjoint(missing) * per_voxel, alpha=relaxation).clamp_(min=0)
            progress.advance()

    def distance(self, volume: torch.Tensor) -> float:
        """‖y − A x‖."""
        squares = (float((views - part.forward(volume)).square().sum()) for part, views, _, _ in self._parts)
        return sum(squares) ** 0.5


def _inverse(weights: torch.Tensor) -> torch.Tensor:
    least = LEAST * float(weights.max())
    return torch.where(weights > least, 1 / weights.clamp(min=least), 0.0)


@torch.no_grad()
def sart(projections: torch.Tensor, projector: Projector, *, sweeps: int, progress: Progress) -> torch.Tensor:
    """A volume, (z, y, x), by sweeps of :class:`OrderedSubsets` from nothing.

    Args:
        projections: (views, v, u), value x mm. projector: volumes to views.
        sweeps: over all views. progress: advanced by :func:`sart_steps`.
    """
    subsets, volume = OrderedSubsets(projections, projector), projections.new_zeros(projector.grid.shape)
    for _ in range(sweeps):
        subsets.sweep(volume, 1.0, progress)
    return volume


@torch.no_grad()
def asd_pocs(
    projections: torch.Tensor, projector: Projector, *, rounds: int, tolerance: float, progress: Progress
) -> torch.Tensor:
    """A volume of little total variation with these projections: ASD-POCS, Sidky and Pan (Phys. Med. Biol. 53, 2008).

    Rounds of one sweep over the views and some steps down the total variation, each as long as a share of what
    the first sweep changed; the share falls where those steps undo more than the sweep does.

    Args:
        projections: (views, v, u), value x mm. projector: volumes to views.
        rounds: how many. tolerance: ‖y − A x‖ / ‖y‖ at which the views are met well enough.
        progress: advanced by :func:`sart_steps`.
    """
    subsets, volume = OrderedSubsets(projections, projector), projections.new_zeros(projector.grid.shape)
    enough = tolerance * float(projections.norm())
    smooth_sweeps(subsets, volume, rounds=rounds, share=TV_LENGTH, enough=enough, progress=progress)
    return volume.clamp_(min=0)


@torch.no_grad()
def smooth_sweeps(
    subsets: OrderedSubsets,
    volume: torch.Tensor,
    *,
    rounds: int,
    share: float,
    enough: float = 0.0,
    progress: Progress,
) -> None:
    """The rounds of :func:`asd_pocs`, on a volume (z, y, x) in place.

    Args:
        subsets: of the views. rounds: how many. share: of what the first sweep changes, that a step is long at first.
        enough: ‖y − A x‖ at which the views are met well enough. progress: advanced by :func:`sart_steps`.
    """
    relaxation, length = 1.0, 0.0
    for number in range(rounds):
        before = volume.clone()
        subsets.sweep(volume, relaxation, progress)
        change = float((volume - before).norm())
        if number == 0:
            length = share * change
        met = volume.clone()
        for _ in range(TV_STEPS):
            down = total_variation_gradient(volume)
            volume.sub_(down, alpha=length / max(float(down.norm()), 1e-30))
        undone = float((volume - met).norm())
        if undone > TV_MOST * change and (enough == 0 or subsets.distance(volume) > enough):
            length *= TV_DECAY
        relaxation *= RELAXATION_DECAY


def sart_steps(sweeps: int, views: int) -> int:
    """How often so many sweeps or rounds advance their progress."""
    return sweeps * min(SUBSETS, views)


def total_variation_gradient(volume: torch.Tensor) -> torch.Tensor:
    """Gradient of Σ √(|∇x|² + ε²), forward differences, of a volume (z, y, x) of as large voxels along every axis."""
    steps = [torch.zeros_like(volume) for _ in range(3)]
    for axis, step in enumerate(steps):
        n = volume.shape[axis] - 1
        step.narrow(axis, 0, n).copy_(volume.diff(dim=axis))
    size = torch.stack(steps).square_().sum(0).add_(SMOOTH**2).sqrt_()
    gradient = torch.zeros_like(volume)
    for axis, step in enumerate(steps):
        step /= size
        gradient -= step
        n = volume.shape[axis] - 1
        gradient.narrow(axis, 1, n).add_(step.narrow(axis, 0, n))
    return gradient
