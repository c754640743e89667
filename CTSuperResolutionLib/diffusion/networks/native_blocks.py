"""Residual blocks on CPU threads: the library's convolutions, with all that follows one done as it is written."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch

from CTSuperResolutionLib.kernels.constants import CHANNELS, DONE, NOT_BUILT
from CTSuperResolutionLib.kernels.cpu_library import LibraryError, load_library

# G of minimal filtering F(4 × 4, 3 × 3) for the points 0, 1, −1, 2, −2 and infinity (Lavin and Gray, CVPR 2016).
FILTERING = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


class Block(Protocol):
    """x + second(relu((1 + scale) first(x) + shift)), where film gives scale and shift of a condition."""

    first: torch.nn.Conv2d
    second: torch.nn.Conv2d
    film: torch.nn.Linear


@dataclass(frozen=True, eq=False)
class NativeBlocks:
    """Residual blocks with the weights that they had when this was made.

    The same as torch's up to rounding, whatever the number of threads, which is torch's own.

    Attributes:
        weights: of the convolutions in turn, transformed, (36, channels in, channels out).
        film, film_bias: of all blocks' scales and shifts, one block after the other.
        first_biases, second_biases: of the convolutions, (blocks, channels).
        made_of: the weights' places and versions.
    """

    weights: tuple[torch.Tensor, ...]
    film: torch.Tensor
    film_bias: torch.Tensor
    first_biases: torch.Tensor
    second_biases: torch.Tensor
    made_of: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> NativeBlocks:
        """Transform the weights of blocks of CHANNELS channels."""
        return cls(
            weights=tuple(_transformed(own.weight) for block in blocks for own in (block.first, block.second)),
            film=torch.cat([block.film.weight for block in blocks]).detach(),
            film_bias=torch.cat([block.film.bias for block in blocks]).detach(),
            first_biases=torch.stack([_bias(block.first) for block in blocks]),
            second_biases=torch.stack([_bias(block.second) for block in blocks]),
            made_of=_versions(blocks),
        )

    def are_of(self, blocks: Sequence[Block]) -> bool:
        """Whether blocks still have the weights that these were made of."""
        return self.made_of == _versions(blocks)

    def __call__(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Features (n, channels, rows, columns) after all blocks, float32; ``condition`` (n, conditions).

        Raises:
            MemoryError: there is not enough memory.
        """
        images, channels, rows, columns = features.shape
        # All scales and shifts before the work: torch's threads, which stay awake for a while, would be in its way.
        scales = torch.nn.functional.linear(condition, self.film, self.film_bias).view(images, -1, 2, channels)
        gains = 1 + scales[:, :, 0].transpose(0, 1).contiguous()
        offsets = (self.first_biases[:, None] * gains + scales[:, :, 1].transpose(0, 1)).contiguous()
        plain = torch.ones_like(gains[0])
        biases = self.second_biases[:, None].expand_as(gains).contiguous()
        features = features.clone(memory_format=torch.channels_last)
        between, shape = torch.empty_like(features), (ctypes.c_int64 * 3)(images, rows, columns)
        for block in range(len(gains)):
            into, out_of = self.weights[2 * block : 2 * block + 2]
            _convolve(shape, into, gains[block], offsets[block], None, features, between, cut=True)
            _convolve(shape, out_of, plain, biases[block], features, between, features, cut=False)
        return features


def can_be_native(blocks: Iterable[torch.nn.Module], features: torch.Tensor) -> bool:
    """Whether this computer's library has blocks of such a kind, whose weights are not being trained."""
    if features.device.type != "cpu" or features.dtype != torch.float32 or features.shape[1] != CHANNELS:
        return False
    if torch.is_autocast_enabled("cpu"):  # scales and shifts would be of another type
        return False
    return not any(values.requires_grad for block in blocks for values in block.parameters()) and _is_built()


@lru_cache(maxsize=1)
def _is_built() -> bool:
    """There is a library, and it has the convolution for this processor."""
    try:
        library = load_library()
    except LibraryError:
        return False
    none = None, None, None
    return library.nabgs_convolve((ctypes.c_int64 * 3)(0, 0, 0), *none, 0, *none, 1) != NOT_BUILT


def _convolve(
    shape: ctypes.Array[ctypes.c_int64],
    weights: torch.Tensor,
    gain: torch.Tensor,
    offset: torch.Tensor,
    added: torch.Tensor | None,
    source: torch.Tensor,
    target: torch.Tensor,
    *,
    cut: bool,
) -> None:
    told = (
        weights.data_ptr(),
        gain.data_ptr(),
        offset.data_ptr(),
        int(cut),
        None if added is None else added.data_ptr(),
    )
    library, threads = load_library(), torch.get_num_threads()
    if library.nabgs_convolve(shape, *told, source.data_ptr(), target.data_ptr(), threads) != DONE:
        raise MemoryError("There was not enough memory for the prior's network.")


def _transformed(weight: torch.Tensor) -> torch.Tensor:
    """G w Gᵀ of weights (out, in, 3, 3): (36, in, out)."""
    rows = torch.tensor(FILTERING, dtype=torch.float64)
    products = torch.einsum("iy,ocyx,jx->ijco", rows, weight.detach().double(), rows)
    return products.flatten(0, 1).float().contiguous()


def _bias(convolution: torch.nn.Conv2d) -> torch.Tensor:
    assert convolution.bias is not None
    return convolution.bias.detach()


def _versions(blocks: Sequence[Block]) -> tuple[tuple[int, int], ...]:
    """Where weights lie, and how often they were changed there."""
    layers = [layer for block in blocks for layer in (block.first, block.second, block.film)]
    return tuple((values.data_ptr(), values._version) for layer in layers for values in layer.parameters())
