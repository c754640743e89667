"""Choice of the backend: CUDA kernels on a GPU, the CPU library on a CPU, and plain torch where neither is there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch

from CTSuperResolutionLib.gaussians.backends import reference
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.kernels.cpu_library import LibraryError, instruction_set, load_library
from CTSuperResolutionLib.projection.geometry import ScanGeometry


class Kernels(Protocol):
    """The functions of a backend's module; :mod:`~CTSuperResolutionLib.gaussians.backends.reference` documents them."""

    def rasterize(
        self,
        means: torch.Tensor,
        log_scales: torch.Tensor,
        quats: torch.Tensor,
        densities: torch.Tensor,
        geometry: ScanGeometry,
        view: int,
    ) -> torch.Tensor:
        """Line integrals of the field, (detector v, detector u)."""

    def voxelize(
        self,
        means: torch.Tensor,
        log_scales: torch.Tensor,
        quats: torch.Tensor,
        densities: torch.Tensor,
        grid: VoxelGrid,
    ) -> torch.Tensor:
        """Values of the field at voxel centres, (z, y, x)."""

    def view_loss(
        self,
        rendered: torch.Tensor,
        target: torch.Tensor,
        data_range: float,
        *,
        absolute: float,
        dissimilarity: float,
    ) -> tuple[float | torch.Tensor, torch.Tensor]:
        """The loss of eq. 5 on one view, and its gradient, (v, u)."""

    def check(self) -> None:
        """Raise ValueError for input of an earlier call that was not sound and has not been told yet."""


@dataclass(frozen=True)
class Backend:
    """A way to rasterize and voxelize a field.

    Attributes:
        name: "cuda", "native" or "torch".
        why: one sentence for the log.
        kernels: its functions.
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
    return Backend("torch", f"Plain torch renders the Gaussians: there are no kernels for {device.type}.", reference)


def _native() -> Backend:
    from CTSuperResolutionLib.gaussians.backends import native

    try:
        load_library()
    except LibraryError as error:
        return Backend("torch", f"Plain torch renders the Gaussians, many times slower: {error}.", reference)
    return Backend("native", f"The CPU library renders the Gaussians ({instruction_set()}).", native)


def _cuda(device: torch.device) -> Backend:
    from CTSuperResolutionLib.gaussians.backends import cuda

    try:
        kernels = cuda.load_kernels(device)
    except cuda.CompileError as error:
        return Backend("torch", f"Plain torch renders the Gaussians, many times slower: {error}.", reference)
    return Backend("cuda", f"CUDA kernels render the Gaussians ({kernels.architecture}).", cuda)
