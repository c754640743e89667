"""Devices, memory and versions of this computer, and the memory that this process uses."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.errors import JobError, OtherDevice
from CTSuperResolutionLib.job.memory import free_memory
from CTSuperResolutionLib.job.priors import known_priors

if TYPE_CHECKING:
    import torch

MB = 1e6
PACKAGES = ("torch", "diffusers", "gsplat", "numpy", "scipy", "SimpleITK", "scikit-image")


def memory() -> dict[str, float]:
    """Memory of this process in MB (1e6 bytes): resident now and at its peak, and torch's share of the GPU."""
    found = {"memory_mb": psutil.Process().memory_info().rss / MB, "peak_mb": _peak_bytes() / MB}
    loaded = sys.modules.get("torch")
    half = getattr(getattr(loaded, "__spec__", None), "_initializing", False)  # by another thread
    cuda = None if half else getattr(loaded, "cuda", None)
    if cuda is not None and cuda.is_available() and cuda.is_initialized():
        found |= {"gpu_mb": cuda.memory_allocated() / MB, "gpu_peak_mb": cuda.max_memory_allocated() / MB}
    return {name: round(value, 1) for name, value in found.items()}


def forget_earlier_work() -> None:
    """Give memory that nothing holds back to the system, and count peaks from here on, where the system allows it.

    A process that does one job after another would otherwise hold the most that any of them took.
    """
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()  # the libraries' own objects, which every collection would look through for a fifth of a second
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_available() and cuda.is_initialized():
        cuda.empty_cache()
        cuda.reset_peak_memory_stats()
    release_freed_memory()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM, see proc(5)


def release_freed_memory() -> None:
    """Give what was freed back to the system, as far as the C library has kept it: in pieces, as much as a volume."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)


def _peak_bytes() -> int:
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    if sys.platform == "linux":
        # Not ru_maxrss: after fork and exec that still counts the parent's peak.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_memory(device: torch.device | None = None) -> int:
    """Bytes of memory that this process may still take: of the computer, a container's limit, and a GPU if given."""
    free = free_memory()
    if free is None:
        free = psutil.virtual_memory().available
    if device is not None and device.type == "cuda":
        import torch

        free = min(free, torch.cuda.mem_get_info(device)[0])
    return free


def choose_device(name: str) -> torch.device:
    """The torch device for a job's "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        JobError: CUDA is asked for and cannot be used; says why.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise JobError(f"There is no CUDA device to use ({_why_no_cuda()})", OtherDevice("cpu"))
        if (torch.device(name).index or 0) >= torch.cuda.device_count():
            raise JobError(f"There is no device {name}, only {torch.cuda.device_count()}", OtherDevice("cuda"))
    return torch.device(name)


def _why_no_cuda() -> str:
    import torch

    gpus = nvidia_gpus()
    if not gpus:
        return "no NVIDIA GPU was found"
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is built for the CPU only, while there is a {gpus[0]}: install torch for CUDA"
        )
    return f"torch for CUDA {torch.version.cuda} cannot use the {gpus[0]}: update the NVIDIA driver"


@functools.cache
def nvidia_gpus() -> tuple[str, ...]:
    """Names of NVIDIA GPUs that the driver knows of, whatever torch can do with them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        query = [program, "--query-gpu=name", "--format=csv,noheader"]
        listed = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in listed.stdout.splitlines() if line.strip())


def versions() -> dict[str, str]:
    """Versions of this library, Python and the packages that results depend on."""
    own = {"CTSuperResolution": __version__, "Python": platform.python_version()}
    return own | {package: _version(package) for package in PACKAGES}


@functools.cache
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def describe() -> dict[str, Any]:
    """Versions, devices, kernels, projectors, priors and memory of this machine."""
    import torch

    from CTSuperResolutionLib.gaussians.backends.choice import choose_backend
    from CTSuperResolutionLib.projection import tigre_adapter

    notes = []
    if nvidia_gpus() and not torch.cuda.is_available():
        notes.append(f"CUDA is not used: {_why_no_cuda()}.")
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "torch": {"build": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads()},
        "cpu": {
            "cores": os.cpu_count(),
            "memory_mb": round(psutil.virtual_memory().total / MB),
            "available_mb": round(available_memory() / MB),
        },
        "gpus": [_describe_gpu(i) for i in range(torch.cuda.device_count())],
        "kernels": {
            device: {"backend": backend.name, "why": backend.why}
            for device in ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
            for backend in [choose_backend(torch.device(device))]
        },
        "projectors": ["torch"] + (["tigre"] if tigre_adapter.available() else []),
        "priors": {name: str(path) if path.is_dir() else None for name, path in known_priors().items()},
        "notes": notes,
    }


def _describe_gpu(index: int) -> dict[str, Any]:
    import torch

    properties = torch.cuda.get_device_properties(index)
    try:
        free = torch.cuda.mem_get_info(index)[0]
    except RuntimeError:
        free = 0  # others have all of it, so that not even this question can be asked there
    return {
        "device": f"cuda:{index}",
        "name": properties.name,
        "memory_mb": round(properties.total_memory / MB),
        "free_mb": round(free / MB),
    }
