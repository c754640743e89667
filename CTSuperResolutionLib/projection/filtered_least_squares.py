"""Filtered least squares: a volume from its projections in a few steps, each along a filtered backprojection."""

from __future__ import annotations

from collections.abc import Callable

import torch


def filtered_least_squares(
    y: torch.Tensor,
    A: Callable[[torch.Tensor], torch.Tensor],
    A_adjoint: Callable[[torch.Tensor], torch.Tensor],
    *,
    steps: int,
) -> torch.Tensor:
    """A volume x whose projections A x come near y: x += a d with d = Aᵀ F (y − A x), a = ⟨A d, y − A x⟩ / ‖A d‖².

    F is the ramp filter along detector rows, which makes AᵀF nearly the inverse of A: one step does what a dozen
    conjugate gradients do, on either beam. The length a is the best one along d, so no scale has to be known.

    Args:
        y: projections, (views, v, u), value x mm.
        A: projects (z, y, x) to (views, v, u). A_adjoint: its transpose.
        steps: at least 1; each projects and backprojects once.

    Returns:
        x, (z, y, x).
    """
    left, volume = y, None
    for _ in range(steps):
        direction = A_adjoint(_ramp(left))
        change = A(direction)
        length = (change * left).sum() / change.square().sum().clamp(min=torch.finfo(change.dtype).tiny)
        direction *= length  # in its place, for volumes are what limits the size of a job
        volume = direction if volume is None else volume.add_(direction)
        left = left - length * change
    if volume is None:
        raise ValueError("at least one step is needed")
    return volume


def _ramp(projections: torch.Tensor) -> torch.Tensor:
    """Every row filtered by |frequency|, padded so that its ends do not meet."""
    columns = projections.shape[-1]
    filtered = torch.empty_like(projections)
    frequency = torch.fft.rfftfreq(2 * columns, dtype=projections.dtype, device=projections.device)
    for view, rows in enumerate(projections):  # one at a time: a stack of spectra is four times the views
        filtered[view] = torch.fft.irfft(torch.fft.rfft(rows, n=2 * columns) * frequency, n=2 * columns)[..., :columns]
    return filtered
