"""The adaptive start against distances that are known beforehand."""

import math

import pytest
import torch

from CTSuperResolutionLib.diffusion.adaptive_start import find_starts, start_thresholds
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule

ALPHAS = [0.1, 0.4, 0.7, 0.9, 0.99]
TIMES = [4, 3, 2, 1, 0]
SCHEDULE = NoiseSchedule(torch.tensor(ALPHAS[::-1], dtype=torch.float64))
CLIP = (-1.0, 1.1)


def test_thresholds_grow_from_frontal_to_lateral():
    angles = (0.0, math.pi / 6, math.pi / 2, 5 * math.pi / 6, -math.pi / 2)
    assert start_thresholds(angles, 5.0, 6.5) == pytest.approx((5.0, 5.75, 6.5, 5.75, 6.5))
    assert start_thresholds(angles, 5.0, 5.0) == pytest.approx((5.0,) * 5)
    assert start_thresholds(angles, 0.0, 0.0) == ()


def moved_by(start: torch.Tensor):
    """An x̂₀ that is off by √(1 − ᾱ) everywhere, in units of [0, 1]."""
    return lambda x, some, position: start[some] + 2 * math.sqrt(1 - ALPHAS[position])


@pytest.mark.parametrize("shape", [(512, 512), (64, 32)])
def test_a_view_starts_where_it_first_stays_near_and_the_detectors_size_does_not_matter(shape):
    """On 512 x 512 pixels the distances are 512 √(1 − ᾱ): 486, 397, 280, 162."""
    start = torch.full((5, *shape), -0.95)
    thresholds = [400.0, 1.0, 170.0, 500.0, 390.0]
    wide = (-9.0, 9.0)
    noise = torch.zeros_like(start)
    assert find_starts(start, noise, SCHEDULE, TIMES, thresholds, wide, moved_by(start)) == [1, 4, 3, 0, 2]


def test_what_is_compared_is_clipped():
    """Off by 1 beyond a clip at 1.1: the distance is that from 0.95 to 1.1, halved by the unit."""
    start, thresholds = torch.full((2, 512, 512), 0.95), [512 * 0.074, 512 * 0.076]
    starts = find_starts(start, torch.zeros_like(start), SCHEDULE, TIMES, thresholds, CLIP, moved_by(start))
    assert starts == [4, 0]


def test_every_time_is_tried_with_the_same_noise_and_only_by_views_still_searching():
    generator = torch.Generator().manual_seed(0)
    start, noise = torch.rand(3, 8, 8, generator=generator), torch.randn(3, 8, 8, generator=generator)
    seen = []

    def estimate(x: torch.Tensor, some: list[int], position: int) -> torch.Tensor:
        alpha = ALPHAS[position]
        torch.testing.assert_close(x, math.sqrt(alpha) * start[some] + math.sqrt(1 - alpha) * noise[some])
        seen.append((position, list(some)))
        return start[some] + 0.1 * torch.tensor([view != position for view in some])[:, None, None]

    # Views 0, 1 and 2 are near at the times 0, 1 and 2; the distance is 25.6 at the others.
    assert find_starts(start, noise, SCHEDULE, TIMES, [1.0] * 3, CLIP, estimate) == [0, 1, 2]
    assert seen == [(0, [0, 1, 2]), (1, [1, 2]), (2, [2])]
