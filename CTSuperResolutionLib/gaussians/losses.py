"""The loss of eq. 5, term by term."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def ssim(first: torch.Tensor, second: torch.Tensor, data_range: float) -> torch.Tensor:
    """Mean structural similarity of two images (v, u); 11 x 11 Gaussian window of σ 1.5 (Wang et al. 2004)."""
    offsets = torch.arange(-5, 6, dtype=first.dtype, device=first.device)
    window = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    window = window / window.sum()
    images = torch.stack([first, second, first * first, second * second, first * second])[:, None]
    blurred = F.conv2d(F.conv2d(images, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))[:, 0]
    mean1, mean2, square1, square2, product = blurred
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    covariance = product - mean1 * mean2
    variances = square1 - mean1.square() + square2 - mean2.square()
    similarity = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    return (similarity / ((mean1.square() + mean2.square() + c1) * (variances + c2))).mean()


def total_variation(volume: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of neighbours of a volume (z, y, x), over the three axes."""
    return sum(volume.diff(dim=axis).abs().mean() for axis in range(3))
