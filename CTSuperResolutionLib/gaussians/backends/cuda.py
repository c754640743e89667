"""CUDA backend: rasterize and voxelize on a GPU, with the kernels of CUDAKernels/cuda.

Same arguments and results as :mod:`~CTSuperResolutionLib.gaussians.backends.reference`, on torch's current stream and
in memory of torch's own allocator. Same inputs on one device: same results, bit for bit. Nothing waits for the device,
so input that is not sound raises at the next call that finds out; :func:`check` waits and makes sure. Fields that are
not float32 are left to the reference.
"""

from __future__ import annotations

import threading
from functools import lru_cache

import torch

from CTSuperResolutionLib.gaussians import losses
from CTSuperResolutionLib.gaussians.backends import launches, reference
from CTSuperResolutionLib.gaussians.backends.field_arrays import UNSOUND, check_shapes
from CTSuperResolutionLib.gaussians.backends.frames import Grid, View
from CTSuperResolutionLib.gaussians.backends.nvrtc import CompileError, import_cuda_core, machine_code
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.kernels.constants import FRAME_WORDS
from CTSuperResolutionLib.projection.geometry import ScanGeometry

__all__ = ["CompileError", "check", "load_kernels", "rasterize", "view_loss", "voxelize"]


def rasterize(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    geometry: ScanGeometry,
    view: int,
) -> torch.Tensor:
    """Line integrals of a signed Gaussian field, (detector v, detector u), density x scene length."""
    if means.dtype != torch.float32:
        return reference.rasterize(means, log_scales, quats, densities, geometry, view)
    check_shapes(means, log_scales, quats, densities)
    kernels = load_kernels(means.device)
    frame = kernels.frame(View.of(geometry, view))
    return launches.RenderField.apply(means, log_scales, quats, densities, frame, geometry.detector_shape, kernels)


def voxelize(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    grid: VoxelGrid,
) -> torch.Tensor:
    """Values of a signed Gaussian field at the voxel centres of a grid, (z, y, x)."""
    if means.dtype != torch.float32:
        return reference.voxelize(means, log_scales, quats, densities, grid)
    check_shapes(means, log_scales, quats, densities)
    kernels = load_kernels(means.device)
    frame = kernels.frame(Grid.of(grid))
    return launches.RenderField.apply(means, log_scales, quats, densities, frame, grid.shape, kernels)


def view_loss(
    rendered: torch.Tensor, target: torch.Tensor, data_range: float, *, absolute: float, dissimilarity: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """As :func:`CTSuperResolutionLib.gaussians.losses.view_loss`, in two kernels."""
    if rendered.dtype != torch.float32:
        return losses.view_loss(rendered, target, data_range, absolute=absolute, dissimilarity=dissimilarity)
    kernels = load_kernels(rendered.device)
    return launches.view_loss(kernels, rendered, target, data_range, absolute, dissimilarity)


def check() -> None:
    """Wait for all that was queued.

    Raises:
        ValueError: some of it had input that is not sound.
    """
    for kernels in _loaded.values():
        torch.cuda.synchronize(kernels.device)
        kernels.raise_if_unsound()


def load_kernels(device: torch.device) -> CudaKernels:
    """The kernels of a device, compiled and loaded once.

    Raises:
        CompileError: they cannot be.
        ValueError: an earlier call had input that is not sound.
    """
    index = torch.cuda.current_device() if device.index is None else device.index
    kernels = _loaded.get(index)
    if kernels is None:
        kernels = _loaded[index] = CudaKernels(index)
    kernels.raise_if_unsound()
    return kernels


_loaded: dict[int, CudaKernels] = {}


class CudaKernels:
    """Runs kernels on one device; see :class:`~CTSuperResolutionLib.gaussians.backends.launches.Launcher`.

    Args:
        device: its index.

    Raises:
        CompileError: it cannot run them.
    """

    def __init__(self, device: int) -> None:
        self.device = device
        self._core = import_cuda_core()
        self._threads = threading.local()
        self.processors = torch.cuda.get_device_properties(device).multi_processor_count
        self.architecture = "sm_{}{}".format(*torch.cuda.get_device_capability(device))
        # In the host's memory, where it is read without asking the device.
        flag = torch.zeros(1, dtype=torch.int32, pin_memory=True)
        self._flag, self.unsound = flag.numpy(), flag.data_ptr()
        self._kernels: dict[str, object] = {}
        code = machine_code(self.architecture)
        try:
            self._load(code)
        except Exception:  # kept by another driver, or compiled by an NVRTC that is newer than this one
            try:
                self._load(machine_code(self.architecture, anew=True))
            except CompileError:
                raise
            except Exception as error:
                raise CompileError(f"the driver does not load the kernels ({error})") from error

    def __call__(self, name: str, blocks: int, threads: int, *arguments: int | float) -> None:
        """Queue a kernel on torch's current stream."""
        with torch.cuda.device(self.device):
            self._enter_thread()
            stream = self._stream(torch.cuda.current_stream().cuda_stream)
            kernel = self._kernels.get(name)
            if kernel is None:
                kernel = self._kernels[name] = self._code.get_kernel(name)
            self._core.launch(stream, self._config(blocks, threads), kernel, *arguments)

    def frame(self, frame: View | Grid) -> torch.Tensor:
        """A View or a Grid on the device, as the kernels read it."""
        place = torch.empty(FRAME_WORDS, dtype=torch.int64, device=torch.device("cuda", self.device))
        launches.put_frame(self, frame, place)
        return place

    def raise_if_unsound(self) -> None:
        """Raise ValueError where a kernel that is done had input that is not sound."""
        if self._flag[0]:
            self._flag[0] = 0
            raise ValueError(UNSOUND)

    def _load(self, code: bytes) -> None:
        with torch.cuda.device(self.device):
            self._enter_thread()
            self._code = self._core.ObjectCode.from_cubin(code)
            self._kernels = {"write_frame": self._code.get_kernel("write_frame")}

    def _enter_thread(self) -> None:
        """Make torch's context current in this thread: torch's own calls do so only once they need it.

        Autograd's threads may launch a kernel before any of torch's.
        """
        if not hasattr(self._threads, "entered"):
            self._core.Device(self.device).set_current()
            self._threads.entered = True

    @lru_cache(maxsize=64)  # noqa: B019, there is one of these for each device, for ever
    def _stream(self, handle: int) -> object:
        return self._core.Stream.from_handle(handle)

    @lru_cache(maxsize=256)  # noqa: B019
    def _config(self, blocks: int, threads: int) -> object:
        return self._core.LaunchConfig(grid=blocks, block=threads)
