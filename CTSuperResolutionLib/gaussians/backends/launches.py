"""Which CUDA kernels draw a field, in which order and on which buffers; what each does is in CUDAKernels/cuda.

Nothing here waits for the device, and every buffer has a size that the arguments' shapes decide.
"""

from __future__ import annotations

import ctypes
import math
import struct
from typing import Protocol

import torch

from CTSuperResolutionLib.gaussians.backends.field_arrays import check_images

# As in kernels.cu.
BIN = 8  # side of the smallest bins, samples
TILES = {2: (8, 8), 3: (4, 4, 8)}  # samples that a warp draws
SUM_THREADS = {2: 8, 3: 32}  # that sum the moments of a small Gaussian
PATCH_WORDS = {2: 8, 3: 12}
MOMENTS = {2: 6, 3: 10}
FRAME_WORDS = 8
DRAW_WARPS, SUM_WARPS, LANES, THREADS = 4, 8, 32, 128
SQUARE = 16  # side of a block's part of an image
LONGEST = 2**16  # samples along an axis

ARRAYS = {2: "detector", 3: "grid"}


class Launcher(Protocol):
    """Runs kernels, one after the other.

    Attributes:
        processors: multiprocessors of the device.
        unsound: address of an int32 that the kernels set when an input is not sound.
    """

    processors: int
    unsound: int

    def __call__(self, name: str, blocks: int, threads: int, *arguments: int | float) -> None:
        """Queue a kernel; its arguments are addresses, whole numbers (int) and numbers (double)."""


def put_frame(launcher: Launcher, frame: ctypes.Structure, place: torch.Tensor) -> None:
    """Write a View or a Grid to a tensor of FRAME_WORDS int64, where the kernels read it."""
    words = struct.unpack(f"{FRAME_WORDS}q", bytes(frame).ljust(8 * FRAME_WORDS, b"\0"))
    launcher("write_frame", 1, 1, place.data_ptr(), *words)


