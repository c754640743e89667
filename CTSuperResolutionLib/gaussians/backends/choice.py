"""Which backend draws: CUDA kernels on a GPU, the CPU library on a CPU, and plain torch where neither is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch

from CTSuperResolutionLib.gaussians.backends import reference


class Kernels(Protocol):
    """What the module of a backend has, as :mod:`~CTSuperResolutionLib.gaussians.backends.reference` does."""

    rasterize: Callable[..., torch.Tensor]
    voxelize: Callable[..., torch.Tensor]
    view_loss: Callable[..., tuple[float | torch.Tensor, torch.Tensor]]
    check: Callable[[], None]


@dataclass(frozen=True)
class Backend:
    """How a field is drawn.

    Attributes:
        name: "cuda", "native" or "torch".
        why: one sentence for the log.
        kernels: rasterize, voxelize, view_loss, and check for errors that have not been told yet.
    """

    name: str
    why: str
    kernels: Kernels


@cache
def choose_backend(device: torch.device) -> Backend:
    """The fastest backend that works on a device."""
    if device.type == "cpu":
        return _native()
    if device.type == "cuda":
        return _cuda(device)
    return Backend("torch", f"Plain torch draws the Gaussians: there are no kernels for {device.type}.", reference)


def _native() -> Backend:
    from CTSuperResolutionLib.gaussians.backends import native

    try:
        native.load_library()
    except native.LibraryError as error:
        return Backend("torch", f"Plain torch draws the Gaussians, many times slower: {error}.", reference)
    return Backend("native", f"The CPU library draws the Gaussians ({native.instruction_set()}).", native)


def _cuda(device: torch.device) -> Backend:
    from CTSuperResolutionLib.gaussians.backends import cuda

    try:
        kernels = cuda.load_kernels(device)
    except cuda.CompileError as error:
        return Backend("torch", f"Plain torch draws the Gaussians, many times slower: {error}.", reference)
    return Backend("cuda", f"CUDA kernels draw the Gaussians ({kernels.architecture}).", cuda)
