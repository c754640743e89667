"""SSIM in three planes: how alike two volumes are in their axial, coronal and sagittal slices (DiffNR's SSIM3D)."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.kernels.constants import SSIM_HALF, SSIM_K1, SSIM_K2, SSIM_SIGMA


def ssim_3d(volume: torch.Tensor, reference: torch.Tensor, data_range: float) -> torch.Tensor:
    """The mean of the SSIM (Wang et al. 2004) of all slices along three axes, a scalar; differentiable.

    The window is a Gaussian of 11 x 11 voxels and σ 1.5, cut at borders and normalised anew, so that a slab of few
    slices will do. All slices of the three planes are compared at once: each axis is filtered once for two planes.

    Args:
        volume, reference: (z, y, x), any shape. data_range: of the values.
    """
    windows = [_window(n, volume) for n in volume.shape]
    stack = torch.stack([volume, reference, volume * volume, reference * reference, volume * reference])
    along = [_filtered(stack, axis, windows[axis]) for axis in (0, 2)]
    both = (
        _filtered(along[1], 1, windows[1]),
        _filtered(along[0], 2, windows[2]),
        _filtered(along[0], 1, windows[1]),
    )
    return torch.stack([_similarity(means, data_range) for means in both]).mean()


def ssim_of_slices(slices: torch.Tensor, reference: torch.Tensor, data_range: float) -> torch.Tensor:
    """The mean SSIM of slices (n, y, x), a scalar; differentiable, and with the same window."""
    stack = torch.stack([slices, reference, slices * slices, reference * reference, slices * reference])
    for axis in (1, 2):
        stack = _filtered(stack, axis, _window(slices.shape[axis], slices))
    return _similarity(stack, data_range)


def _similarity(means: torch.Tensor, data_range: float) -> torch.Tensor:
    x, y, xx, yy, xy = means
    c1, c2 = (SSIM_K1 * data_range) ** 2, (SSIM_K2 * data_range) ** 2
    structure = 2 * (xy - x * y) + c2
    contrast = xx - x * x + yy - y * y + c2
    return ((2 * x * y + c1) * structure / ((x * x + y * y + c1) * contrast)).mean()


def _filtered(stack: torch.Tensor, axis: int, window: torch.Tensor) -> torch.Tensor:
    """Every volume of a stack (n, z, y, x) filtered along an axis."""
    return torch.tensordot(stack, window, dims=([axis + 1], [1])).movedim(-1, axis + 1)


def _window(samples: int, like: torch.Tensor) -> torch.Tensor:
    places = torch.arange(samples, dtype=like.dtype, device=like.device)
    distance = places[:, None] - places
    weights = torch.where(distance.abs() <= SSIM_HALF, torch.exp(-0.5 * (distance / SSIM_SIGMA) ** 2), 0.0)
    return weights / weights.sum(1, keepdim=True)
