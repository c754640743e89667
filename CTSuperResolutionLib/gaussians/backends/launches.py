"""Launches of the CUDA kernels: their order, sizes and buffers. The kernels themselves are in CUDAKernels/cuda.

Nothing here waits for the device, and every buffer has a size that the arguments' shapes decide.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch

from CTSuperResolutionLib.gaussians.backends.field_arrays import check_images
from CTSuperResolutionLib.kernels import constants as sizes

LONGEST = 2 ** (sizes.BIN_BITS + sizes.LEVELS - 1)  # samples along an axis


@dataclass(frozen=True)
class Operation:
    """The kernels of rasterize or of voxelize.

    Attributes:
        name: the first part of theirs.
        tile: samples along each axis that a warp evaluates.
        sum_threads: that sum the moments of a small Gaussian.
        patch_floats, moments: 32-bit words of a Gaussian's patch and of its moments.
    """

    name: str
    tile: tuple[int, ...]
    sum_threads: int
    patch_floats: int
    moments: int


OPERATIONS = {  # by the number of axes
    2: Operation(
        name="rasterize",
        tile=(sizes.DETECTOR_TILE, sizes.DETECTOR_TILE),
        sum_threads=sizes.DETECTOR_SUM_THREADS,
        patch_floats=sizes.DETECTOR_PATCH_FLOATS,
        moments=sizes.DETECTOR_MOMENTS,
    ),
    3: Operation(
        name="voxelize",
        tile=(sizes.GRID_TILE_ACROSS, sizes.GRID_TILE_ACROSS, sizes.GRID_TILE_ALONG),
        sum_threads=sizes.GRID_SUM_THREADS,
        patch_floats=sizes.GRID_PATCH_FLOATS,
        moments=sizes.GRID_MOMENTS,
    ),
}


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
    words = struct.unpack(f"{sizes.FRAME_WORDS}q", bytes(frame).ljust(8 * sizes.FRAME_WORDS, b"\0"))
    launcher("write_frame", 1, 1, place.data_ptr(), *words)


class Binned(NamedTuple):
    """What forward leaves on the device for backward.

    Attributes:
        frame: as put_frame has written it.
        keys: (n,), the bin of each Gaussian. order: (n,), of the Gaussians sorted by bin.
        patches: (n, patch_floats), in that order. starts: (bins + 1,), of every bin's part of them.
    """

    frame: torch.Tensor
    keys: torch.Tensor
    order: torch.Tensor
    patches: torch.Tensor
    starts: torch.Tensor


class RenderField(torch.autograd.Function):
    """A float32 field on a detector (rasterized) or a grid (voxelized), and the gradients back to it.

    Args:
        means, log_scales, quats, densities: (n, 3), (n, 3), (n, 4) and (n,).
        frame: what put_frame has written, or will have when the kernels run.
        shape: of the array.
        launcher: see :class:`Launcher`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        means: torch.Tensor,
        log_scales: torch.Tensor,
        quats: torch.Tensor,
        densities: torch.Tensor,
        frame: torch.Tensor,
        shape: tuple[int, ...],
        launcher: Launcher,
    ) -> torch.Tensor:
        ctx.launcher, ctx.shape = launcher, tuple(shape)
        if not len(means):
            ctx.save_for_backward(means, log_scales, quats, densities)
            return means.new_zeros(shape)
        if max(shape) > LONGEST:
            raise ValueError(f"An array has at most {LONGEST} samples along an axis, not {max(shape)}.")
        field = [tensor.contiguous() for tensor in (means, log_scales, quats, densities)]
        binned = _bin(launcher, ctx.shape, field, frame)
        operation = OPERATIONS[len(shape)]
        tiles = math.prod(-(-n // side) for n, side in zip(shape, operation.tile, strict=True))
        split = _split(tiles, launcher.processors)
        out = means.new_empty(shape)
        arguments = (*_addresses((binned.patches, binned.starts, frame)), split, out.data_ptr())
        blocks, threads = _blocks(tiles * split, sizes.FORWARD_WARPS), sizes.FORWARD_WARPS * sizes.LANES
        launcher(f"{operation.name}_forward", blocks, threads, *arguments)
        ctx.save_for_backward(*field, *binned)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple:
        field, rest = ctx.saved_tensors[:4], ctx.saved_tensors[4:]
        gradients = [torch.empty_like(tensor) for tensor in field]
        if rest:
            _backward(ctx.launcher, ctx.shape, field, Binned(*rest), gradient.contiguous(), gradients)
        return (*gradients, None, None, None)


def _bin(launcher: Launcher, shape: tuple[int, ...], field: Sequence[torch.Tensor], frame: torch.Tensor) -> Binned:
    """Every Gaussian's patch, sorted by bin."""
    means, count, operation = field[0], len(field[0]), OPERATIONS[len(shape)]
    bins, wide = count_bins(shape), int(has_wide_keys(shape))
    patches = means.new_empty(count, operation.patch_floats)
    keys = means.new_empty(count, dtype=torch.int32 if wide else torch.int16)
    arguments = (count, *_addresses(field), frame.data_ptr(), bins, patches.data_ptr(), keys.data_ptr(), wide)
    threads = sizes.GAUSSIAN_THREADS
    launcher(f"{operation.name}_prepare", _blocks(count, threads), threads, *arguments, launcher.unsound)

    sorted_keys, order = torch.sort(keys, stable=True)
    binned, starts = torch.empty_like(patches), means.new_empty(bins + 1, dtype=torch.int32)
    arguments = (count, bins, sorted_keys.data_ptr(), wide, *_addresses((order, patches, binned, starts)))
    launcher(f"{operation.name}_arrange", _blocks(max(count, bins + 1), threads), threads, *arguments)
    return Binned(frame, keys, order, binned, starts)


def _backward(
    launcher: Launcher,
    shape: tuple[int, ...],
    field: Sequence[torch.Tensor],
    binned: Binned,
    gradient: torch.Tensor,
    gradients: list[torch.Tensor],
) -> None:
    frame, keys, order, patches, starts = binned
    count, operation, bins = len(order), OPERATIONS[len(shape)], len(starts) - 1
    moments = patches.new_empty(count, operation.moments)
    threads = sizes.SUM_WARPS * sizes.LANES
    large, medium = 4 * launcher.processors, 4 * launcher.processors if len(shape) == 2 else 0
    small = min(_blocks(count * operation.sum_threads, threads), 16 * launcher.processors)
    arguments = (*_addresses((patches, order, starts, frame)), bins, *_addresses((gradient, moments)))
    launcher(f"{operation.name}_moments", large + medium + small, threads, *arguments, large, medium)
    threads = sizes.GAUSSIAN_THREADS
    arguments = (count, *_addresses(field), frame.data_ptr(), bins, keys.data_ptr(), int(has_wide_keys(shape)))
    results = _addresses((moments, *gradients))
    launcher(f"{operation.name}_backward", _blocks(count, threads), threads, *arguments, *results)


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
    side = sizes.SQUARE
    blocks, threads = _blocks(height, side) * _blocks(width, side), side * side
    maps, losses, loss = x.new_empty(3, height, width), x.new_empty(blocks), x.new_empty(())
    gradient = torch.empty_like(x)
    images, weights = (height, width, *_addresses((x, y))), (float(absolute), float(dissimilarity))
    launcher("loss_maps", blocks, threads, *images, float(data_range), *weights, *_addresses((maps, losses)))
    launcher("loss_gradient", blocks, threads, *images, *weights, *_addresses((maps, losses, loss, gradient)))
    return loss, gradient


def count_bins(shape: tuple[int, ...]) -> int:
    """Bins of all levels of an array."""
    total, side, bins = 0, 2**sizes.BIN_BITS, 0
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


def _addresses(tensors: Sequence[torch.Tensor]) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]
