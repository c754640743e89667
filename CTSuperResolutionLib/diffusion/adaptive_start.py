"""Where each view's sampling starts by itself: at the first step where the prior stays near the upsampled view.

The first version of arXiv 2508.15151 calls it per-projection adaptive sampling: the noisier the start, the more of a
view is the prior's own, and a lateral view, whose rays run a longer way through the body, may be given more of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

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
    alphas: Sequence[float],
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
        alphas: ᾱ at the DDIM times, from the noisiest.
        thresholds: θ of every view.
        clip: bounds of both views before they are compared, in [−1, 1] units.
        estimate: (x_t of some views, their indices, position in ``alphas``) -> x̂₀|t by eq. 2.

    Returns:
        A position in ``alphas`` for every view.
    """
    scale = 2 * math.sqrt(start[0].numel() / REFERENCE_PIXELS)  # [−1, 1] doubles every difference
    found = [len(alphas) - 1] * len(start)
    looking = list(range(len(start)))
    for position, alpha in enumerate(alphas[:-1]):
        x = math.sqrt(alpha) * start[looking] + math.sqrt(1 - alpha) * noise[looking]
        difference = start[looking].clamp(*clip) - estimate(x, looking, position).clamp(*clip)
        distances = difference.flatten(1).norm(dim=1).tolist()
        near = {view for view, d in zip(looking, distances, strict=True) if d < scale * thresholds[view]}
        for view in near:
            found[view] = position
        looking = [view for view in looking if view not in near]
        if not looking:
            break
    return found
