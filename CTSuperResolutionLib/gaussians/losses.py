"""Losses of eq. 5, term by term, each with its gradient.

The gradients are written out: autograd through the windows of SSIM costs more than rasterizing the Gaussians does.
"""

from __future__ import annotations

import torch

from CTSuperResolutionLib.kernels.constants import SSIM_HALF, SSIM_K1, SSIM_K2, SSIM_SIGMA


def view_loss(
    rendered: torch.Tensor, target: torch.Tensor, data_range: float, *, absolute: float, dissimilarity: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """a · mean |x − y| + d · (1 − mean SSIM(x, y)) and its gradient to x.

    SSIM after Wang et al. 2004, with a Gaussian window of 11 x 11 pixels and σ 1.5; at borders the window is cut and
    normalised anew, so that every pixel counts and an image may be of any size.

    Args:
        rendered: x, (v, u). target: y, same shape.
        data_range: of the values.
        absolute: a. dissimilarity: d.

    Returns:
        The loss, a scalar, and its gradient, (v, u).
    """
    x, y = rendered.detach(), target
    difference = x - y
    loss = absolute * difference.abs().mean()
    gradient = difference.sign().mul_(absolute / x.numel())
    if not dissimilarity:
        return loss, gradient
    across, along = (_window(n, x) for n in x.shape)
    mean_x, mean_y, square_x, square_y, product = across @ torch.stack([x, y, x * x, y * y, x * y]) @ along.T
    c1, c2 = (SSIM_K1 * data_range) ** 2, (SSIM_K2 * data_range) ** 2
    luminance, brightness = 2 * mean_x * mean_y + c1, mean_x.square() + mean_y.square() + c1
    structure = 2 * (product - mean_x * mean_y) + c2
    contrast = square_x - mean_x.square() + square_y - mean_y.square() + c2
    scale = 1 / (brightness * contrast)
    similarity = luminance * structure * scale
    to_mean = 2 * (mean_y * (structure - luminance) * scale - similarity * mean_x * (1 / brightness - 1 / contrast))
    maps = torch.stack([to_mean, -similarity / contrast, 2 * luminance * scale])  # to the means of x, x², xy
    to_mean, to_square, to_product = across.T @ maps @ along
    gradient -= (dissimilarity / x.numel()) * (to_mean + 2 * x * to_square + y * to_product)
    return loss + dissimilarity * (1 - similarity.mean()), gradient


def total_variation(volume: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean absolute difference of neighbours of a volume (z, y, x), summed over the axes, and its gradient."""
    volume = volume.detach()
    loss, gradient = volume.new_zeros(()), torch.zeros_like(volume)
    for axis, samples in enumerate(volume.shape):
        if samples > 1:
            step = volume.diff(dim=axis)
            loss = loss + step.abs().mean()
            sign = step.sign_().div_(step.numel())
            gradient.narrow(axis, 1, samples - 1).add_(sign)
            gradient.narrow(axis, 0, samples - 1).sub_(sign)
    return loss, gradient


def _window(samples: int, like: torch.Tensor) -> torch.Tensor:
    """The matrix (samples, samples) that takes the window's weighted mean along an axis."""
    places = torch.arange(samples, dtype=like.dtype, device=like.device)
    distance = places[:, None] - places
    weights = torch.where(distance.abs() <= SSIM_HALF, torch.exp(-0.5 * (distance / SSIM_SIGMA) ** 2), 0.0)
    return weights / weights.sum(1, keepdim=True)
