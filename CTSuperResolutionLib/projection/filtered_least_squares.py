"""A volume from its projections: a few steps of least squares, each in the direction of filtered backprojection."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.raycast import backproject


def least_squares(
    projections: torch.Tensor,
    volume_shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    *,
    steps: int = 1,
    progress: Progress | None = None,
) -> torch.Tensor:
    """A volume x whose projections P x come near p: x += a d with d = Pᵀ F (p − P x), a = ⟨P d, p − P x⟩ / ‖P d‖².

    F is the ramp filter along detector rows, which makes PᵀF nearly the inverse of P: one step does what a dozen
    conjugate gradients do, on either beam. The length a is the best one along d, so no scale has to be known.

    Args:
        projections: p, (views, v, u), value x mm.
        volume_shape: (z, y, x). spacing: mm, (z, y, x).
        geometry: of the projections.
        steps: at least 1; each projects and backprojects once.
        progress: advanced by two a view and step.

    Returns:
        x, (z, y, x).
    """
    left, volume = projections, None
    for _ in range(steps):
        direction = backproject(_ramp(left), volume_shape, spacing, geometry, progress=progress)
        change = project(direction, spacing, geometry, progress=progress)
        length = (change * left).sum() / change.square().sum().clamp(min=torch.finfo(change.dtype).tiny)
        volume = length * direction if volume is None else volume.add_(length * direction)
        left = left - length * change
    return volume


def _ramp(projections: torch.Tensor) -> torch.Tensor:
    """Every row filtered by |frequency|, padded so that its ends do not meet."""
    columns = projections.shape[-1]
    filtered = torch.empty_like(projections)
    frequency = torch.fft.rfftfreq(2 * columns, dtype=projections.dtype, device=projections.device)
    for view, rows in enumerate(projections):  # one at a time: a stack of spectra is four times the views
        filtered[view] = torch.fft.irfft(torch.fft.rfft(rows, n=2 * columns) * frequency, n=2 * columns)[..., :columns]
    return filtered
