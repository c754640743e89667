"""Checks of the four tensors of a field, as every backend takes them."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.kernels.constants import LARGEST_COORDINATE, LARGEST_DENSITY, LARGEST_LOG_SCALE

UNSOUND = (
    "The Gaussians hold values that are not finite or far too large; "
    f"coordinates reach {LARGEST_COORDINATE:g}, log-scales ±{LARGEST_LOG_SCALE:g} and densities {LARGEST_DENSITY:g}."
)


def check_shapes(means: torch.Tensor, log_scales: torch.Tensor, quats: torch.Tensor, densities: torch.Tensor) -> None:
    """Raise ValueError unless these are (n, 3), (n, 3), (n, 4) and (n,), of one dtype and on one device."""
    count = len(means)
    shapes = [tuple(tensor.shape) for tensor in (means, log_scales, quats, densities)]
    if shapes != [(count, 3), (count, 3), (count, 4), (count,)]:
        raise ValueError(f"A field has shapes (n, 3), (n, 3), (n, 4) and (n,), not {shapes}.")
    if len({(tensor.dtype, tensor.device) for tensor in (means, log_scales, quats, densities)}) > 1:
        raise ValueError("The tensors of a field have one dtype and lie on one device.")


def check_images(rendered: torch.Tensor, target: torch.Tensor) -> None:
    """Raise ValueError unless both are images (v, u) of one shape, of one dtype and on one device."""
    if rendered.ndim != 2 or rendered.shape != target.shape:
        raise ValueError(f"Two images of one shape (v, u) are compared, not {[*rendered.shape]} and {[*target.shape]}.")
    if (rendered.dtype, rendered.device) != (target.dtype, target.device):
        raise ValueError("The images that are compared have one dtype and lie on one device.")


def check_sound(means: torch.Tensor, log_scales: torch.Tensor, quats: torch.Tensor, densities: torch.Tensor) -> None:
    """Raise ValueError for values that are not finite or beyond the limits. Waits for the device."""
    limits = (LARGEST_COORDINATE, LARGEST_LOG_SCALE, LARGEST_COORDINATE, LARGEST_DENSITY)
    for tensor, limit in zip((means, log_scales, quats, densities), limits, strict=True):
        if not bool((tensor.detach().abs() <= limit).all()):  # false for NaN too
            raise ValueError(UNSOUND)
