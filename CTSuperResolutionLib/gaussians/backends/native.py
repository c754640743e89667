"""Native backend: rasterize and voxelize on CPU threads, in the library that CUDAKernels/CMakeLists.txt builds.

Same arguments and results as :mod:`~CTSuperResolutionLib.gaussians.backends.reference`. Results do not depend on the
number of threads, which is torch's own (:func:`torch.get_num_threads`).
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch

from CTSuperResolutionLib.gaussians.backends.field_arrays import UNSOUND, check_images, check_shapes
from CTSuperResolutionLib.gaussians.backends.frames import Grid, View
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.kernels.constants import DONE, UNSOUND_INPUT
from CTSuperResolutionLib.kernels.cpu_library import PRECISIONS, load_library
from CTSuperResolutionLib.projection.geometry import ScanGeometry


def rasterize(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    geometry: ScanGeometry,
    view: int,
) -> torch.Tensor:
    """Line integrals of a signed Gaussian field, (detector v, detector u), density x scene length."""
    check_shapes(means, log_scales, quats, densities)
    _check_kind(means)
    library = load_library()
    frame = View.of(geometry, view)
    calls = (library.nabgs_rasterize, library.nabgs_rasterize_backward)
    return _RenderField.apply(means, log_scales, quats, densities, frame, geometry.detector_shape, calls)


def voxelize(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    grid: VoxelGrid,
) -> torch.Tensor:
    """Values of a signed Gaussian field at the voxel centres of a grid, (z, y, x)."""
    check_shapes(means, log_scales, quats, densities)
    _check_kind(means)
    library = load_library()
    calls = (library.nabgs_voxelize, library.nabgs_voxelize_backward)
    return _RenderField.apply(means, log_scales, quats, densities, Grid.of(grid), grid.shape, calls)


def view_loss(
    rendered: torch.Tensor, target: torch.Tensor, data_range: float, *, absolute: float, dissimilarity: float
) -> tuple[float, torch.Tensor]:
    """As :func:`CTSuperResolutionLib.gaussians.losses.view_loss`, in two passes over the rows; the loss is a float."""
    check_images(rendered, target)
    _check_kind(rendered)
    x, y = rendered.detach().contiguous(), target.contiguous()
    loss, gradient = ctypes.c_double(), torch.empty_like(x)
    shape = (ctypes.c_int32 * 2)(*x.shape)
    head = (PRECISIONS[x.dtype], shape, x.data_ptr(), y.data_ptr(), data_range, absolute, dissimilarity)
    _check(load_library().nabgs_view_loss(*head, loss, gradient.data_ptr(), torch.get_num_threads()))
    return loss.value, gradient


def check() -> None:
    """Nothing to wait for: what is wrong raises at once."""


class _RenderField(torch.autograd.Function):
    """A field on a detector or a grid, and the gradients back to it."""

    @staticmethod
    def forward(
        ctx: Any,
        means: torch.Tensor,
        log_scales: torch.Tensor,
        quats: torch.Tensor,
        densities: torch.Tensor,
        frame: ctypes.Structure,
        shape: tuple[int, ...],
        calls: tuple,
    ) -> torch.Tensor:
        field = [tensor.contiguous() for tensor in (means, log_scales, quats, densities)]
        out = torch.empty(shape, dtype=means.dtype)
        _check(calls[0](*_head(frame, field), out.data_ptr(), torch.get_num_threads()))
        ctx.save_for_backward(*field)
        ctx.frame, ctx.call = frame, calls[1]
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple:
        field = ctx.saved_tensors
        gradient = gradient.contiguous()
        gradients = [torch.empty_like(tensor) for tensor in field]
        head = _head(ctx.frame, field)
        _check(ctx.call(*head, gradient.data_ptr(), _pointers(gradients), torch.get_num_threads()))
        return (*gradients, None, None, None)


def _check_kind(tensor: torch.Tensor) -> None:
    if tensor.device.type != "cpu" or tensor.dtype not in PRECISIONS:
        raise ValueError(f"The CPU library takes float32 or float64 on a CPU, not {tensor.dtype} on {tensor.device}.")


def _head(frame: ctypes.Structure, field: list[torch.Tensor]) -> tuple:
    return ctypes.byref(frame), PRECISIONS[field[0].dtype], len(field[0]), _pointers(field)


def _pointers(tensors: list[torch.Tensor]) -> ctypes.Array:
    return (ctypes.c_void_p * 4)(*[tensor.data_ptr() for tensor in tensors])


def _check(code: int) -> None:
    if code == UNSOUND_INPUT:
        raise ValueError(UNSOUND)
    if code != DONE:
        raise MemoryError("There was not enough memory to render the Gaussians.")