class Draw(torch.autograd.Function):
    """A float32 field drawn on an array, and the gradients back to it.

    Args:
        means, log_scales, quats, densities: (n, 3), (n, 3), (n, 4) and (n,).
        frame: what put_frame has written, or will have when the kernels run.
        shape: of the array.
        launcher: see :class:`Launcher`.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        means: torch.Tensor,
        log_scales: torch.Tensor,
        quats: torch.Tensor,
        densities: torch.Tensor,
        frame: torch.Tensor,
        shape: tuple[int, ...],
        launcher: Launcher,
    ) -> torch.Tensor:
        count, axes = len(means), len(shape)
        ctx.launcher, ctx.shape = launcher, tuple(shape)
        if not count:
            ctx.save_for_backward(means, log_scales, quats, densities)
            return means.new_zeros(shape)
        if max(shape) > LONGEST:
            raise ValueError(f"An array has at most {LONGEST} samples along an axis, not {max(shape)}.")
        field = [tensor.contiguous() for tensor in (means, log_scales, quats, densities)]
        array, bins, wide = ARRAYS[axes], count_bins(shape), int(has_wide_keys(shape))
        patches = means.new_empty(count, PATCH_WORDS[axes])
        keys = means.new_empty(count, dtype=torch.int32 if wide else torch.int16)
        arguments = (count, *_addresses(field), frame.data_ptr(), bins, patches.data_ptr(), keys.data_ptr(), wide)
        launcher(f"prepare_{array}", _blocks(count, THREADS), THREADS, *arguments, launcher.unsound)

        sorted_keys, order = torch.sort(keys, stable=True)
        bin_patches, starts = torch.empty_like(patches), means.new_empty(bins + 1, dtype=torch.int32)
        arguments = (count, bins, sorted_keys.data_ptr(), wide, *_addresses((order, patches, bin_patches, starts)))
        launcher(f"arrange_{array}", _blocks(max(count, bins + 1), THREADS), THREADS, *arguments)

        tiles = math.prod(-(-n // side) for n, side in zip(shape, TILES[axes], strict=True))
        split = _split(tiles, launcher.processors)
        out = means.new_empty(shape)
        arguments = (bin_patches.data_ptr(), starts.data_ptr(), frame.data_ptr(), split, out.data_ptr())
        launcher(f"draw_{array}", _blocks(tiles * split, DRAW_WARPS), DRAW_WARPS * LANES, *arguments)
        ctx.save_for_backward(*field, frame, keys, order, bin_patches, starts)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> tuple:
        field, rest = ctx.saved_tensors[:4], ctx.saved_tensors[4:]
        gradients = [torch.empty_like(tensor) for tensor in field]
        if rest:
            _backward(ctx.launcher, ctx.shape, field, *rest, gradient.contiguous(), gradients)
        return (*gradients, None, None, None)


def _backward(
    launcher: Launcher,
    shape: tuple[int, ...],
    field: tuple[torch.Tensor, ...],
    frame: torch.Tensor,
    keys: torch.Tensor,
    order: torch.Tensor,
    patches: torch.Tensor,
    starts: torch.Tensor,
    gradient: torch.Tensor,
    gradients: list[torch.Tensor],
) -> None:
    count, axes = len(order), len(shape)
    array, bins = ARRAYS[axes], len(starts) - 1
    moments = patches.new_empty(count, MOMENTS[axes])
    threads = SUM_WARPS * LANES
    large, medium = 4 * launcher.processors, 4 * launcher.processors if axes == 2 else 0
    small = min(_blocks(count * SUM_THREADS[axes], threads), 16 * launcher.processors)
    arguments = (*_addresses((patches, order, starts, frame)), bins, gradient.data_ptr(), moments.data_ptr())
    launcher(f"moments_{array}", large + medium + small, threads, *arguments, large, medium)
    arguments = (count, *_addresses(field), frame.data_ptr(), bins, keys.data_ptr(), int(has_wide_keys(shape)))
    results = _addresses((moments, *gradients))
    launcher(f"backward_{array}", _blocks(count, THREADS), THREADS, *arguments, *results)


def view_loss(
    launcher: Launcher,
    rendered: torch.Tensor,
    target: torch.Tensor,
    data_range: float,
    absolute: float,
    dissimilarity: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As :func:`CTSuperResolutionLib.gaussians.losses.view_loss`, float32."""
    check_images(rendered, target)
    x, y = rendered.detach().contiguous(), target.contiguous()
    height, width = x.shape
    blocks, threads = _blocks(height, SQUARE) * _blocks(width, SQUARE), SQUARE * SQUARE
    maps, losses, loss = x.new_empty(3, height, width), x.new_empty(blocks), x.new_empty(())
    gradient = torch.empty_like(x)
    images, weights = (height, width, *_addresses((x, y))), (float(absolute), float(dissimilarity))
    launcher("loss_maps", blocks, threads, *images, float(data_range), *weights, *_addresses((maps, losses)))
    launcher("loss_gradient", blocks, threads, *images, *weights, *_addresses((maps, losses, loss, gradient)))
    return loss, gradient


def count_bins(shape: tuple[int, ...]) -> int:
    """Bins of all levels of an array."""
    total, side, bins = 0, BIN, 0
    while bins != 1:
        bins = math.prod(-(-n // side) for n in shape)
        total, side = total + bins, 2 * side
    return total


def has_wide_keys(shape: tuple[int, ...]) -> bool:
    """Whether numbers of bins, and one more for Gaussians that touch none, need more than 16 bits."""
    return count_bins(shape) >= 2**16


def _split(tiles: int, processors: int) -> int:
    """How many warps share a tile, so that every multiprocessor has enough of them; each looks for its own part."""
    return 4 if tiles < 16 * processors else 2 if tiles < 64 * processors else 1


def _blocks(work: int, each: int) -> int:
    return -(-work // each)


def _addresses(tensors: tuple[torch.Tensor, ...] | list[torch.Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]
