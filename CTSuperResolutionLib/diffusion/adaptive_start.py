"""Adaptive start of sampling: for each view the first DDIM time at which the prior stays near the upsampled view.

The first version of arXiv 2508.15151 calls it per-projection adaptive sampling. The noisier the start, the more of a
view is the prior's own, and a lateral view, whose rays run a longer way through the body, may be given more of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule

REFERENCE_PIXELS = 512**2  # of the paper's detector, for which its thresholds are


def start_thresholds(angles: Sequence[float], frontal: float, lateral: float) -> tuple[float, ...]:
    """θ of every view, θ_frontal + (θ_lateral − θ_frontal) |sin φ|; empty, for no adaptive start, where both are 0.

    Args:
        angles: φ, rotation angles in radians. At 0 rays run along the volume's y axis, frontal in an axial scan of a
            patient on the back or front; at π/2 they run along x.
        frontal, lateral: θ at these views; the paper's are 5.0 and 6.5, or 5.0 for both.
    """
    if frontal == lateral == 0:
        return ()
    return tuple(frontal + (lateral - frontal) * abs(math.sin(angle)) for angle in angles)


def find_starts(
    start: torch.Tensor,
    noise: torch.Tensor,
    schedule: NoiseSchedule,
    times: Sequence[int],
    thresholds: Sequence[float],
    clip: tuple[float, float],
    estimate: Callable[[torch.Tensor, list[int], int], torch.Tensor],
) -> list[int]:
    """For each view the first DDIM time at which ‖clip(up y) − clip(x̂₀|t)‖₂ < θ, or the last time.

    The norm is over a view in units of [0, 1] and grows with the square root of its pixels; θ is for 512² of them and
    scaled so that it means the same on any detector.

    Args:
        start: up(y), the upsampled views in [−1, 1], (n, v, u).
        noise: ε of x_t = √ᾱ up(y) + √(1 − ᾱ) ε at every time, (n, v, u).
        schedule: ᾱ. times: the DDIM times, from the noisiest.
        thresholds: θ of every view.
        clip: bounds of both views before they are compared, in [−1, 1] units.
        estimate: (x_t of some views, their indices, position in ``times``) -> x̂₀|t by eq. 2.

    Returns:
        A position in ``times`` for every view.
    """
    scale = 2 * math.sqrt(start[0].numel() / REFERENCE_PIXELS)  # [−1, 1] doubles every difference
    found = [len(times) - 1] * len(start)
    searching = list(range(len(start)))
    for position, time in enumerate(times[:-1]):
        x = schedule.add_noise(start[searching], noise[searching], time)
        difference = start[searching].clamp(*clip) - estimate(x, searching, position).clamp(*clip)
        distances = difference.flatten(1).norm(dim=1).tolist()
        near = {view for view, d in zip(searching, distances, strict=True) if d < scale * thresholds[view]}
        for view in near:
            found[view] = position
        searching = [view for view in searching if view not in near]
        if not searching:
            break
    return found
